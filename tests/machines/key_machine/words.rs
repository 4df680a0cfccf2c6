//! The small words of a key: stable codes, what may be asked again, how things are spelled, and
//! which events come once only.

use keyward::key::declared::Declared;
use keyward::key::definition::OnKeyChangedCallbackErrorStrategy as Strategy;
use keyward::key::error::KeyError;
use keyward::key::event::{Admitted, Event, Request, Supersede};
use keyward::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use keyward::key::name::{InvalidName, WorkerName};
use keyward::key::state::{Effect, Loaded, RecordChange, StateRecord};
use keyward::key::time::Time;
use keyward::key::waiting::{For, Waiter, Waiting};
use keyward::secret::value::InvalidKey;

use crate::key_machine::script::{BACK, FORWARD, Key, LIMIT, both, change, name};

/// Every error with its code, and whether the same request may succeed later.
fn errors() -> [(KeyError, &'static str, bool); 19] {
    let key = name();
    let why = || "why".to_owned();
    let bound = 1;
    let use_case = SecretKeyUseCase::RoundTrip;
    let flow = SecretKeyFlow::Default;
    let worker = WorkerName::main();
    let k = || key.clone();
    [
        (KeyError::NotDefined { key: k() }, "key_not_defined", false),
        (
            InvalidName::Empty { of: "key" }.into(),
            "invalid_name",
            false,
        ),
        (
            KeyError::InvalidDefinition {
                key: k(),
                why: why(),
            },
            "invalid_definition",
            false,
        ),
        (
            KeyError::InvalidFlow {
                key: k(),
                flow,
                use_case,
            },
            "invalid_flow",
            false,
        ),
        (
            KeyError::InvalidKey {
                key: k(),
                why: InvalidKey::Empty,
            },
            "invalid_key",
            false,
        ),
        (
            KeyError::StoreFailed {
                key: k(),
                why: why(),
            },
            "store_failed",
            true,
        ),
        (
            KeyError::StateUnreadable {
                key: k(),
                why: why(),
            },
            "state_unreadable",
            false,
        ),
        (KeyError::StatelessKey { key: k() }, "stateless_key", false),
        (
            KeyError::TimedOut {
                key: k(),
                limit: LIMIT,
            },
            "timed_out",
            true,
        ),
        (KeyError::Busy { key: k(), bound }, "busy", true),
        (KeyError::WorkerBusy { worker, bound }, "busy", true),
        (
            KeyError::RepoUnavailable {
                key: k(),
                why: why(),
            },
            "repo_unavailable",
            true,
        ),
        (
            KeyError::JournalLost {
                key: k(),
                code: "fenced",
                why: why(),
            },
            "fenced",
            false,
        ),
        (
            KeyError::Unwritten {
                key: k(),
                why: why(),
            },
            "write_unknown",
            true,
        ),
        (
            KeyError::Failed {
                key: k(),
                why: why(),
            },
            "key_failed",
            false,
        ),
        (KeyError::Unavailable { key: k() }, "unavailable", true),
        (KeyError::ShutDown { key: k() }, "shut_down", true),
        (
            KeyError::HandleExpired { key: k() },
            "handle_expired",
            false,
        ),
        (KeyError::MustNotBlock, "must_not_block", false),
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
fn a_flow_that_does_not_fit_is_named_with_the_use_case() {
    let key = name();
    let message = |flow, use_case| {
        let key = key.clone();
        KeyError::InvalidFlow {
            key,
            flow,
            use_case,
        }
        .to_string()
    };
    let one_way = SecretKeyUseCase::OneWayTrip;
    let expected = "key data: flow ForwardPath does not fit a one-way key";
    assert_eq!(message(FORWARD, one_way), expected);
    let expected = "key data: flow BackPath does not fit a one-way key";
    assert_eq!(message(BACK, one_way), expected);
    let round_trip = SecretKeyUseCase::RoundTrip;
    let expected = "key data: flow Default does not fit a round-trip key";
    assert_eq!(message(SecretKeyFlow::Default, round_trip), expected);
}

#[test]
fn a_strategy_says_whether_it_stops_and_whether_it_raises() {
    let table = [
        ("RaiseImmediately", true, true),
        ("SkipAndRaise", false, true),
        ("Skip", false, false),
        ("Halt", true, false),
    ];
    for (strategy, (name, stops, raises)) in Strategy::ALL.into_iter().zip(table) {
        assert_eq!(strategy.to_string(), name);
        assert_eq!((strategy.stops(), strategy.raises()), (stops, raises));
    }
}

#[test]
fn names_are_spelled_as_they_were_given() {
    assert_eq!(name().to_string(), "data");
    assert_eq!(format!("{:?}", name()), "\"data\"");
    assert_eq!(WorkerName::main().as_str(), "main");
}

#[test]
fn what_is_held_is_told_for_a_change_that_is_declared_without_its_old_keys() {
    let mut key = Key::stateless();
    assert_eq!(key.machine.held(), None);
    key = key.forwarded("e1", "d1");
    let pair = key.machine.held().map(|held| held.pair.clone());
    assert_eq!(pair, Some(both("e1", "d1")));
}

#[test]
fn a_limit_beyond_the_end_of_time_is_its_end_and_nothing_is_left_of_what_is_past() {
    let (early, late) = (Time::at(LIMIT), Time::default().after(2 * LIMIT));
    assert_eq!(early.after(LIMIT), late);
    assert_eq!(early.until(late), LIMIT);
    assert_eq!(late.until(early), std::time::Duration::ZERO);
    let end = Time::at(std::time::Duration::MAX);
    assert_eq!(late.after(std::time::Duration::MAX), end);
}

#[test]
fn what_a_rotation_tells_comes_once_and_everything_else_can_be_asked_again() {
    let (ticket, rotation) = (1, 7);
    let found = || Loaded::Absent;
    let change = change(vec![], Effect::Nothing, None);
    let once = [
        Event::Declared(Declared::default()),
        Event::Snapshot { ticket },
        Event::Propose { ticket, change },
        Event::Looked {
            ticket,
            found: found(),
        },
        Event::Adopt { ticket },
        Event::Withdraw { ticket },
        Event::InDoubt {
            ticket,
            why: String::new(),
        },
        Event::Supersede(Supersede::Any),
        Event::Stopped { rotation },
        Event::Ended { rotation },
    ];
    let again = [
        Event::Gone { ticket },
        Event::Returned,
        Event::Loaded {
            ticket,
            found: found(),
        },
        Event::WriteAgain,
        Event::Tick,
    ];
    assert!(once.iter().all(Event::is_of_rotation));
    assert!(!again.iter().any(Event::is_of_rotation));
}

#[test]
fn a_change_of_the_record_says_what_is_there_after_it() {
    let record = StateRecord {
        flow: BACK,
        key: None,
    };
    assert_eq!(RecordChange::Put(record.clone()).record(), Some(&record));
    assert_eq!(RecordChange::Delete.record(), None);
}

#[test]
fn askers_wait_in_the_order_of_their_arrival_whenever_they_begin_to() {
    let waiter = |ticket| Waiter {
        ask: Admitted {
            ticket,
            request: Request::Save,
            deadline: Time::at(LIMIT),
        },
        loaded: None,
        fetched: None,
        waits: For::Write,
    };
    let mut waiting = Waiting::default();
    assert!(waiting.is_empty());
    for ticket in [2, 3, 1] {
        waiting.add(waiter(ticket));
        assert!(!waiting.is_empty());
    }
    let taken = waiting.take_all(For::Write);
    let tickets: Vec<_> = taken.iter().map(|waiter| waiter.ask.ticket).collect();
    assert_eq!(tickets, [1, 2, 3]);
    assert!(waiting.is_empty());
}
