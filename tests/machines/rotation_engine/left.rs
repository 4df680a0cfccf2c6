//! Workers that leave and callbacks that are removed while the write of it fails: who was told that
//! it failed is here as before, as far as the journal has it.

use keyward::rotation::report::RotationReport;

use crate::rotation_engine::driver::{Driver, NOTHING, TWO};
use crate::rotation_machine::script::{Strategy, rid};

const REFUSED: [&str; 2] = ["reply 4 error repo_unavailable", "reopen"];
const UNKNOWN: [&str; 2] = ["reply 4 error write_unknown", "reopen"];
const NAME_TAKEN: [&str; 1] = ["reply 9 error worker_name_taken"];
const CALLBACK_TAKEN: [&str; 1] = ["reply 3 error callback_taken"];

fn leaving() -> Driver {
    let mut e = Driver::with(Strategy::Halt, TWO);
    assert_eq!(e.leave("w1"), ["write gone w1 | act: removed worker w1"]);
    e
}

fn removing() -> Driver {
    let mut e = Driver::with(Strategy::Halt, TWO);
    assert_eq!(
        e.remove("w1", "b"),
        ["write gone w1.b | act: removed callback b of worker w1 for key data"]
    );
    e
}

fn members(e: &Driver) -> Vec<String> {
    let roster = e.engine.machine().roster();
    roster
        .in_order()
        .map(|(name, _)| name.to_string())
        .collect()
}

#[test]
fn a_worker_whose_leave_was_not_written_is_here_with_its_callbacks() {
    for not_made in [Driver::refused, Driver::unknown_and_not_made] {
        let mut e = leaving();
        not_made(&mut e);
        assert_eq!(members(&e), ["w0", "w1"]);
        assert_eq!(e.reopened(false), NOTHING);
        assert_eq!(e.ask_to_join(9, "w1"), NAME_TAKEN);
        assert_eq!(e.ask_to_register("w1", 2, "b"), CALLBACK_TAKEN);
    }
}

#[test]
fn a_worker_whose_leave_was_written_after_all_is_gone() {
    let mut e = leaving();
    assert_eq!(e.unknown_but_made(), UNKNOWN);
    assert_eq!(e.reopened(true), ["left w1"]);
    assert_eq!(members(&e), ["w0"]);
    let again = ["write next 6 | member w1 #5"];
    assert_eq!(e.ask_to_join(9, "w1"), again);
}

#[test]
fn a_worker_that_died_while_its_leave_was_written_is_a_member_that_is_dead() {
    let mut e = leaving();
    e.seconds = 7;
    assert_eq!(e.died("w1", 9), NOTHING);
    assert_eq!(e.died("w0", 2), NOTHING);
    assert_eq!(e.died("w1", 2), NOTHING);
    e.refused();
    let entry = e
        .engine
        .machine()
        .roster()
        .get(&crate::rotation_machine::script::worker("w1"));
    assert_eq!(entry.and_then(|entry| entry.died()), Some(e.time(7)));
    e.reopened(false);
    assert_eq!(e.ask_to_join(9, "w1"), ["joined w1#3", "reply 9 joined 3"]);
    assert_eq!(
        e.ask_to_register("w1", 3, "b"),
        ["registered 3 data w1.b", "reply 3 done"]
    );
}

#[test]
fn the_death_of_another_worker_or_life_leaves_it_here() {
    for (name, life) in [("w0", 1), ("w0", 2), ("w1", 1)] {
        let mut e = leaving();
        e.died(name, life);
        e.refused();
        e.reopened(false);
        assert_eq!(e.ask_to_join(9, "w1"), NAME_TAKEN);
    }
}

#[test]
fn a_worker_that_has_joined_again_behind_its_leave_has_its_old_place() {
    let mut e = leaving();
    assert_eq!(e.ask_to_join(9, "w1"), NOTHING);
    assert_eq!(members(&e), ["w0", "w1"]);
    let expected = [
        "reply 9 error repo_unavailable",
        "reply 4 error repo_unavailable",
        "reopen",
    ];
    assert_eq!(e.refused(), expected);
    assert_eq!(members(&e), ["w0", "w1"]);
    e.reopened(false);
    assert_eq!(
        e.ask_to_join(10, "w1"),
        ["reply 10 error worker_name_taken"]
    );
}

#[test]
fn a_leave_that_was_refused_or_told_puts_nobody_back() {
    let mut e = leaving();
    assert_eq!(e.written(), ["left w1", "reply 4 done"]);
    // The same number asks for something else, which is not made.
    e.step(keyward::rotation::event::Event::RemoveCallback {
        ticket: 4,
        worker: crate::rotation_machine::script::worker("w0"),
        key: crate::rotation_machine::script::key("data"),
        callback: crate::rotation_machine::script::callback("a"),
        by: Default::default(),
    });
    assert_eq!(e.refused(), REFUSED);
    assert_eq!(members(&e), ["w0"]);
    e.reopened(false);
    assert_eq!(members(&e), ["w0"]);
}

#[test]
fn a_callback_of_which_the_removal_was_not_written_is_here() {
    let mut e = removing();
    assert_eq!(e.refused(), REFUSED);
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.ask_to_register("w1", 2, "b"), CALLBACK_TAKEN);
    e.declare(1);
    e.settle();
    let steps = |report: RotationReport| report.steps.len();
    assert_eq!(e.engine.machine().report(rid(1)).map(steps), Some(2));
}

#[test]
fn a_callback_of_which_the_removal_was_written_after_all_is_gone() {
    let mut e = removing();
    assert_eq!(e.unknown_but_made(), UNKNOWN);
    assert_eq!(e.reopened(true), ["removed data w1.b"]);
    let again = ["registered 3 data w1.b", "write next 6 | callback w1.b #5"];
    assert_eq!(e.ask_to_register("w1", 2, "b"), again);
}

#[test]
fn a_callback_that_is_registered_again_before_its_removal_is_durable_stays() {
    let mut e = removing();
    assert_eq!(e.ask_to_register("w1", 2, "b"), ["registered 3 data w1.b"]);
    let expected = ["reply 4 done", "write next 6 | callback w1.b #5"];
    assert_eq!(e.written(), expected);
    assert_eq!(e.written(), ["reply 3 done"]);
}

#[test]
fn a_callback_of_a_life_that_ended_meanwhile_is_not_here() {
    let mut e = removing();
    e.died("w1", 2);
    e.ask_to_join(9, "w1");
    let expected = [
        "reply 4 error repo_unavailable",
        "reply 9 error repo_unavailable",
        "reopen",
    ];
    assert_eq!(e.refused(), expected);
    e.reopened(false);
    assert_eq!(e.ask_to_join(9, "w1"), ["joined w1#4", "reply 9 joined 4"]);
    assert_eq!(
        e.ask_to_register("w1", 4, "b"),
        ["registered 3 data w1.b", "reply 3 done"]
    );
}

#[test]
fn a_callback_that_was_not_here_before_its_removal_is_not_here_after_it() {
    let mut e = Driver::with(Strategy::Halt, TWO);
    e.died("w1", 2);
    e.join("w1");
    e.remove("w1", "b");
    assert_eq!(e.refused(), REFUSED);
    e.reopened(false);
    assert_eq!(
        e.ask_to_register("w1", 3, "b"),
        ["registered 3 data w1.b", "reply 3 done"]
    );
}
