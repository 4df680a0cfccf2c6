//! What is done about effects that waited for a write that failed: let go, taken back, or held until
//! it is known whether the write was made.

use keyward::key::state::Effect;
use keyward::rotation::event::Event;

use crate::rotation_engine::driver::{Driver, NOTHING, ONE, TWO};
use crate::rotation_machine::script::{Strategy, done};

/// A step whose effect the key has proposed, and whose Succeeded is being written.
fn proposed() -> Driver {
    let mut e = Driver::called(Strategy::Halt, TWO);
    assert_eq!(e.ended(1, 0, done(Effect::Decrypted)), ["propose r1/0"]);
    let expected = [
        "prepare r1/1 w1#2.b",
        "write record r1/0 | r1/0 w0.a Succeeded attempt 1 decrypted",
    ];
    assert_eq!(e.proposed(1, 0), expected);
    e
}

#[test]
fn the_key_adopts_an_effect_when_it_is_durable() {
    let mut e = proposed();
    assert_eq!(e.written(), ["adopt r1/0"]);
}

#[test]
fn an_effect_that_was_not_written_is_withdrawn_at_once_and_proposed_again() {
    let mut e = proposed();
    let expected = ["release r1/1", "withdraw r1/0", "reopen"];
    assert_eq!(e.refused(), expected);
    assert_eq!(
        e.reopened(false),
        ["propose r1/0", "prepare r1/1 w1#2.b ahead"]
    );
}

#[test]
fn an_effect_of_which_nobody_knows_waits_for_what_the_journal_has() {
    let mut e = proposed();
    assert_eq!(e.unknown_but_made(), ["release r1/1", "reopen"]);
    assert_eq!(e.reopened(true), ["adopt r1/0", "prepare r1/1 w1#2.b"]);

    let mut e = proposed();
    assert_eq!(e.unknown_and_not_made(), ["release r1/1", "reopen"]);
    assert_eq!(
        e.reopened(false),
        ["withdraw r1/0", "propose r1/0", "prepare r1/1 w1#2.b ahead"]
    );
}

#[test]
fn what_is_held_is_done_once() {
    let mut e = proposed();
    e.unknown_but_made();
    e.reopened(true);
    e.seconds = 10;
    assert_eq!(e.recovered(), ["prepare r1/1 w1#2.b"]);
}

#[test]
fn what_a_key_was_asked_to_take_into_account_is_withdrawn_when_rotations_pause() {
    let mut e = Driver::called(Strategy::Halt, TWO);
    e.ended(1, 0, done(Effect::Decrypted));
    assert!(e.engine.has_running());
    assert_eq!(e.interrupted(), ["withdraw r1/0", "release r1/1", "reopen"]);
    assert_eq!(e.proposed(1, 0), NOTHING);
    assert_eq!(
        e.reopened(false),
        ["propose r1/0", "prepare r1/1 w1#2.b ahead"]
    );
}

#[test]
fn the_end_of_a_rotation_of_which_nobody_knows_waits_for_what_the_journal_has() {
    let ending = || {
        let mut e = Driver::called(Strategy::Halt, ONE);
        e.succeeds(1, 0);
        e
    };
    let ended = ["supersede r1 any", "settled r1 completed"];
    let mut e = ending();
    assert_eq!(e.written(), ended);

    let mut e = ending();
    assert_eq!(e.unknown_but_made(), ["reopen"]);
    assert_eq!(e.reopened(true), ended);
    assert_eq!(e.report(1), "");

    for not_made in [Driver::refused, Driver::unknown_and_not_made] {
        let mut e = ending();
        assert_eq!(not_made(&mut e), ["reopen"]);
        let again = "write r1/0 w0.a Succeeded attempt 1 \
                     | ended r1 completed #3 begun [0 w0.a Succeeded attempt 1]";
        assert_eq!(e.reopened(false), [again]);
        assert_eq!(e.written(), ended);
    }
}

#[test]
fn a_callback_is_not_called_unless_its_in_progress_is_durable() {
    let prepared = || {
        let mut e = Driver::begun(Strategy::Halt, ONE);
        let in_progress = "write r1/0 w0.a InProgress attempt 1";
        assert_eq!(e.prepared(1, 0), [in_progress]);
        e
    };
    let mut e = prepared();
    assert_eq!(e.written(), ["call r1/0 attempt 1"]);

    for not_made in [Driver::refused, Driver::unknown_and_not_made] {
        let mut e = prepared();
        assert_eq!(not_made(&mut e), ["release r1/0", "reopen"]);
        assert!(!e.engine.has_running());
        assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a"]);
        let in_progress = "write r1/0 w0.a InProgress attempt 1";
        assert_eq!(e.prepared(1, 0), [in_progress]);
    }

    let mut e = prepared();
    assert_eq!(e.unknown_but_made(), ["release r1/0", "reopen"]);
    // It was not called: the next life must not take it for a callback that a crash interrupted.
    let given_back = "write r1/0 w0.a Pending attempt 1";
    assert_eq!(e.reopened(true), ["prepare r1/0 w0#1.a", given_back]);
    e.settle();
    let no_crash = "write r1/0 w0.a InProgress attempt 2";
    assert_eq!(e.prepared(1, 0), [no_crash]);
}

#[test]
fn a_callback_that_was_interrupted_before_its_in_progress_was_durable_is_not_called() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.prepared(1, 0);
    e.step(Event::Close);
    assert_eq!(e.step(Event::Interrupt), NOTHING);
    let expected = ["release r1/0", "write r1/0 w0.a Pending attempt 1"];
    assert_eq!(e.written(), expected);
    assert!(!e.engine.has_running());
}

#[test]
fn after_a_recovery_new_writes_are_waited_for_as_before() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.declare(1);
    e.refused();
    e.reopened(false);
    assert!(e.engine.is_settled());
    let expected = [
        "accepted 5 r2 data",
        "snapshot r2 data",
        "prepare r2/0 w0#1.a ahead",
        "write next 5 | r2 waiting #4 | keys r2 | r2/0 w0.a Pending",
    ];
    assert_eq!(e.declare(2), expected);
    assert_eq!(e.written(), ["reply 5 accepted r2"]);
}
