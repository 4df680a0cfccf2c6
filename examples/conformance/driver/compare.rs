//! What a scenario expects beside what was seen.

use serde_json::{Value, json};

use super::replay::Seen;
use super::scenario::Scenario;

/// Where what was seen differs from what the scenario expects, a few lines each. What it expects
/// nothing of is not compared.
pub fn differences(scenario: &Scenario, seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: String, expected: &Value, seen: &Value| {
        if expected != seen {
            found.push(format!(
                "{what}\n    expected {expected}\n    seen     {seen}"
            ));
        }
    };
    if let Some(expected) = &scenario.expect {
        let expected = expected.as_array().map_or(&[][..], Vec::as_slice);
        for index in 0..expected.len().max(seen.seen.len()) {
            let step = scenario.steps.get(index);
            compare(
                format!("step {} {step:?}", index + 1),
                expected.get(index).unwrap_or(&Value::Null),
                &json!(seen.seen.get(index)),
            );
        }
    }
    let counts = [
        ("store_calls", scenario.store_calls, seen.store_calls),
        ("state_reads", scenario.state_reads, seen.state_reads),
    ];
    for (what, expected, seen) in counts {
        if let Some(expected) = expected {
            compare(what.to_owned(), &json!(expected), &json!(seen));
        }
    }
    found
}
