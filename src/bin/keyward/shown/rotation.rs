//! Rotations for people: a line each in a table, and one with its steps.

use keyward::{Act, CallbackStatus, RotationReport, Step, UnreadableRotation, WaitsFor};

use crate::shown::command::Commands;
use crate::shown::need::{Listed, Need};
use crate::shown::needs;
use crate::shown::paint::{Paint, Tone};
use crate::shown::state::{step_tone, tone, words};
use crate::shown::table::{Cell, Table};
use crate::shown::time::{ago, span, utc};

/// A table of rotations, then those that cannot be read.
pub fn table(
    paint: Paint,
    rotations: &[RotationReport],
    unreadable: &[UnreadableRotation],
    now_ms: u64,
) -> String {
    let head = [
        "ROTATION",
        "KEY",
        "STATE",
        "STEPS",
        "DECLARED",
        "ENDED",
        "LAST ACT",
        "WAITS FOR",
    ];
    let mut table = Table::new(paint, &head);
    for report in rotations {
        let (done, all) = succeeded(report);
        let waits = report.waits_for.first().map(ToString::to_string);
        table.row([
            Cell::from(report.id),
            Cell::from(&report.key),
            Cell(tone(report.state), words(report.state).to_owned()),
            Cell::from(format!("{done}/{all}")),
            Cell::from(ago(report.accepted_ms, now_ms)),
            Cell::from(
                report
                    .ended_ms
                    .map(|ms| ago(ms, now_ms))
                    .unwrap_or_default(),
            ),
            Cell::from(report.acts.last().map(last_act).unwrap_or_default()),
            Cell::from(waits.unwrap_or_default()),
        ]);
    }
    for rotation in unreadable {
        table.row([
            Cell::from(rotation.id),
            Cell::from(&rotation.key),
            Cell(Tone::Bad, "unreadable".to_owned()),
            Cell::from(""),
            Cell::from(""),
            Cell::from(""),
            Cell::from(""),
            Cell::from(&rotation.why),
        ]);
    }
    table.to_string()
}

/// One rotation: what is known of it, its steps, and what can be done about it.
pub fn whole(paint: Paint, report: &RotationReport, commands: &Commands, now_ms: u64) -> String {
    let mut lines = vec![headline(paint, report)];
    let accepted = report.accepted_ms;
    lines.push(format!(
        "declared {} ({})",
        utc(accepted),
        ago(accepted, now_ms)
    ));
    if let Some(ended) = report.ended_ms {
        let took = span(ended.saturating_sub(accepted));
        lines.push(format!(
            "ended    {} ({}), after {took}",
            utc(ended),
            ago(ended, now_ms)
        ));
    }
    let resumes = match report.resumes {
        0 => String::new(),
        1 => ", resumed once".to_owned(),
        times => format!(", resumed {times} times"),
    };
    lines.push(format!("strategy {}{resumes}", report.strategy));
    if let Some(between) = &report.versions {
        let old = between.old.map(|old| format!("from version {old} "));
        let old = old.unwrap_or_default();
        lines.push(format!(
            "leads    {old}to version {}: {}",
            between.new, between.phase
        ));
    }
    lines.extend(report.acts.iter().map(|act| self::act(act, now_ms)));
    if !report.steps.is_empty() {
        lines.push(String::new());
        lines.push(steps(paint, &report.steps));
    }
    for waits in &report.waits_for {
        let until = match waits {
            WaitsFor::Drain { until_ms } => format!(", until {}", utc(*until_ms)),
            _ => String::new(),
        };
        lines.push(format!("It waits for {waits}{until}."));
    }
    let needs = needs::of_rotation(report, commands);
    if !needs.is_empty() {
        lines.push(String::new());
        lines.push(Listed(paint, Tone::Bad, &needs).to_string());
    }
    lines.join("\n")
}

/// What became of a rotation, in one line and what it needs.
pub fn ended(paint: Paint, report: &RotationReport, commands: &Commands) -> String {
    let mut lines = vec![headline(paint, report)];
    let failed = report.failed().map(|step| {
        let (worker, callback) = (&step.worker, &step.callback);
        let error = step.error.as_deref().unwrap_or("it failed");
        format!(
            "  callback {callback} of worker {worker}, attempt {}: {error}",
            step.attempt
        )
    });
    lines.extend(failed.take(10));
    let more = report.failed().count().saturating_sub(10);
    if more > 0 {
        lines.push(format!(
            "  and {more} more that failed: keyward show {}",
            report.id
        ));
    }
    for Need { remedies, .. } in needs::of_rotation(report, commands) {
        for remedy in remedies {
            lines.push(format!("  {}\n    {}", remedy.command, remedy.when));
        }
    }
    lines.join("\n")
}

/// Who did what, when and why.
pub fn act(act: &Act, now_ms: u64) -> String {
    format!("{} ({}) {act}", utc(act.at_ms), ago(act.at_ms, now_ms))
}

/// What was done last about a rotation, and by which user.
fn last_act(act: &Act) -> String {
    format!("{}, user {}", act.deed, act.by.user)
}

fn headline(paint: Paint, report: &RotationReport) -> String {
    let (done, all) = succeeded(report);
    format!(
        "Rotation {} of key {}: {}, {done} of {all} steps succeeded",
        report.id,
        report.key,
        paint.text(tone(report.state), words(report.state))
    )
}

fn steps(paint: Paint, steps: &[Step]) -> String {
    let head = [
        "STEP", "WORKER", "CALLBACK", "STATUS", "ATTEMPT", "TOOK", "EFFECT", "ERROR",
    ];
    let mut table = Table::new(paint, &head);
    for step in steps {
        let took = match (step.status, step.started_ms, step.ended_ms) {
            (CallbackStatus::InProgress, ..) => None,
            (_, Some(started), Some(ended)) => Some(span(ended.saturating_sub(started))),
            _ => None,
        };
        let (tone, status) = match (step.removed, step.status) {
            (true, _) => (Tone::Plain, "removed".to_owned()),
            (false, status) => (step_tone(status), status.to_string()),
        };
        let mut error = step.error.clone().unwrap_or_default();
        if step.crashes > 0 {
            let separator = if error.is_empty() { "" } else { "; " };
            error = format!(
                "{error}{separator}ended in a crash {} times in a row",
                step.crashes
            );
        }
        table.row([
            Cell::from(step.no),
            Cell::from(&step.worker),
            Cell::from(&step.callback),
            Cell(tone, status),
            Cell::from(step.attempt),
            Cell::from(took.unwrap_or_default()),
            Cell::from(effect(step)),
            Cell::from(error),
        ]);
    }
    table.to_string()
}

fn effect(step: &Step) -> &'static str {
    match step.effect {
        keyward::Effect::Decrypted => "decrypted",
        keyward::Effect::Reencrypted => "reencrypted",
        _ => "",
    }
}

/// How many steps of a rotation have succeeded, of how many that are in its plan.
pub fn succeeded(report: &RotationReport) -> (usize, usize) {
    let steps = || report.steps.iter().filter(|step| !step.removed);
    let succeeded = |step: &&Step| step.status == CallbackStatus::Succeeded;
    (steps().filter(succeeded).count(), steps().count())
}
