//! After a crash, at a shutdown, and while nothing can be written.

use keyward::key::event::WriteFailure;
use keyward::key::state::Effect;
use keyward::rotation::effect::RotationEffect;
use keyward::rotation::engine::{Action, RotationEngine};
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Declaration, Event, StepOutcome};
use keyward::rotation::plan::Declared;

use crate::rotation_machine::script::{
    Coordinator, Strategy, at, behaviour, declaration, done, failed, key,
};

const ONE: &[(&str, &[&str])] = &[("w0", &["a"])];
const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];

/// What is done apart from what is said of keys and workers that come back.
fn without_arrivals(mut effects: Vec<String>) -> Vec<String> {
    let arrivals = ["defined", "joined", "registered", "reply"];
    effects.retain(|line| !arrivals.iter().any(|word| line.starts_with(word)));
    effects
}

/// The next life, with key and workers back as they were.
fn live_again(c: Coordinator, workers: &[(&str, &[&str])]) -> (Coordinator, Vec<String>) {
    let mut c = c.crash();
    let mut effects = c.define("data", behaviour(Strategy::Halt));
    for (life, (name, callbacks)) in (1..).zip(workers) {
        effects.extend(c.join(name));
        for callback in *callbacks {
            effects.extend(c.register(name, life, "data", callback));
        }
    }
    (c, without_arrivals(effects))
}

#[test]
fn what_was_in_progress_is_called_again_and_what_succeeded_is_not() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.succeed(1, 0);
    c.prepared(1, 1);
    let (mut c, effects) = live_again(c, TWO);
    assert_eq!(effects, ["prepare r1/1 w1#2.b"]);
    let expected = [
        "write r1/1 w1.b InProgress attempt 2 crashes 1",
        "call r1/1 attempt 2, when written",
    ];
    assert_eq!(c.prepared(1, 1), expected);
    c.ended(1, 1, done(Effect::Nothing));
    let steps = "[0 w0.a Succeeded attempt 1, 1 w1.b Succeeded attempt 2]";
    assert_eq!(c.history(1), format!("r1 completed #5 begun {steps}"));
}

#[test]
fn what_waited_begins_and_what_stopped_waits_for_the_operator() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.fail(1, 0);
    let (c, effects) = live_again(c, ONE);
    assert_eq!(effects, [""; 0]);
    assert_eq!(c.report(1), "r1 stopped [0 w0.a Failed attempt 1 (no)]");

    let mut c = Coordinator::with(Strategy::Halt, ONE);
    c.declare(1);
    let (mut c, effects) = live_again(c, ONE);
    assert_eq!(effects, ["snapshot r1 data", "prepare r1/0 w0#1.a ahead"]);
    let expected = [
        "write snapshot r1 | r1 running #3 begun",
        "prepare r1/0 w0#1.a",
    ];
    assert_eq!(c.snapped(1), expected);
}

#[test]
fn the_strategy_is_the_one_of_the_acceptance() {
    let mut c = Coordinator::begun(Strategy::Skip, TWO);
    c.prepared(1, 0);
    let (mut c, _) = live_again(c, TWO);
    c.fail(1, 0);
    let steps = "[0 w0.a Failed attempt 2 crashes 1 (no), 1 w1.b Pending]";
    assert_eq!(c.report(1), format!("r1 running {steps}"));
}

#[test]
fn after_five_crashes_a_step_has_failed_without_being_called() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    for _ in 0..5 {
        c.prepared(1, 0);
        c = live_again(c, ONE).0;
    }
    let step = "0 w0.a Failed attempt 5 crashes 5 (too many attempts)";
    assert_eq!(c.report(1), format!("r1 stopped [{step}]"));
    assert_eq!(c.resume(1).last().expect("effects"), "prepare r1/0 w0#1.a");
    let expected = [
        "write r1/0 w0.a InProgress attempt 6",
        "call r1/0 attempt 6, when written",
    ];
    assert_eq!(c.prepared(1, 0), expected);
}

#[test]
fn a_life_in_which_a_step_was_not_called_counts_no_crash() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    for _ in 0..10 {
        c = c.crash();
    }
    let (mut c, _) = live_again(c, ONE);
    let expected = "write r1/0 w0.a InProgress attempt 2 crashes 1";
    assert_eq!(c.prepared(1, 0)[0], expected);
}

