//! Steps whose worker, callback or thread is not there: how long they wait, and what then.

use std::time::Duration;

use keyward::key::state::Effect;
use keyward::key::time::Time;
use keyward::rotation::durable::DurableFacts;
use keyward::rotation::effect::RotationEffect;
use keyward::rotation::event::{Event, Lacks, Moment};
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::machine::{RotationConfig, RotationMachine};
use keyward::rotation::report::WaitsFor;

use crate::rotation_machine::script::{
    Coordinator, Strategy, WAIT, at, behaviour, callback, config, declaration, done, key, rid,
    worker,
};

const ONE: &[(&str, &[&str])] = &[("w0", &["a"])];

fn gone(rotation: u128, seq: u64) -> [String; 3] {
    [
        format!("write r{rotation}/0 w0.a Failed (worker gone) | r{rotation} stopped #{seq} begun"),
        format!("stopped r{rotation}, when written"),
        format!("settled r{rotation} stopped, when written"),
    ]
}

/// The next life of a rotation that has begun, with its key defined after ten seconds.
fn next_life() -> Coordinator {
    let mut c = Coordinator::begun(Strategy::Halt, ONE).crash();
    c.seconds = 10;
    assert_eq!(
        c.define("data", behaviour(Strategy::Halt)),
        ["defined 1 data", "reply 1 done"]
    );
    c
}

#[test]
fn after_a_restart_a_due_step_waits_from_the_definition_of_the_key() {
    let mut c = next_life();
    assert_eq!(c.tick(9 + WAIT), [""; 0]);
    assert_eq!(c.tick(10 + WAIT), gone(1, 3));
}

#[test]
fn a_worker_that_is_back_in_time_is_called() {
    let mut c = next_life();
    assert_eq!(c.join("w0"), ["joined w0#1", "reply 2 joined 1"]);
    let expected = [
        "registered 3 data w0.a",
        "reply 3 done",
        "prepare r1/0 w0#1.a",
    ];
    assert_eq!(c.register("w0", 1, "data", "a"), expected);
}

#[test]
fn a_worker_that_is_back_without_the_callback_is_not_back() {
    let mut c = next_life();
    c.join("w0");
    assert_eq!(c.tick(10 + WAIT), gone(1, 3));
}

#[test]
fn a_due_step_waits_from_the_death_of_its_worker() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.seconds = 100;
    assert_eq!(c.died("w0", 1), ["release r1/0"]);
    assert_eq!(c.tick(99 + WAIT), [""; 0]);
    assert_eq!(c.tick(100 + WAIT), gone(1, 3));
}

#[test]
fn a_step_of_a_worker_that_is_long_dead_fails_as_soon_as_it_is_due() {
    let mut c = Coordinator::with(Strategy::Halt, ONE);
    c.died("w0", 1);
    c.seconds = 1000;
    c.declare(1);
    let [write, stopped, settled] = gone(1, 3);
    let write = write.replace("write ", "write snapshot r1 | r1 running #3 begun | ");
    assert_eq!(c.snapped(1), [write, stopped, settled]);
}

#[test]
fn a_step_can_wait_for_ever() {
    let journal = Coordinator::begun(Strategy::Halt, ONE).journal;
    let forever = RotationConfig {
        worker_wait: None,
        ..config()
    };
    let facts: DurableFacts = journal.facts();
    let machine = RotationMachine::replay(forever, facts);
    let mut c = Coordinator {
        machine,
        journal,
        seconds: 0,
        jumped_ms: 0,
    };
    c.define("data", behaviour(Strategy::Halt));
    assert_eq!(c.machine.next_deadline(), None);
    assert_eq!(c.tick(1_000_000), [""; 0]);
    c.join("w0");
    let expected = [
        "registered 3 data w0.a",
        "reply 3 done",
        "prepare r1/0 w0#1.a",
    ];
    assert_eq!(c.register("w0", 1, "data", "a"), expected);
}

