//! The small words of rotations: stable codes, what may be asked again, and how things are spelled.

use keyward::key::name::InvalidName;
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Event, Lacks, Recovery};
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::report::RotationReport;
use keyward::rotation::state::RotationState;
use keyward::rotation::status::CallbackStatus;
use keyward::secret::value::InvalidKey;
use uuid::Uuid;

use crate::durable::Journal;
use crate::rotation_machine::script::{
    Coordinator, Strategy, at, behaviour, callback, declaration, failed, key, rid, worker,
};

const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];

fn stopped() -> Box<RotationReport> {
    let mut c = Coordinator::begun(Strategy::Skip, TWO);
    c.fail(1, 0);
    c.fail(1, 1);
    Box::new(c.machine.report(rid(1)).expect("it lives"))
}

#[test]
fn only_steps_that_have_failed_and_are_in_the_plan_count_as_failed() {
    let mut c = Coordinator::begun(
        Strategy::Skip,
        &[("w0", &["a"]), ("w1", &["b"]), ("w2", &["c"])],
    );
    c.succeed(1, 0);
    c.fail(1, 1);
    let report = c.machine.report(rid(1)).expect("it lives");
    let failed: Vec<u32> = report.failed().map(|step| step.no).collect();
    assert_eq!(failed, [1]);
}

/// Every error with its code, and whether the same call may succeed later.
fn errors() -> Vec<(RotationError, &'static str, bool)> {
    let (id, bound) = (rid(1), 1);
    let (k, w, c) = (|| key("data"), || worker("w0"), || callback("a"));
    let why = || "why".to_owned();
    let state = RotationState::Running;
    let which = "old";
    let what = why();
    let actor = why();
    let report = stopped();
    let workers = vec![w()];
    vec![
        (
            RotationError::KeyNotDefined { key: k() },
            "key_not_defined",
            false,
        ),
        (
            InvalidName::Empty { of: "key" }.into(),
            "invalid_name",
            false,
        ),
        (
            RotationError::InvalidDefinition {
                key: k(),
                why: why(),
            },
            "invalid_definition",
            false,
        ),
        (
            RotationError::InvalidKey {
                key: k(),
                which,
                why: InvalidKey::Empty,
            },
            "invalid_key",
            false,
        ),
        (RotationError::SameKeys { key: k() }, "same_keys", false),
        (
            RotationError::OtherDeclaration { id },
            "other_declaration",
            false,
        ),
        (
            RotationError::TooManyWaiting { key: k(), bound },
            "busy",
            true,
        ),
        (RotationError::Busy { bound }, "busy", true),
        (RotationError::Unknown { id }, "unknown_rotation", false),
        (
            RotationError::WrongState {
                id,
                state,
                why: "why",
            },
            "wrong_state",
            false,
        ),
        (
            RotationError::CallbackRuns {
                what,
                worker: w(),
                callback: c(),
            },
            "callback_runs",
            true,
        ),
        (
            RotationError::NotConfirmed { id, workers },
            "not_confirmed",
            false,
        ),
        (
            RotationError::Unreadable { id, why: why() },
            "rotation_unreadable",
            false,
        ),
        (
            RotationError::WorkerNameTaken { worker: w() },
            "worker_name_taken",
            false,
        ),
        (
            RotationError::SoleHere { worker: w() },
            "other_sharing",
            false,
        ),
        (
            RotationError::OtherSharing {
                worker: w(),
                sharing: Sharing::Shared,
            },
            "other_sharing",
            false,
        ),
        (
            RotationError::OtherKind {
                worker: w(),
                key: k(),
                callback: c(),
                of: CallbackOf::Memory,
            },
            "other_kind",
            false,
        ),
        (
            RotationError::UnknownInstance {
                worker: w(),
                number: 7,
            },
            "unknown_instance",
            false,
        ),
        (
            RotationError::OtherInstances {
                worker: w(),
                others: 2,
            },
            "other_instances",
            false,
        ),
        (
            RotationError::StillRuns {
                worker: w(),
                why: why(),
            },
            "callback_runs",
            true,
        ),
        (
            RotationError::UnknownWorker { worker: w() },
            "unknown_worker",
            false,
        ),
        (
            RotationError::UnknownCallback {
                worker: w(),
                key: k(),
                callback: c(),
            },
            "unknown_callback",
            false,
        ),
        (
            RotationError::CallbackTaken {
                worker: w(),
                key: k(),
                callback: c(),
            },
            "callback_taken",
            false,
        ),
        (
            RotationError::TooManyCallbacks { worker: w(), bound },
            "too_many_callbacks",
            false,
        ),
        (
            RotationError::RepoUnavailable { why: why() },
            "repo_unavailable",
            true,
        ),
        (
            RotationError::JournalLost {
                id: None,
                code: "folder_lost",
                why: why(),
            },
            "folder_lost",
            false,
        ),
        (
            RotationError::Unwritten {
                id: None,
                why: why(),
            },
            "write_unknown",
            true,
        ),
        (RotationError::Unavailable { id: None }, "unavailable", true),
        (
            RotationError::CoordinatorFailed { why: why() },
            "coordinator_failed",
            false,
        ),
        (
            RotationError::KeyFailed {
                key: k(),
                why: why(),
            },
            "key_failed",
            false,
        ),
        (
            RotationError::UnknownActor {
                actor: actor.clone(),
            },
            "unknown_actor",
            false,
        ),
        (RotationError::NotFailed { actor }, "not_failed", false),
        (RotationError::ShutDown { id: None }, "shut_down", true),
        (RotationError::Raised { report }, "callbacks_failed", false),
        (RotationError::InsideCallback, "inside_callback", false),
        (RotationError::MustNotBlock, "must_not_block", false),
        (RotationError::HandleExpired, "handle_expired", false),
    ]
}

