//! The status for people: whether a person is needed, for what, and then how everything is.

use keyward::{ActorState, KeyStatus, Status, StoreAnswers};
use serde_json::{Value, json};

use crate::shown::command::Commands;
use crate::shown::need::{Listed, Need};
use crate::shown::paint::{Paint, Tone};
use crate::shown::table::{Cell, Table};
use crate::shown::{needs, rotation, workers};

/// So many notes are shown whole; of the others the number.
const MAX_NOTES: usize = 10;

/// The status in words and tables.
pub fn text(paint: Paint, status: &Status, commands: &Commands, now_ms: u64) -> String {
    let needs = needs::of_status(status, commands);
    let notes = needs::missing_callbacks(status, commands);
    let mut parts = vec![verdict(paint, &needs)];
    if !needs.is_empty() {
        parts.push(Listed(paint, Tone::Bad, &needs).to_string());
    }
    if !notes.is_empty() {
        parts.push(paint.text(Tone::Head, "To know before the next rotation:"));
        let shown = notes.get(..MAX_NOTES).unwrap_or(&notes);
        parts.push(Listed(paint, Tone::Open, shown).to_string());
        let more = notes.len().saturating_sub(shown.len());
        if more > 0 {
            parts.push(format!(
                "     and {more} more callbacks: {}",
                commands.keyward("workers", &[])
            ));
        }
    }
    parts.push(keys(paint, &status.keys));
    parts.push(workers::table(paint, &status.workers));
    if status.rotations.is_empty() && status.unreadable_rotations.is_empty() {
        parts.push("No rotation is open.".to_owned());
    } else {
        let (rotations, unreadable) = (&status.rotations, &status.unreadable_rotations);
        parts.push(rotation::table(paint, rotations, unreadable, now_ms));
    }
    if let Some(actors) = actors(paint, status) {
        parts.push(actors);
    }
    parts.join("\n\n")
}

/// The status for programs.
pub fn object(status: &Status, commands: &Commands) -> Value {
    let needs = needs::of_status(status, commands);
    let notes = needs::missing_callbacks(status, commands);
    let objects = |needs: &[Need]| needs.iter().map(Need::object).collect::<Vec<_>>();
    json!({
        "person_needed": !needs.is_empty(),
        "needs": objects(&needs),
        "notes": objects(&notes),
        "status": status,
    })
}

fn verdict(paint: Paint, needs: &[Need]) -> String {
    match needs.len() {
        0 => paint.text(Tone::Good, "No person is needed."),
        1 => paint.text(Tone::Bad, "A person is needed, for 1 thing:"),
        many => paint.text(
            Tone::Bad,
            format_args!("A person is needed, for {many} things:"),
        ),
    }
}

fn keys(paint: Paint, keys: &[KeyStatus]) -> String {
    let head = [
        "KEY",
        "USE",
        "STATE",
        "LAST FLOW",
        "HOLDS",
        "STORE ANSWERS",
        "REQUESTS",
    ];
    let mut table = Table::new(paint, &head);
    for KeyStatus {
        name,
        behaviour,
        facts,
        ..
    } in keys
    {
        let holds = match (facts.holds, facts.superseded) {
            (false, _) => "",
            (true, false) => "a pair",
            (true, true) => "a pair that a change superseded",
        };
        let (tone, answers) = match facts.store_answers {
            StoreAnswers::Old => (Tone::Open, "the old keys"),
            StoreAnswers::New => (Tone::Good, "the new keys"),
            StoreAnswers::Neither => (Tone::Bad, "neither old nor new keys"),
            StoreAnswers::Unknown => (Tone::Plain, ""),
        };
        table.row([
            Cell::from(name),
            Cell::from(behaviour.use_case),
            Cell::from(if behaviour.stateless {
                "stateless"
            } else {
                "stated"
            }),
            Cell::from(
                facts
                    .last_flow
                    .map(|flow| flow.to_string())
                    .unwrap_or_default(),
            ),
            Cell::from(holds),
            Cell(tone, answers.to_owned()),
            Cell::from(facts.waiting),
        ]);
    }
    match table.is_empty() {
        true => "No key is defined.".to_owned(),
        false => table.to_string(),
    }
}

/// The actors that died, if any did.
fn actors(paint: Paint, status: &Status) -> Option<String> {
    let mut table = Table::new(paint, &["ACTOR", "STATE", "RESTARTS", "DIED LAST OF"]);
    for actor in &status.actors {
        if actor.state == ActorState::Running && actor.last_failure.is_none() {
            continue;
        }
        let tone = match actor.state {
            ActorState::Running => Tone::Plain,
            ActorState::Restarting => Tone::Open,
            _ => Tone::Bad,
        };
        table.row([
            Cell::from(&actor.actor),
            Cell(tone, actor.state.to_string()),
            Cell::from(actor.restarts),
            Cell::from(actor.last_failure.clone().unwrap_or_default()),
        ]);
    }
    (!table.is_empty()).then(|| table.to_string())
}
