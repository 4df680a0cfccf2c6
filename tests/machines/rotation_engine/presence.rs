//! Who is here after a failure: who was told that a join or a registration failed is not, everybody
//! else is as before.

use crate::rotation_engine::driver::{Driver, NOTHING, ONE, TWO};
use crate::rotation_machine::script::Strategy;

#[test]
fn a_worker_whose_join_was_not_written_is_not_here_and_joins_again() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    let expected = ["write next 4 | member w9 #3"];
    assert_eq!(e.ask_to_join(9, "w9"), expected);
    assert_eq!(e.refused(), ["reply 9 error repo_unavailable", "reopen"]);
    assert_eq!(e.reopened(false), NOTHING);
    let expected = ["write next 5 | member w9 #4"];
    assert_eq!(e.ask_to_join(9, "w9"), expected);
    assert_eq!(e.written(), ["joined w9#3", "reply 9 joined 3"]);
}

#[test]
fn a_worker_whose_join_may_have_been_written_is_a_member_that_is_dead() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.ask_to_join(9, "w9");
    let expected = ["reply 9 error write_unknown", "reopen"];
    assert_eq!(e.unknown_but_made(), expected);
    assert_eq!(e.reopened(true), NOTHING);
    assert_eq!(e.ask_to_join(9, "w9"), ["joined w9#3", "reply 9 joined 3"]);
}

#[test]
fn a_worker_that_came_back_and_was_not_told_is_dead_since_then() {
    let mut e = Driver::begun(Strategy::Halt, TWO);
    e.seconds = 5;
    assert_eq!(e.died("w1", 2), NOTHING);
    e.seconds = 10;
    e.declare(2);
    assert_eq!(e.ask_to_join(9, "w1"), NOTHING);
    let expected = [
        "release r1/0",
        "reply 5 error repo_unavailable",
        "reply 9 error repo_unavailable",
        "reopen",
    ];
    assert_eq!(e.refused(), expected);
    let presence = e.engine.machine().roster();
    let entry = presence
        .get(&crate::rotation_machine::script::worker("w1"))
        .expect("a member");
    assert_eq!(entry.incarnation(), None);
    assert_eq!(entry.died(), Some(e.time(10)));
}

#[test]
fn a_registration_that_may_have_been_written_is_not_here_and_is_made_again() {
    let mut e = Driver::begun(Strategy::Halt, &[("w0", &[])]);
    e.declare(2);
    e.settle();
    let expected = [
        "registered 3 data w0.a",
        "prepare r2/0 w0#1.a ahead",
        "write next 5 | callback w0.a #4 | r2/0 w0.a Pending",
    ];
    assert_eq!(e.ask_to_register("w0", 1, "a"), expected);
    let expected = ["release r2/0", "reply 3 error write_unknown", "reopen"];
    assert_eq!(e.unknown_but_made(), expected);
    assert_eq!(e.reopened(true), ["snapshot r2 data"]);
    let expected = ["write snapshot r2 | r2 running #3 begun"];
    assert_eq!(e.snapped(2), expected);
    e.settle();
    let expected = [
        "registered 3 data w0.a",
        "reply 3 done",
        "prepare r2/0 w0#1.a",
    ];
    assert_eq!(e.ask_to_register("w0", 1, "a"), expected);
}

#[test]
fn a_registration_that_was_not_written_is_made_again() {
    let mut e = Driver::with(Strategy::Halt, &[("w0", &[])]);
    e.ask_to_register("w0", 1, "a");
    assert_eq!(e.refused(), ["reply 3 error repo_unavailable", "reopen"]);
    e.reopened(false);
    let expected = ["registered 3 data w0.a", "write next 4 | callback w0.a #3"];
    assert_eq!(e.ask_to_register("w0", 1, "a"), expected);
    assert_eq!(e.written(), ["reply 3 done"]);
}

#[test]
fn a_registration_that_was_told_stays_whatever_its_number_asks_for_next() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.ask_to_join(3, "w9");
    e.refused();
    e.reopened(false);
    e.declare(1);
    e.settle();
    assert_eq!(
        e.snapped(1).first().expect("actions"),
        "prepare r1/0 w0#1.a"
    );

    // The answer to a registration without an asker takes nothing back either.
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.ask_to_register("w0", 1, "b");
    e.gone(3);
    e.unknown_but_made();
    e.reopened(true);
    assert_eq!(
        e.ask_to_register("w0", 1, "b"),
        ["reply 3 error callback_taken"]
    );
}

#[test]
fn everybody_else_is_here_as_before() {
    let mut e = Driver::with(Strategy::Halt, TWO);
    e.recovered();
    let taken = ["reply 9 error worker_name_taken"];
    assert_eq!(e.ask_to_join(9, "w0"), taken);
    let taken = ["reply 3 error callback_taken"];
    assert_eq!(e.ask_to_register("w0", 1, "a"), taken);
    e.declare(1);
    e.settle();
    assert_eq!(
        e.snapped(1).first().expect("actions"),
        "prepare r1/0 w0#1.a"
    );
}

#[test]
fn a_worker_that_was_dead_is_waited_for_from_its_death() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.seconds = 10;
    assert_eq!(e.died("w0", 1), ["release r1/0"]);
    e.seconds = 20;
    e.recovered();
    assert_eq!(e.tick(69), NOTHING);
    let gone = "write r1/0 w0.a Failed (worker gone) | r1 stopped #3 begun";
    assert_eq!(e.tick(70), [gone]);
}

#[test]
fn a_worker_that_dies_while_rotations_pause_is_dead_after_it() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    assert_eq!(e.interrupted(), ["release r1/0", "reopen"]);
    e.seconds = 3;
    assert_eq!(e.died("w0", 1), NOTHING);
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.tick(62), NOTHING);
    let gone = "write r1/0 w0.a Failed (worker gone) | r1 stopped #3 begun";
    assert_eq!(e.tick(63), [gone]);
}

#[test]
fn what_the_journal_does_not_have_is_not_here() {
    let before = Driver::with(Strategy::Halt, &[("w0", &[])]).journal;
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.interrupted();
    e.journal = before;
    e.reopened(false);
    let again = ["registered 3 data w0.a", "write next 4 | callback w0.a #3"];
    assert_eq!(e.ask_to_register("w0", 1, "a"), again);

    let mut e = Driver::with(Strategy::Halt, TWO);
    e.interrupted();
    e.journal = Driver::with(Strategy::Halt, ONE).journal;
    e.reopened(false);
    let again = ["write next 6 | member w1 #5"];
    assert_eq!(e.ask_to_join(9, "w1"), again);
}
