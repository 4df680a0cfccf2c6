//! Steps that get ready before they are due: then one's end and the next one's beginning are one
//! write.

use keyward::key::definition::KeyBehaviour;
use keyward::key::state::Effect;
use keyward::rotation::event::Event;

use crate::rotation_machine::script::{Coordinator, Strategy, WAIT, at, behaviour, done};

const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];
const THREE: &[(&str, &[&str])] = &[("w0", &["a", "b"]), ("w1", &["c"])];

#[test]
fn a_steps_end_and_the_beginning_of_the_next_are_one_write() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    assert_eq!(c.prepared(1, 1), [""; 0]);
    let expected = [
        "write r1/0 w0.a Succeeded attempt 1 | r1/1 w1.b InProgress attempt 1",
        "call r1/1 attempt 1, when written",
    ];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), expected);
}

#[test]
fn an_effect_is_adopted_before_the_next_callback_of_the_same_write_is_called() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    c.prepared(1, 1);
    c.ended(1, 0, done(Effect::Decrypted));
    let expected = [
        "write record r1/0 | r1/0 w0.a Succeeded attempt 1 decrypted \
         | r1/1 w1.b InProgress attempt 1",
        "adopt r1/0, when written",
        "call r1/1 attempt 1, when written",
    ];
    assert_eq!(c.proposed(1, 0, true), expected);
}

#[test]
fn the_first_step_gets_ready_while_the_key_is_asked_what_it_has() {
    let mut c = Coordinator::with(Strategy::Halt, TWO);
    c.declare(1);
    assert_eq!(c.prepared(1, 0), [""; 0]);
    let expected = [
        "write snapshot r1 | r1 running #5 begun | r1/0 w0.a InProgress attempt 1",
        "call r1/0 attempt 1, when written",
        "prepare r1/1 w1#2.b ahead",
    ];
    assert_eq!(c.snapped(1), expected);
}

#[test]
fn a_step_that_is_due_before_it_is_ready_waits_from_then_on() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    c.seconds = 20;
    let expected = ["write r1/0 w0.a Succeeded attempt 1", "prepare r1/1 w1#2.b"];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), expected);
    assert_eq!(c.tick(19 + WAIT), [""; 0]);
    let failed = c.tick(20 + WAIT);
    assert!(
        failed[0].contains("r1/1 w1.b Failed (still running"),
        "{failed:?}"
    );
}

#[test]
fn a_workers_next_step_gets_ready_only_while_its_last_one_runs() {
    let mut c = Coordinator::begun(Strategy::Halt, THREE);
    assert_eq!(c.prepared(1, 0)[2..], ["prepare r1/1 w0#1.b ahead"]);
    c.prepared(1, 1);
    let next = c.ended(1, 0, done(Effect::Nothing));
    assert_eq!(next[2..], ["prepare r1/2 w1#2.c ahead"]);
}

#[test]
fn what_was_not_called_gets_ready_before_what_follows_it() {
    let mut c = Coordinator::begun(Strategy::Halt, THREE);
    c.prepared(1, 0);
    c.prepared(1, 1);
    let step = at(1, 0);
    let expected = [
        "write r1/0 w0.a Pending attempt 1",
        "release r1/1",
        "prepare r1/0 w0#1.a",
    ];
    let uncalled = Event::Uncalled { step, attempt: 1 };
    assert_eq!(c.step(uncalled), expected);
}

#[test]
fn nothing_gets_ready_ahead_for_who_is_not_here_or_goes() {
    let mut c = Coordinator::with(Strategy::Halt, TWO);
    c.declare(1);
    c.died("w1", 2);
    c.snapped(1);
    assert_eq!(c.prepared(1, 0).len(), 2, "w1 is not here");
    c.join("w1");
    assert_eq!(
        c.register("w1", 3, "data", "b"),
        [
            "registered 3 data w1.b",
            "reply 3 done, when all is written",
            "prepare r1/1 w1#3.b ahead",
        ]
    );
    assert_eq!(c.died("w1", 3), ["release r1/1"]);
}

#[test]
fn a_step_that_only_got_ready_hinders_no_leave_and_no_abort() {
    let mut c = Coordinator::with(Strategy::Halt, TWO);
    c.declare(1);
    c.prepared(1, 0);
    let left = c.leave("w0", 1);
    assert!(left.contains(&"release r1/0".to_owned()), "{left:?}");
    let aborted = c.abort(1, &["w0", "w1"]);
    assert!(
        aborted.iter().any(|told| told.starts_with("reply 8 done")),
        "{aborted:?}"
    );
}

#[test]
fn nothing_gets_ready_ahead_for_a_rotation_that_has_not_the_turn() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.declare(2);
    c.prepared(1, 0);
    let left = c.leave("w1", 2);
    assert!(
        !left.iter().any(|told| told.contains("prepare r2")),
        "{left:?}"
    );
}

#[test]
fn as_many_get_ready_ahead_as_run_at_once() {
    let behaviour = KeyBehaviour {
        workers_at_once: 2,
        ..behaviour(Strategy::Halt)
    };
    let each: &[&str] = &["a"];
    let workers = ["w0", "w1", "w2", "w3", "w4"].map(|name| (name, each));
    let mut c = Coordinator::with_key(behaviour, &workers);
    c.declare(1);
    c.snapped(1);
    assert_eq!(c.prepared(1, 0)[2..], ["prepare r1/2 w2#3.a ahead"]);
    assert_eq!(c.prepared(1, 1)[2..], ["prepare r1/3 w3#4.a ahead"]);
    let ends = c.ended(1, 0, done(Effect::Nothing));
    assert_eq!(ends[1..], ["prepare r1/2 w2#3.a"], "it was not ready");
}
