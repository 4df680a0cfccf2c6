//! What is told of a manager, in words for people.

use std::fmt;

use crate::key::declared::StoreAnswers;
use crate::operator::actor::{ActorState, ActorStatus};
use crate::operator::status::{
    HistoryListing, InstanceStatus, KeyStatus, RosterCallback, Status, UnreadableRecord,
    WorkerStatus,
};

/// One line each for keys, workers, records that cannot be read and actors that died, a few for each
/// rotation, and first whatever keeps all of them from going on.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}, {} not ended",
            count(self.keys.len(), "key"),
            count(self.workers.len(), "worker"),
            count(
                self.rotations.len() + self.unreadable_rotations.len(),
                "rotation"
            ),
        )?;
        if let Some(why) = &self.lost {
            write!(f, "\nthis manager writes nothing more: {why}")?;
        }
        if let Some(why) = &self.paused {
            write!(f, "\nrotations are paused: {why}")?;
        }
        if let Some(damage) = &self.damaged_history {
            write!(f, "\nthe history is damaged: {damage}")?;
        }
        lines(f, &self.keys)?;
        lines(f, &self.workers)?;
        lines(f, &self.rotations)?;
        lines(f, &self.unreadable_rotations)?;
        lines(f, &self.unreadable_records)?;
        let died = |actor: &&ActorStatus| {
            actor.state != ActorState::Running || actor.last_failure.is_some()
        };
        lines(f, self.actors.iter().filter(died))
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn lines<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    all: impl IntoIterator<Item = T>,
) -> fmt::Result {
    all.into_iter().try_for_each(|one| write!(f, "\n{one}"))
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stated = if self.behaviour.stateless {
            "stateless"
        } else {
            "stated"
        };
        let Self {
            name,
            behaviour,
            facts,
        } = self;
        write!(f, "key {name}: {}, {stated}", behaviour.use_case)?;
        if let Some(flow) = facts.last_flow {
            write!(f, ", last flow {flow}")?;
        }
        if facts.holds {
            f.write_str(", holds a pair")?;
        }
        if facts.superseded {
            f.write_str(" that a change superseded")?;
        }
        if facts.waiting > 0 {
            write!(f, ", {} under way", count(facts.waiting, "request"))?;
        }
        f.write_str(match facts.store_answers {
            StoreAnswers::Unknown | StoreAnswers::New => "",
            StoreAnswers::Old => "; its store still answers the old keys of the last change",
            StoreAnswers::Neither => {
                "; its store answers neither the old nor the new keys of the last change: a line end, or \
                 another value"
            }
        })
    }
}

impl fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (here, missing): (Vec<_>, Vec<_>) = self.callbacks.iter().partition(|c| c.registered);
        let alive = if self.alive { "alive" } else { "not here" };
        write!(
            f,
            "worker {}: {alive}, {} of {} callbacks registered in this life",
            self.worker,
            here.len(),
            self.callbacks.len()
        )?;
        for RosterCallback { key, callback, .. } in missing {
            write!(
                f,
                "\n  callback {callback} for key {key} cannot be called: the next change of the key waits for it; \
                 remove it if its data is gone (remove_callback)"
            )?;
        }
        for instance in &self.instances {
            write!(f, "\n  {instance}")?;
        }
        Ok(())
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            instance,
            process,
            user,
            ..
        } = self;
        let connected = if self.connected {
            "connected"
        } else {
            "absent"
        };
        let ready = if self.ready { "ready" } else { "not ready yet" };
        write!(
            f,
            "instance {instance} (process {process}, user {user}): {connected}, {ready}"
        )?;
        if self.calls > 0 {
            write!(f, ", {} not returned", count(self.calls, "call"))?;
        }
        if self.may_be_called_twice {
            f.write_str("; only its connection names its process: after a restart of the keeper it may be called twice")?;
        }
        Ok(())
    }
}

impl fmt::Display for ActorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            actor,
            state,
            restarts,
            ..
        } = self;
        write!(f, "actor {actor}: {state}, restarts: {restarts}")?;
        match &self.last_failure {
            Some(why) => write!(f, "; it died last of: {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for UnreadableRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable record: {}: {}", self.place, self.why)
    }
}