#[test]
fn a_success_after_crashes_counts_from_zero() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    let (mut c, _) = live_again(c, TWO);
    c.prepared(1, 0);
    let effects = c.ended(1, 0, done(Effect::Nothing));
    assert_eq!(effects[0], "write r1/0 w0.a Succeeded attempt 2");
}

/// Two keys with a worker and a rotation each, whose only steps were found InProgress after so
/// many crashes; and what is done about them in the last life.
fn two_keys(crashes: usize) -> (Coordinator, Vec<String>) {
    let keys = [("k1", 1), ("k2", 2)];
    let mut c = Coordinator::new();
    for (life, (name, rotation)) in (1..).zip(keys) {
        c.define(name, behaviour(Strategy::Halt));
        c.join(name);
        c.register(name, life, name, "a");
        let declaration = declaration(rotation, name);
        let ticket = 5;
        c.step(Event::Declare {
            ticket,
            declaration,
        });
        c.snapped(rotation);
    }
    let mut effects = Vec::new();
    for _ in 0..crashes {
        c.prepared(1, 0);
        c.prepared(2, 0);
        c = c.crash();
        effects.clear();
        for (life, (name, _)) in (1..).zip(keys) {
            effects.extend(c.define(name, behaviour(Strategy::Halt)));
            effects.extend(c.join(name));
            effects.extend(c.register(name, life, name, "a"));
        }
    }
    (c, without_arrivals(effects))
}

#[test]
fn after_one_crash_steps_still_run_side_by_side() {
    let (_, effects) = two_keys(1);
    assert_eq!(effects, ["prepare r1/0 k1#1.a", "prepare r2/0 k2#2.a"]);
}

#[test]
fn after_two_crashes_the_steps_under_suspicion_are_called_one_after_another() {
    let (mut c, effects) = two_keys(2);
    assert_eq!(effects, ["prepare r1/0 k1#1.a"]);
    c.prepared(1, 0);
    let effects = c.ended(1, 0, done(Effect::Nothing));
    let prepared = effects.iter().filter(|line| line.starts_with("prepare"));
    assert_eq!(prepared.collect::<Vec<_>>(), ["prepare r2/0 k2#2.a"]);
}

#[test]
fn a_suspect_whose_worker_dies_lets_the_next_one_run() {
    let (mut c, _) = two_keys(2);
    assert_eq!(c.died("k1", 1), ["release r1/0", "prepare r2/0 k2#2.a"]);
    c.join("k1");
    let expected = ["registered 3 k1 k1.a", "reply 3 done"];
    assert_eq!(c.register("k1", 3, "k1", "a"), expected);
    c.prepared(2, 0);
    let effects = c.ended(2, 0, failed());
    assert!(effects.contains(&"prepare r1/0 k1#3.a".to_owned()));
}

#[test]
fn at_the_end_nothing_is_admitted_and_what_runs_may_end() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    assert_eq!(c.step(Event::Close), [""; 0]);
    assert_eq!(c.declare(2), ["reply 5 error shut_down"]);
    assert_eq!(c.join("w2"), ["reply 2 error shut_down"]);
    assert_eq!(
        c.register("w0", 1, "data", "x"),
        ["reply 3 error shut_down"]
    );
    assert_eq!(c.resume(1), ["reply 7 error shut_down"]);
    assert_eq!(c.abort(1, &[]), ["reply 8 error shut_down"]);
    let refused = ["reply 1 error shut_down, when all is written"];
    assert_eq!(c.define("new", behaviour(Strategy::Halt)), refused);
    assert_eq!(c.wait(1), ["reply 6 error shut_down, when all is written"]);
    let success = ["write r1/0 w0.a Succeeded attempt 1"];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), success);
    assert!(!c.machine.has_running());
    let (_, effects) = live_again(c, TWO);
    assert_eq!(effects, ["prepare r1/1 w1#2.b"]);
}

