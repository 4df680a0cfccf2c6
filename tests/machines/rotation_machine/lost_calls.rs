//! Calls with a lost end: the step is to be called again, and that counts as a crash.

use keyward::key::state::Effect;
use keyward::rotation::event::{Event, StepOutcome};

use crate::rotation_machine::script::{Coordinator, Strategy, at, behaviour, done, failed};

const ONE: &[(&str, &[&str])] = &[("w0", &["a"])];
const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];

fn lost(c: &mut Coordinator, rotation: u128, step: u32) -> Vec<String> {
    c.ended(rotation, step, StepOutcome::Lost)
}

#[test]
fn a_lost_call_is_pending_again_with_its_crash_and_is_made_again() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    let expected = [
        "write r1/0 w0.a Pending attempt 1 crashes 1",
        "release r1/1",
        "prepare r1/0 w0#1.a",
    ];
    assert_eq!(lost(&mut c, 1, 0), expected);
    let expected = [
        "write r1/0 w0.a InProgress attempt 2 crashes 1",
        "call r1/0 attempt 2, when written",
        "prepare r1/1 w1#2.b ahead",
    ];
    assert_eq!(c.prepared(1, 0), expected);
    let effects = c.ended(1, 0, done(Effect::Nothing));
    assert_eq!(effects[0], "write r1/0 w0.a Succeeded attempt 2");
}

#[test]
fn after_five_lost_calls_in_a_row_a_step_has_failed_and_a_resume_counts_from_zero() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    for _ in 0..5 {
        c.prepared(1, 0);
        lost(&mut c, 1, 0);
    }
    let step = "0 w0.a Failed attempt 5 crashes 5 (too many attempts)";
    assert_eq!(c.report(1), format!("r1 stopped [{step}]"));
    c.resume(1);
    c.prepared(1, 0);
    lost(&mut c, 1, 0);
    let step = "0 w0.a Pending attempt 6 crashes 1";
    assert_eq!(c.report(1), format!("r1 running [{step}]"));
}

#[test]
fn lost_calls_and_crashes_of_the_process_count_together() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    for calls in 0..5 {
        c.prepared(1, 0);
        if calls % 2 == 0 {
            lost(&mut c, 1, 0);
        } else {
            c = c.crash();
            c.define("data", behaviour(Strategy::Halt));
            c.join("w0");
            c.register("w0", 1, "data", "a");
        }
    }
    let step = "0 w0.a Failed attempt 5 crashes 5 (too many attempts)";
    assert_eq!(c.report(1), format!("r1 stopped [{step}]"));
}

#[test]
fn a_lost_call_that_is_durable_is_no_second_crash_after_a_restart() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    lost(&mut c, 1, 0);
    let c = c.crash();
    assert_eq!(
        c.report(1),
        "r1 running [0 w0.a Pending attempt 1 crashes 1]"
    );
}

#[test]
fn only_the_call_under_way_can_be_lost() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    let (step, outcome) = (at(1, 0), StepOutcome::Lost);
    let another = Event::Ended {
        step,
        attempt: 2,
        outcome,
    };
    assert_eq!(c.step(another), [""; 0]);
    c.ended(1, 0, done(Effect::Decrypted));
    assert_eq!(lost(&mut c, 1, 0), [""; 0], "it did its work");
    assert_eq!(c.proposed(1, 0, true)[1], "adopt r1/0, when written");
}

#[test]
fn a_lost_call_of_a_dead_worker_waits_for_it_to_come_back() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    assert_eq!(c.died("w0", 1), [""; 0]);
    let expected = ["write r1/0 w0.a Pending attempt 1 crashes 1"];
    assert_eq!(lost(&mut c, 1, 0), expected);
    c.join("w0");
    let effects = c.register("w0", 2, "data", "a");
    assert_eq!(effects.last().expect("effects"), "prepare r1/0 w0#2.a");
}

#[test]
fn a_call_that_is_lost_while_another_step_stops_the_rotation_is_made_after_a_resume() {
    let mut side_by_side = behaviour(Strategy::Halt);
    side_by_side.workers_at_once = 2;
    let mut c = Coordinator::with_key(side_by_side, TWO);
    c.declare(1);
    c.snapped(1);
    c.prepared(1, 0);
    c.prepared(1, 1);
    c.ended(1, 1, failed());
    let effects = lost(&mut c, 1, 0);
    let stopped = "write r1/0 w0.a Pending attempt 1 crashes 1 | r1 stopped #5 begun";
    assert_eq!(effects[0], stopped);
    c.resume(1);
    let expected = "write r1/0 w0.a InProgress attempt 2";
    assert_eq!(c.prepared(1, 0)[0], expected);
}

#[test]
fn a_call_that_is_lost_at_the_end_of_a_life_is_a_crash_as_well() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    c.step(Event::Close);
    let expected = ["write r1/0 w0.a Pending attempt 1 crashes 1"];
    assert_eq!(lost(&mut c, 1, 0), expected);
}