/// A few lines for each rotation, and how the next page is had.
impl fmt::Display for HistoryListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended", count(self.rotations.len(), "rotation"))?;
        lines(f, &self.rotations)?;
        lines(f, &self.unreadable)?;
        lines(f, &self.acts)?;
        match self.next {
            Some(next) => write!(f, "\nthe next page is history_before({next}, limit)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::definition::OnKeyChangedCallbackErrorStrategy as Strategy;
    use crate::key::facts::KeyFacts;
    use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
    use crate::key::name::{CallbackName, KeyName, WorkerName};
    use crate::management::definition::SecretKeyDefinition;
    use crate::operator::actor::ActorName;
    use crate::repo::space::Space;
    use crate::rotation::act::{About, Act, By, Deed};
    use crate::rotation::instance::{CallbackOf, Sharing};
    use crate::rotation::plan::Step;
    use crate::rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
    use crate::rotation::state::RotationState;
    use crate::rotation::status::CallbackStatus;

    fn key() -> KeyName {
        KeyName::new("documents").unwrap()
    }

    fn worker(name: &str) -> WorkerName {
        WorkerName::new(name).unwrap()
    }

    fn callback() -> CallbackName {
        CallbackName::new("reencrypt").unwrap()
    }

    fn report() -> RotationReport {
        let mut done = Step::new(0, worker("anna"), callback());
        done.status = CallbackStatus::Succeeded;
        done.attempt = 1;
        let mut failed = Step::new(1, worker("ben"), callback());
        failed.status = CallbackStatus::Failed;
        failed.attempt = 2;
        failed.error = Some("the disk is full".to_owned());
        RotationReport {
            id: "018f3a5e-1111-7222-8333-123456789abc".parse().unwrap(),
            key: key(),
            sequence: 7,
            state: RotationState::Stopped,
            strategy: Strategy::Halt,
            resumes: 0,
            accepted_ms: 1_000,
            ended_ms: Some(2_000),
            steps: vec![done, failed, Step::new(2, worker("cleo"), callback())],
            waits_for: Vec::new(),
            acts: vec![declared()],
            versions: None,
        }
    }

    fn declared() -> Act {
        let by = By::process(1000, 300).of_worker(Some(worker("anna")));
        let by = by.because("it is due").unwrap();
        by.did(Deed::Declared, None, 1_000)
    }

    fn status() -> Status {
        let behaviour = SecretKeyDefinition::new("documents", SecretKeyUseCase::RoundTrip, || "v")
            .stateless(false)
            .behaviour;
        Status {
            keys: vec![KeyStatus {
                name: key(),
                behaviour,
                facts: KeyFacts {
                    last_flow: Some(SecretKeyFlow::ForwardPath),
                    holds: true,
                    store_answers: StoreAnswers::Old,
                    ..KeyFacts::default()
                },
            }],
            workers: vec![WorkerStatus {
                worker: worker("anna"),
                alive: true,
                sharing: Sharing::Shared,
                callbacks: vec![
                    RosterCallback {
                        key: key(),
                        callback: callback(),
                        kind: CallbackOf::Data,
                        registered: true,
                    },
                    RosterCallback {
                        key: key(),
                        callback: CallbackName::new("reload").unwrap(),
                        kind: CallbackOf::Memory,
                        registered: false,
                    },
                ],
                instances: vec![
                    InstanceStatus {
                        instance: 7,
                        process: 4_711,
                        user: 1_001,
                        connected: true,
                        ready: true,
                        may_be_called_twice: false,
                        calls: 1,
                    },
                    InstanceStatus {
                        instance: 9,
                        process: 4_712,
                        user: 1_001,
                        connected: false,
                        ready: false,
                        may_be_called_twice: true,
                        calls: 0,
                    },
                ],
            }],
            rotations: vec![report()],
            unreadable_rotations: vec![UnreadableRotation::new(
                report().id,
                key(),
                true,
                "its header is cut short".to_owned(),
            )],
            unreadable_records: vec![UnreadableRecord {
                space: Space::States,
                place: "the state of key documents".to_owned(),
                why: "it does not open".to_owned(),
            }],
            paused: Some("the disk is full".to_owned()),
            lost: None,
            damaged_history: None,
            actors: vec![
                ActorStatus {
                    actor: ActorName::Coordinator,
                    state: ActorState::Running,
                    restarts: 0,
                    last_failure: None,
                },
                ActorStatus {
                    actor: ActorName::Key(key()),
                    state: ActorState::Failed,
                    restarts: 5,
                    last_failure: Some("it panicked".to_owned()),
                },
            ],
        }
    }

    const REPORT: &str = "\
rotation 018f3a5e-1111-7222-8333-123456789abc of key documents: stopped, 1 of 3 steps succeeded
  declared by user 1000, process 300, worker anna: it is due
  callback reencrypt of worker ben: Failed, attempt 2: the disk is full
  callback reencrypt of worker cleo: Pending
  resume it when the cause is mended, or abort it";

    #[test]
    fn a_report_says_in_a_few_lines_what_is_open_and_what_to_do() {
        assert_eq!(report().to_string(), REPORT);
    }

    #[test]
    fn an_obsolete_rotation_says_why_it_stays_and_what_to_do() {
        let mut obsolete = report();
        obsolete.state = RotationState::Obsolete;
        let said = obsolete.to_string();
        assert!(
            said.contains("abort it when nobody needs its old keys"),
            "{said}"
        );
        obsolete.state = RotationState::Completed;
        assert_eq!(obsolete.remedy(), None);
    }

    #[test]
    fn a_report_of_many_steps_stays_short() {
        let mut long = report();
        long.steps = (0..1_000)
            .map(|no| Step::new(no, worker("w"), callback()))
            .collect();
        long.waits_for = vec![WaitsFor::Definition];
        let said = long.to_string();
        assert_eq!(said.lines().count(), 15, "{said}");
        assert!(said.contains("and 990 more"), "{said}");
    }

    #[test]
    fn a_status_says_what_stands_still_and_leaves_out_what_is_well() {
        let wanted = format!(
            "1 key, 1 worker, 2 rotations not ended
rotations are paused: the disk is full
key documents: round-trip, stated, last flow ForwardPath, holds a pair; its store still answers the old keys of the last change
worker anna: alive, 1 of 2 callbacks registered in this life
  callback reload for key documents cannot be called: the next change of the key waits for it; remove it if its data is gone (remove_callback)
  instance 7 (process 4711, user 1001): connected, ready, 1 call not returned
  instance 9 (process 4712, user 1001): absent, not ready yet; only its connection names its process: after a restart of the keeper it may be called twice
{REPORT}
rotation 018f3a5e-1111-7222-8333-123456789abc of key documents: unreadable: its header is cut short
  dismiss it, so that its key goes on without it
unreadable record: the state of key documents: it does not open
actor key documents: failed, restarts: 5; it died last of: it panicked"
        );
        assert_eq!(status().to_string(), wanted);
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_status_is_serialized_whole_and_as_it_was() {
        let seen = serde_json::to_string_pretty(&status()).unwrap();
        assert_eq!(seen.trim(), include_str!("status.json").trim());
    }

    #[cfg(feature = "serde")]
    #[test]
    fn a_page_of_the_history_is_serialized_with_its_reports() {
        let about = About::Worker {
            worker: worker("dan"),
        };
        let removed = By::process(0, 12).did(Deed::Removed, Some(about), 3_000);
        let page = HistoryListing {
            rotations: vec![report()],
            unreadable: Vec::new(),
            acts: vec![removed.clone()],
            next: Some(7),
        };
        let seen: serde_json::Value = serde_json::to_value(&page).unwrap();
        let of_status: serde_json::Value = serde_json::to_value(status()).unwrap();
        assert_eq!(seen["rotations"], of_status["rotations"]);
        assert_eq!(seen["next"], 7);
        assert_eq!(seen["acts"][0]["about"]["worker"]["worker"], "dan");
        let shown = page.to_string();
        let told = format!("\n{removed}\n");
        assert_eq!(told, "\nworker dan removed by user 0, process 12\n");
        assert!(shown.contains(&told), "{shown}");
        assert!(
            shown.ends_with("the next page is history_before(7, limit)"),
            "{shown}"
        );
    }
}
