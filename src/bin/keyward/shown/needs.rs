//! What of a status needs a person, each with its command; and what a person should know.

use keyward::{
    ActorName, ActorState, RotationReport, RotationState, Status, Step, StoreAnswers, WaitsFor,
};

use crate::shown::command::Commands;
use crate::shown::need::Need;

/// It asks no keeper, so that no socket is named.
const VERIFY: &str = "keyward verify";

/// Everything that needs a person now, the worst first.
pub fn of_status(status: &Status, commands: &Commands) -> Vec<Need> {
    let mut needs = of_keeper(status, commands);
    for rotation in &status.unreadable_rotations {
        let id = rotation.id.to_string();
        needs.push(
            Need::new(format!(
                "Rotation {id} of key {} cannot be read, and no other rotation of the key begins: {}.",
                rotation.key, rotation.why
            ))
            .or(
                commands.keyward("dismiss", &[&id]),
                "if no backup has it: its records go to quarantine and the key goes on without it",
            ),
        );
    }
    for rotation in &status.rotations {
        needs.extend(of_rotation(rotation, commands));
    }
    for key in &status.keys {
        needs.extend(of_store(key, &status.rotations, commands));
    }
    for record in &status.unreadable_records {
        needs.push(
            Need::new(format!(
                "A record cannot be read, {}: {}. It was left in place.",
                record.place, record.why
            ))
            .or(
                VERIFY.to_owned(),
                "with the keeper stopped, to see all that cannot be read; then restore a backup. The state \
                 of a key is replaced by a forward get and save_state of its program",
            ),
        );
    }
    needs
}

fn of_keeper(status: &Status, commands: &Commands) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(code) = status.lost {
        let why = status.paused.as_deref().unwrap_or(code);
        needs.push(
            Need::new(format!(
                "The keeper writes nothing more, for good: {why}. It still hands out keys."
            ))
            .or(
                "systemctl restart keyward".to_owned(),
                "or end its process and start it again the way it was started; rotations go on then",
            ),
        );
    } else if let Some(why) = &status.paused {
        needs.push(Need::new(format!("Rotations are paused: {why}.")).or(
            commands.keyward("status", &[]),
            "when the cause is mended: the journal is opened again every 5 s and goes on by itself",
        ));
    }
    for actor in &status.actors {
        let words = match &actor.actor {
            _ if actor.state != ActorState::Failed => continue,
            ActorName::Coordinator => commands.keyward("restart coordinator", &[]),
            ActorName::Key(name) => commands.keyward("restart key", &[name.as_str()]),
            // It lives again when a worker of its name joins.
            _ => continue,
        };
        let why = actor.last_failure.as_deref().unwrap_or("unknown");
        let name = &actor.actor;
        let text =
            format!("The actor of {name} died too often and stays down; the last time: {why}.");
        needs.push(Need::new(text).or(words, "when the cause is mended"));
    }
    if let Some(damage) = &status.damaged_history {
        needs.push(Need::new(format!("The history is damaged: {damage}.")).or(
            VERIFY.to_owned(),
            "with the keeper stopped, to see all that cannot be read; then restore a backup",
        ));
    }
    needs
}

/// What a rotation needs a person for.
pub fn of_rotation(report: &RotationReport, commands: &Commands) -> Vec<Need> {
    let id = report.id.to_string();
    let key = &report.key;
    let abort = |when: &str| (commands.keyward("abort", &[&id]), when.to_owned());
    match report.state {
        RotationState::Stopped | RotationState::CompletedWithFailures => {
            let failed = first_failure(report);
            let text = match report.state {
                RotationState::Stopped => {
                    format!("Rotation {id} of key {key} stopped: {failed}.")
                }
                _ => format!("Rotation {id} of key {key} completed with failures: {failed}."),
            };
            let (command, when) = abort(&format!("to give it up; {}", left_behind(report)));
            let resume = commands.keyward("resume", &[&id]);
            let need = Need::new(text).or(resume, "when the cause is mended");
            vec![need.or(command, when)]
        }
        RotationState::Obsolete => {
            let text = format!(
                "Rotation {id} of key {key} is obsolete: a later change has completed. It keeps its keys, \
                 which may be the last copy of an old one."
            );
            let (command, when) =
                abort("when no data is under its old keys any more; then they leave the journal");
            vec![Need::new(text).or(command, when)]
        }
        RotationState::Waiting | RotationState::Running => {
            let waits = report.waits_for.iter();
            waits.filter_map(|w| of_wait(report, w, commands)).collect()
        }
        _ => Vec::new(),
    }
}

fn first_failure(report: &RotationReport) -> String {
    let mut failed = report.failed();
    let Some(step) = failed.next() else {
        return "no step failed".to_owned();
    };
    let Step {
        worker, callback, ..
    } = step;
    let error = step.error.as_deref().unwrap_or("it failed");
    let more = match failed.count() {
        0 => String::new(),
        more => format!(" (and {more} more failed)"),
    };
    format!(
        "callback {callback} of worker {worker} failed at attempt {}: {}{more}",
        step.attempt,
        error.trim_end_matches('.')
    )
}

