//! The plan of a change for people: who would do what, who is missing, what is in the way.

use keyward::{ChangePlan, PlannedVersions, WorkerName};

use crate::shown::command::Commands;
use crate::shown::need::{Listed, Need};
use crate::shown::paint::{Paint, Tone};
use crate::shown::table::{Cell, Table};
use crate::shown::time::span;

/// The plan in words and a table.
pub fn text(paint: Paint, plan: &ChangePlan, commands: &Commands) -> String {
    let ChangePlan {
        key,
        strategy,
        steps,
        waits_for,
        versions,
        ..
    } = plan;
    let mut parts = vec![format!(
        "A change of key {key} would have {} steps, under the strategy {strategy}. Nothing was changed.",
        steps.len()
    )];
    let mut table = Table::new(paint, &["WORKER", "CALLBACK", "CHANGES", "INSTANCES"]);
    for step in steps {
        let instances = match step.instances {
            0 => Cell(Tone::Bad, "missing".to_owned()),
            some => Cell::from(some),
        };
        table.row([
            Cell::from(&step.worker),
            Cell::from(&step.callback),
            Cell::from(step.kind),
            instances,
        ]);
    }
    if !table.is_empty() {
        parts.push(table.to_string());
    }
    parts.extend(versions.as_ref().map(of_versions));
    let missing: Vec<Need> = steps
        .iter()
        .filter(|step| step.instances == 0)
        .map(|step| {
            let (worker, callback) = (&step.worker, &step.callback);
            let remove = commands.keyward(
                "remove callback",
                &[worker.as_str(), key.as_str(), callback.as_str()],
            );
            Need::new(format!(
                "Worker {worker} is missing with callback {callback}: the step would wait for it, 60 s by default, \
                 and then fail."
            ))
            .or(remove, "if its data is gone for good; else start the worker")
        })
        .collect();
    if !missing.is_empty() {
        parts.push(Listed(paint, Tone::Open, &missing).to_string());
    }
    for waits in waits_for {
        parts.push(format!("In the way: it would wait for {waits}."));
    }
    parts.join("\n\n")
}

/// What a change of a key with versions would begin with.
fn of_versions(versions: &PlannedVersions) -> String {
    let drain = u64::try_from(versions.drain.as_millis()).unwrap_or(u64::MAX);
    let mut text = format!(
        "Before its steps it would turn: the new version would be current in the place of version {} ({}), and \
         copies of that one that gets answered would be waited for, {} at most.",
        versions.number,
        versions.current,
        span(drain)
    );
    if !versions.copies.is_empty() {
        let workers: Vec<&str> = versions.copies.iter().map(WorkerName::as_str).collect();
        text.push_str(&format!(
            " Workers that were given it and have no callback of memory: {}. A copy that one of them keeps for longer \
             is not waited for.",
            workers.join(", ")
        ));
    }
    text
}