#[test]
fn a_worker_that_dies_while_its_step_is_prepared_is_called_when_it_is_back() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    assert_eq!(c.died("w0", 1), ["release r1/0"]);
    assert_eq!(c.prepared(1, 0), ["release r1/0"]);
    c.join("w0");
    let expected = [
        "registered 3 data w0.a",
        "reply 3 done, when all is written",
        "prepare r1/0 w0#2.a",
    ];
    assert_eq!(c.register("w0", 2, "data", "a"), expected);
}

#[test]
fn a_callback_under_way_runs_to_its_end_though_its_worker_died() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    assert_eq!(c.died("w0", 1), [""; 0]);
    c.tick(10 * WAIT);
    c.ended(1, 0, done(Effect::Nothing));
    let completed = "r1 completed #3 begun [0 w0.a Succeeded attempt 1]";
    assert_eq!(c.history(1), completed);
}

#[test]
fn the_death_of_an_earlier_life_is_nobodys() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.died("w0", 1);
    c.join("w0");
    c.register("w0", 2, "data", "a");
    assert_eq!(c.died("w0", 1), [""; 0]);
}

#[test]
fn a_step_that_cannot_be_prepared_has_failed_after_the_same_time() {
    let mut c = Coordinator::begun(Strategy::Skip, &[("w0", &["a"]), ("w1", &["b"])]);
    assert_eq!(c.tick(WAIT - 1), [""; 0]);
    let expected = [
        "write r1/0 w0.a Failed (still running)",
        "release r1/0",
        "prepare r1/1 w1#2.b",
    ];
    assert_eq!(c.tick(WAIT), expected);
    assert_eq!(c.prepared(1, 0), ["release r1/0"]);
}

#[test]
fn what_a_due_step_lacks_is_listed_and_in_its_error() {
    for (lacks, said) in [
        (Lacks::Thread, "no thread was free"),
        (Lacks::Turn, "has not returned"),
    ] {
        let mut c = Coordinator::begun(Strategy::Halt, ONE);
        let step = at(1, 0);
        assert_eq!(c.step(Event::Lacks { step, lacks }), [""; 0]);
        let (worker, callback) = (worker("w0"), callback("a"));
        let expected = match lacks {
            Lacks::Thread => WaitsFor::Thread { worker, callback },
            Lacks::Turn => WaitsFor::EarlierCall { worker, callback },
        };
        let report = c.machine.report(rid(1)).expect("it lives");
        assert_eq!(report.waits_for, [expected]);
        c.tick(WAIT);
        let report = c.machine.report(rid(1)).expect("it is stopped");
        let error = report.steps[0].error.as_deref().expect("it has Failed");
        for word in ["still running", "w0", "callback a", said, "resume"] {
            assert!(error.contains(word), "{error}");
        }
        // What is told too late changes nothing.
        c.step(Event::Lacks { step, lacks });
        let report = c.machine.report(rid(1)).expect("it is stopped");
        assert!(report.waits_for.is_empty());
    }
}

#[test]
fn a_missing_worker_keeps_a_later_one_waiting_unless_workers_run_at_once() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w0", &["a"]), ("w1", &["b"])]);
    c.died("w0", 1);
    c.declare(1);
    assert_eq!(c.snapped(1), ["write snapshot r1 | r1 running #5 begun"]);

    let mut at_once = behaviour(Strategy::Halt);
    at_once.workers_at_once = 2;
    let mut c = Coordinator::with_key(at_once, &[("w0", &["a"]), ("w1", &["b"])]);
    c.died("w0", 1);
    c.declare(1);
    let expected = [
        "write snapshot r1 | r1 running #5 begun",
        "prepare r1/1 w1#2.b",
    ];
    assert_eq!(c.snapped(1), expected);
}

