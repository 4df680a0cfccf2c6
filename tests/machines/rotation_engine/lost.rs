//! A journal that is lost for good: the engine writes nothing more and never reads it again, and
//! everybody who asks or waits is told so.

use keyward::rotation::event::Event;

use crate::rotation_engine::driver::{Driver, NOTHING, ONE};
use crate::rotation_machine::script::Strategy;

/// A client asks for a rotation with a running callback, and waits for it.
fn waited_for() -> Driver {
    let mut e = Driver::called(Strategy::Halt, ONE);
    assert_eq!(e.wait(1), NOTHING);
    e
}

fn is_lost(e: &mut Driver) {
    assert_eq!(e.engine.machine().lost(), Some("fenced"));
    assert_eq!(e.wait(1), ["reply 6 error fenced"]);
    assert_eq!(e.declare(2), ["reply 5 error fenced"]);
    assert_eq!(e.resume(1), ["reply 7 error fenced"]);
    assert_eq!(e.lost_by_another(), NOTHING);
    assert_eq!(e.restarted(), NOTHING);
    e.seconds += 3_600;
    assert_eq!(e.step(Event::Tick), NOTHING);
    assert_eq!(e.engine.next_deadline(), None);
}

#[test]
fn a_write_that_finds_it_lost_tells_everybody_who_waits_and_nothing_is_retried() {
    let mut e = waited_for();
    e.succeeds(1, 0);
    assert_eq!(e.lost(), ["reply 6 error fenced"]);
    is_lost(&mut e);
    assert!(e.engine.is_settled() && !e.engine.has_running());
}

#[test]
fn who_asked_for_the_write_is_told_and_what_was_prepared_is_let_go() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.declare(1);
    assert_eq!(e.lost(), ["release r1/0", "reply 5 error fenced"]);
    is_lost(&mut e);
}

#[test]
fn what_another_one_finds_lost_is_lost_while_a_callback_runs_and_its_end_is_awaited() {
    let mut e = waited_for();
    assert_eq!(e.lost_by_another(), ["reply 6 error fenced"]);
    is_lost(&mut e);
    assert!(e.engine.has_running(), "the callback runs on");
    assert_eq!(e.succeeds(1, 0), NOTHING);
    assert!(!e.engine.has_running());
}

#[test]
fn one_that_is_lost_when_it_is_read_anew_leaves_nobody_waiting_for_what_was_unknown() {
    let mut e = waited_for();
    e.succeeds(1, 0);
    e.unknown_and_not_made();
    assert_eq!(e.lost_at_the_reading(), ["reply 6 error fenced"]);
    is_lost(&mut e);
    let mut e = waited_for();
    e.lost_by_another();
    e.step(Event::Close);
    assert_eq!(e.step(Event::Interrupt), NOTHING);
    assert!(e.engine.is_settled());
}
