//! An actor that dies in the middle of a step: what that step wanted is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::rotation_engine::driver::{Driver, NOTHING, ONE};
use crate::rotation_machine::script::{Strategy, behaviour};

/// An engine that panicked while it registered a callback: the plan of its rotation has no number
/// left for another step, which no plan can come to by itself.
fn half_a_registration() -> Driver {
    let mut journal = Driver::called(Strategy::Halt, ONE).journal;
    let (_, steps) = journal.rotations.values_mut().next().expect("a rotation");
    let mut step = steps.remove(&0).expect("a step");
    step.no = u32::MAX;
    steps.insert(step.no, step);
    let mut e = Driver::on(journal);
    e.arrive(behaviour(Strategy::Halt), ONE);
    let register = AssertUnwindSafe(|| e.ask_to_register("w0", 1, "late"));
    assert!(catch_unwind(register).is_err(), "a step that panics");
    e
}

#[test]
fn what_half_a_step_wanted_is_neither_written_nor_done() {
    let mut e = half_a_registration();
    assert_eq!(e.restarted(), ["release r1/4294967295", "reopen"]);
    let given_back = "write r1/4294967295 w0.a Pending attempt 1 crashes 1";
    let expected = ["prepare r1/4294967295 w0#1.a", given_back];
    assert_eq!(e.reopened(false), expected);
    e.settle();
    let report = e.report(1);
    assert!(!report.contains("late"), "{report}");
    e.ask_to_join(9, "w9");
    assert_eq!(e.written(), ["joined w9#2", "reply 9 joined 2"]);
    assert_eq!(e.ask_to_join(9, "w9"), ["reply 9 error worker_name_taken"]);
}

#[test]
fn a_second_death_is_survived_as_the_first() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    for _ in 0..3 {
        assert_eq!(e.restarted(), ["reopen"]);
        assert_eq!(e.reopened(false), NOTHING);
    }
    e.succeeds(1, 0);
    let expected = ["supersede r1 any", "settled r1 completed"];
    assert_eq!(e.written(), expected);
}