#[test]
fn a_step_that_is_called_or_given_up_leaves_no_deadline_behind() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    assert!(c.machine.next_deadline().is_some());
    c.prepared(1, 0);
    assert_eq!(c.machine.next_deadline(), None);
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    let prepared = c.machine.next_deadline();
    c.seconds = 1;
    c.died("w0", 1);
    c.seconds = 2;
    c.join("w0");
    c.register("w0", 2, "data", "a");
    assert!(prepared < c.machine.next_deadline(), "one deadline a step");
}

/// A coordinator that warns after five seconds, with a worker that died when its step was due.
fn warns(worker_wait: Option<Duration>) -> RotationMachine {
    let config = RotationConfig {
        worker_wait,
        warn_after: Some(Duration::from_secs(5)),
        ..config()
    };
    let mut machine = RotationMachine::replay(config, DurableFacts::default());
    let mut tell = |event| machine.step(event, moment(0));
    let define = |ticket, key| Event::Define {
        ticket,
        keys: vec![(key, behaviour(Strategy::Halt))],
    };
    tell(define(1, key("data")));
    tell(Event::Join {
        ticket: 2,
        worker: worker("w0"),
        sharing: Sharing::Sole,
        process: None,
    });
    tell(Event::Register {
        ticket: 3,
        worker: worker("w0"),
        incarnation: 1,
        key: key("data"),
        callback: callback("a"),
        of: CallbackOf::Data,
    });
    tell(Event::Died {
        worker: worker("w0"),
        incarnation: 1,
    });
    tell(Event::Declare {
        ticket: 4,
        declaration: declaration(1, "data"),
    });
    tell(Event::Snapped { rotation: rid(1) });
    machine
}

fn moment(seconds: u64) -> Moment {
    Moment {
        time: Time::at(Duration::from_secs(seconds)),
        wall_ms: 0,
    }
}

/// What is told of long waits at this second.
fn long_waits(machine: &mut RotationMachine, seconds: u64) -> Vec<WaitsFor> {
    let effects = machine.step(Event::Tick, moment(seconds));
    let told = effects.into_iter().filter_map(|effect| match effect {
        RotationEffect::Waits { waits_for, .. } => Some(waits_for),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_step_that_has_waited_five_seconds_is_told_once_with_worker_and_callback() {
    for wait in [Some(Duration::from_secs(WAIT)), None] {
        let mut machine = warns(wait);
        assert_eq!(machine.next_deadline(), Some(moment(5).time));
        assert_eq!(long_waits(&mut machine, 4), []);
        let gone = WaitsFor::Worker {
            worker: worker("w0"),
            callback: callback("a"),
        };
        assert_eq!(long_waits(&mut machine, 5), [gone]);
        assert_eq!(long_waits(&mut machine, 20), []);
        let end = wait.map(|wait| moment(0).time.after(wait));
        assert_eq!(machine.next_deadline(), end);
    }
}

#[test]
fn a_step_whose_worker_is_back_within_five_seconds_is_not_told_of() {
    let mut machine = warns(None);
    let mut tell = |event| machine.step(event, moment(3));
    tell(Event::Join {
        ticket: 5,
        worker: worker("w0"),
        sharing: Sharing::Sole,
        process: None,
    });
    tell(Event::Register {
        ticket: 6,
        worker: worker("w0"),
        incarnation: 2,
        key: key("data"),
        callback: callback("a"),
        of: CallbackOf::Data,
    });
    tell(Event::Prepared { step: at(1, 0) });
    assert_eq!(machine.next_deadline(), None);
    assert_eq!(long_waits(&mut machine, 60), []);
}

#[test]
fn a_step_that_waited_in_vain_says_for_whom_and_what_to_do() {
    let mut c = next_life();
    c.tick(10 + WAIT);
    let report = c.machine.report(rid(1)).expect("it is stopped");
    let error = report.steps[0].error.clone().unwrap_or_default();
    for part in [
        "worker gone",
        "worker w0",
        "callback a",
        "bring it back",
        "remove it",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
