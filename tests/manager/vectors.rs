//! Replays the vectors in `vectors/` and compares what is seen with what they expect.

#[path = "../../examples/conformance/driver/mod.rs"]
mod driver;

use self::driver::all::replay_all;
use self::driver::compare::differences;
use self::driver::scenario::{Scenario, scenarios};

fn replay_file(content: &str, count: usize) {
    let read = scenarios(content).unwrap();
    let known: Vec<String> = read.iter().flatten().map(|s| s.name.clone()).collect();
    assert_eq!(
        known.len(),
        count,
        "every scenario of the file is understood"
    );
    let expects = |s: &Scenario| s.expect.is_some() && s.store_calls.and(s.state_reads).is_some();
    assert!(
        read.iter().flatten().all(expects),
        "every scenario says what must be seen"
    );
    let mut expected = known.iter();
    let mut failures = Vec::new();
    replay_all(read, &mut |scenario, seen| {
        let name = expected.next().unwrap();
        let scenario = scenario.unwrap();
        assert_eq!(&scenario.name, name, "the results come in the file's order");
        let found = match &seen {
            Ok(seen) => differences(scenario, seen),
            Err(why) => vec![why.clone()],
        };
        if !found.is_empty() {
            failures.push(format!("{name}\n  {}", found.join("\n  ")));
        }
    })
    .unwrap();
    assert!(
        failures.is_empty(),
        "{} of {count} scenarios differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn the_examples_of_keys_management_are_seen_as_they_are_meant() {
    replay_file(include_str!("../vectors/seed.json"), 10);
}

#[test]
fn the_random_scenarios_are_seen_as_they_are_meant() {
    replay_file(include_str!("../vectors/random.json"), 300);
}

#[test]
fn a_scenario_that_is_not_understood_is_named_and_keeps_no_other_from_running() {
    let content = r#"[
        {"name": "a", "key": {"use_case": "both_ways"}, "store": "s", "steps": []},
        {"name": "b", "key": {"use_case": "one_way_trip"}, "store": "s", "steps": [{"do": "leap"}]},
        {"name": "c", "key": {"use_case": "one_way_trip"}, "store": "s", "steps": [], "mood": 1},
        {"name": "d", "key": {"use_case": "one_way_trip"}, "store": "s", "steps": [{"do": "get"}]}
    ]"#;
    let mut told = Vec::new();
    replay_all(scenarios(content).unwrap(), &mut |scenario, seen| {
        let name = scenario.map_or_else(|name| name, |scenario| &scenario.name);
        told.push((name.to_owned(), seen.map(|seen| seen.store_calls)));
    })
    .unwrap();
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    for ((name, told), word) in told.iter().zip(["both_ways", "leap", "mood"]) {
        let why = told.as_ref().unwrap_err();
        assert!(why.contains(word), "{name}: {why}");
    }
    assert_eq!(told[3].1, Ok(1));
}