#[test]
fn a_step_left_running_goes_back_to_pending_which_is_no_crash() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.wait(1);
    c.prepared(1, 0);
    c.step(Event::Close);
    let expected = [
        "write r1/0 w0.a Pending attempt 1",
        "reply 6 error shut_down, when written",
    ];
    assert_eq!(c.step(Event::Interrupt), expected);
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), [""; 0]);
    let (mut c, _) = live_again(c, ONE);
    let again = "write r1/0 w0.a InProgress attempt 2";
    assert_eq!(c.prepared(1, 0)[0], again);
}

#[test]
fn a_change_that_was_being_settled_at_the_end_is_done_again() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    c.ended(1, 0, done(Effect::Decrypted));
    c.step(Event::Close);
    let expected = ["write r1/0 w0.a Pending attempt 1"];
    assert_eq!(c.step(Event::Interrupt), expected);
    assert_eq!(c.proposed(1, 0, true), [""; 0]);
}

fn paused() -> Coordinator {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.declare(2);
    let why = "disk full".to_owned().into();
    assert_eq!(c.step(Event::Paused { why }), ["release r1/0"]);
    c
}

#[test]
fn after_a_failed_write_rotations_pause_and_what_needs_the_journal_is_refused() {
    let mut c = paused();
    let refused = |ticket: u64| [format!("reply {ticket} error repo_unavailable")];
    assert_eq!(c.declare(3), refused(5));
    assert_eq!(c.join("w2"), refused(2));
    assert_eq!(c.register("w0", 1, "data", "x"), refused(3));
    assert_eq!(c.leave("w0", 1), refused(4));
    assert_eq!(c.resume(1), refused(7));
    assert_eq!(c.abort(1, &["w0", "w1"]), refused(8));
    assert_eq!(c.prepared(1, 0), ["release r1/0"]);
    assert_eq!(c.machine.paused(), Some("disk full"));
}

#[test]
fn while_paused_nobody_waits_for_a_write_and_nothing_is_written() {
    let mut c = paused();
    let defined = ["defined 1 new", "reply 1 done"];
    assert_eq!(c.define("new", behaviour(Strategy::Halt)), defined);
    assert_eq!(c.wait(1), [""; 0]);
    // It may have ended by a write that was not made.
    assert_eq!(c.wait(9), ["reply 6 error repo_unavailable"]);
    assert_eq!(c.tick(1_000), [""; 0]);
    assert_eq!(c.machine.next_deadline(), None);
    c.step(Event::Close);
    assert_eq!(c.step(Event::Interrupt), ["reply 6 error shut_down"]);
}

#[test]
fn a_result_that_cannot_be_written_is_not_lost_as_another_one() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    let why = "disk full".to_owned().into();
    c.step(Event::Paused { why });
    let step = at(1, 0);
    let attempt = 1;
    let outcome: StepOutcome = done(Effect::Nothing);
    let ended = Event::Ended {
        step,
        attempt,
        outcome,
    };
    assert_eq!(c.step(ended), [""; 0]);
    let (c, effects) = live_again(c, ONE);
    assert_eq!(effects, ["prepare r1/0 w0#1.a"]);
    let again = "r1 running [0 w0.a Pending attempt 1 crashes 1]";
    assert_eq!(c.report(1), again);
}

#[test]
fn a_refusal_that_rests_on_a_write_that_failed_is_not_told() {
    let c = Coordinator::with(Strategy::Halt, &[]);
    let now = c.now();
    let mut engine = RotationEngine::new(c.machine.clone());
    let other = Declaration {
        key: key("data"),
        declared: Declared::default(),
        ..declaration(1, "data")
    };
    let declare = |ticket, declaration| Event::Declare {
        ticket,
        declaration,
    };
    engine.step(declare(5, declaration(1, "data")), now);
    assert_eq!(engine.step(declare(6, other), now), []);
    let failure = WriteFailure {
        why: "disk full".to_owned().into(),
        unknown: false,
    };
    let told = engine.written(Err(failure), now);
    let unavailable = |asked: u64| {
        told.iter().any(|action| {
            matches!(
                action,
                Action::Perform(RotationEffect::Reply {
                    ticket,
                    reply: Err(RotationError::RepoUnavailable { .. }),
                    ..
                }) if *ticket == asked
            )
        })
    };
    assert!(unavailable(5) && unavailable(6), "{told:?}");
}