fn left_behind(report: &RotationReport) -> String {
    let workers = report.unsucceeded_workers();
    let names: Vec<String> = workers.iter().take(10).map(ToString::to_string).collect();
    let more = match workers.len().saturating_sub(10) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match names.as_slice() {
        [] => "every step has succeeded".to_owned(),
        [one] => format!("worker {one} may hold data under the old key"),
        _ => format!(
            "workers {}{more} may hold data under the old key",
            names.join(", ")
        ),
    }
}

fn of_wait(report: &RotationReport, waits: &WaitsFor, commands: &Commands) -> Option<Need> {
    let (id, key) = (report.id, &report.key);
    let keyward = |command, names: &[&str]| commands.keyward(command, names);
    let workers = || keyward("workers", &[]);
    Some(match waits {
        WaitsFor::Definition => Need::new(format!(
            "Rotation {id} waits for key {key}, which is not defined with the use case of \
             the rotation."
        ))
        .or(
            keyward("reload", &[]),
            "when the key is in the configuration again",
        ),
        WaitsFor::Worker { worker, callback } => Need::new(format!(
            "Rotation {id} of key {key} waits for worker {worker} to come and register \
             callback {callback}. After its time, 60 s by default, the step fails."
        ))
        .or(workers(), "to see who is here; start the worker's program")
        .or(
            keyward(
                "remove callback",
                &[worker.as_str(), key.as_str(), callback.as_str()],
            ),
            "if its data is gone for good: the step is taken out of every plan",
        ),
        WaitsFor::Instance {
            worker,
            callback,
            instance,
        } => Need::new(format!(
            "Rotation {id} of key {key} waits for instance {instance} of worker {worker} with \
             callback {callback}: it is absent, or has not said that it is ready. After its time, \
             60 s by default, the step fails."
        ))
        .or(
            workers(),
            "to see its process; bring it back, or end it: the rotation goes on without it then",
        )
        .or(
            keyward("remove instance", &[worker.as_str(), &instance.to_string()]),
            "if its process has ended and the keeper cannot see it",
        ),
        WaitsFor::EarlierCall { worker, callback } => Need::new(format!(
            "Rotation {id} of key {key} waits for an earlier call of worker {worker}, which \
             passed its limit and has not returned; callback {callback} is due."
        ))
        .or(
            workers(),
            "to see its process; end that if the callback hangs",
        ),
        WaitsFor::Thread { worker, callback } => Need::new(format!(
            "Rotation {id} of key {key} waits for a thread for callback {callback} of worker \
             {worker}: all are taken, or the system refuses one."
        ))
        .or(
            keyward("show", &[&id.to_string()]),
            "to see whether it goes on; else raise TasksMax or ulimit -u of the keeper",
        ),
        // These go on by themselves, or are listed on their own.
        _ => return None,
    })
}

/// A store that does not answer what was declared; while a rotation of the key has not ended, the old keys are
/// as it should be.
fn of_store(
    key: &keyward::KeyStatus,
    rotations: &[RotationReport],
    commands: &Commands,
) -> Option<Need> {
    let name = &key.name;
    let rotates = rotations
        .iter()
        .any(|r| r.key == *name && r.state.is_unfinished());
    let text = match key.facts.store_answers {
        StoreAnswers::Old if !rotates => format!(
            "The store of key {name} still answers the old keys of the last change, so new data is under the \
             old key. Let it answer the new ones."
        ),
        StoreAnswers::Neither => format!(
            "The store of key {name} answers neither the old nor the new keys of the last change: a line end, \
             or another value. Data that was re-encrypted is under the new keys as they were declared."
        ),
        _ => return None,
    };
    let look = format!("{} > /dev/null", commands.keyward("get", &[name.as_str()]));
    Some(Need::new(text).or(
        look,
        "when it is mended, to have the store asked; then look at the status again",
    ))
}

/// What the next rotation will wait for: callbacks of the roster that no worker here has registered.
pub fn missing_callbacks(status: &Status, commands: &Commands) -> Vec<Need> {
    let mut missing = Vec::new();
    for worker in &status.workers {
        for entry in worker.callbacks.iter().filter(|entry| !entry.registered) {
            let (key, callback, worker) = (&entry.key, &entry.callback, &worker.worker);
            let text = format!(
                "Callback {callback} of worker {worker} for key {key} cannot be called: no process that is \
                 connected and ready has registered it. The next rotation of the key waits for it."
            );
            let remove = commands.keyward(
                "remove callback",
                &[worker.as_str(), key.as_str(), callback.as_str()],
            );
            missing.push(Need::new(text).or(
                remove,
                "if its data is gone for good; else start the worker",
            ));
        }
    }
    missing
}