#[test]
fn every_error_has_its_code_and_says_whether_to_ask_again() {
    for (error, code, retriable) in errors() {
        assert_eq!(error.code(), code);
        assert_eq!(error.is_retriable(), retriable, "{code}");
    }
}

#[test]
fn an_error_names_the_rotation_that_it_is_about() {
    let id = rid(1);
    let message = RotationError::ShutDown { id: Some(id) }.to_string();
    let said = "the manager is shut down; it goes on after the next start";
    assert_eq!(message, format!("rotation {id}: {said}"));
    assert_eq!(RotationError::ShutDown { id: None }.to_string(), said);
}

#[test]
fn an_error_names_the_workers_and_the_callbacks_that_it_is_about() {
    let (id, workers) = (rid(1), vec![worker("w0"), worker("w1")]);
    let message = RotationError::NotConfirmed { id, workers }.to_string();
    assert!(message.contains("under the old key: w0, w1;"), "{message}");
    let report = stopped();
    let message = RotationError::Raised { report }.to_string();
    let failures = "callback a of worker w0: no; callback b of worker w1: no";
    let expected = format!("rotation {id}: it is completed_with_failures: {failures}");
    assert_eq!(message, expected);
}

#[test]
fn states_and_statuses_are_spelled_as_in_the_listing() {
    let states = [
        (RotationState::Waiting, "waiting"),
        (RotationState::Running, "running"),
        (RotationState::Completed, "completed"),
        (
            RotationState::CompletedWithFailures,
            "completed_with_failures",
        ),
        (RotationState::Stopped, "stopped"),
        (RotationState::Aborted, "aborted"),
        (RotationState::Obsolete, "obsolete"),
    ];
    for (state, spelled) in states {
        assert_eq!(state.to_string(), spelled);
    }
    let statuses = [
        (CallbackStatus::Pending, "Pending"),
        (CallbackStatus::InProgress, "InProgress"),
        (CallbackStatus::Failed, "Failed"),
        (CallbackStatus::Succeeded, "Succeeded"),
    ];
    for (status, spelled) in statuses {
        assert_eq!(status.to_string(), spelled);
    }
}

#[test]
fn an_id_is_spelled_and_read_as_the_uuid_that_it_is() {
    let uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    let id = RotationId::from(uuid);
    let text = "01234567-89ab-cdef-0123-456789abcdef";
    assert_eq!(id.to_string(), text);
    assert_eq!(format!("{id:?}"), text);
    assert_eq!(text.parse(), Ok(id));
    assert_eq!((Uuid::from(id), id.as_uuid()), (uuid, uuid));
}

/// The requests, each with a number of its own from 11 on.
fn asked() -> Vec<Event> {
    let (id, incarnation) = (rid(1), 1);
    let (k, w, c) = (|| key("data"), || worker("w0"), || callback("a"));
    let found = Ok(None);
    vec![
        Event::Define {
            ticket: 11,
            keys: vec![(k(), behaviour(Strategy::Halt))],
        },
        Event::Join {
            ticket: 12,
            worker: w(),
            sharing: Sharing::Sole,
            process: None,
        },
        Event::Leave {
            ticket: 13,
            worker: w(),
            incarnation: None,
            by: Default::default(),
        },
        Event::RemoveCallback {
            ticket: 14,
            worker: w(),
            key: k(),
            callback: c(),
            by: Default::default(),
        },
        Event::Register {
            ticket: 15,
            worker: w(),
            incarnation,
            key: k(),
            callback: c(),
            of: CallbackOf::Data,
        },
        Event::Declare {
            ticket: 16,
            declaration: declaration(1, "data"),
        },
        Event::Searched {
            ticket: 17,
            declaration: declaration(1, "data"),
            found,
        },
        Event::Wait { ticket: 18, id },
        Event::Resume {
            ticket: 19,
            id,
            by: Default::default(),
        },
        Event::Abort {
            ticket: 20,
            id,
            confirmed: [w()].into(),
            by: Default::default(),
        },
        Event::Dismiss {
            ticket: 21,
            id,
            by: Default::default(),
        },
    ]
}

#[test]
fn an_event_names_whom_to_answer_if_somebody_asked() {
    let asks: Vec<_> = asked().iter().map(Event::ticket).collect();
    let expected: Vec<_> = (11..=21).map(Some).collect();
    assert_eq!(asks, expected);
    let (step, attempt, incarnation) = (at(1, 0), 1, 1);
    let recovery = Recovery {
        facts: Journal::default().facts(),
        running: [].into(),
        results: [].into(),
    };
    let told = [
        Event::Gone { ticket: 1 },
        Event::Died {
            worker: worker("w0"),
            incarnation,
        },
        Event::Snapped { rotation: rid(1) },
        Event::Prepared { step },
        Event::Lacks {
            step,
            lacks: Lacks::Thread,
        },
        Event::Ended {
            step,
            attempt,
            outcome: failed(),
        },
        Event::Uncalled { step, attempt },
        Event::Proposed {
            step,
            applies: true,
        },
        Event::Paused {
            why: String::new().into(),
        },
        Event::Recovered(Box::new(recovery)),
        Event::Close,
        Event::Interrupt,
        Event::Tick,
    ];
    assert!(told.iter().all(|event| event.ticket().is_none()));
}
