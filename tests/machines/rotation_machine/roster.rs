//! Joining, registering, dying and leaving, and what they do to plans.

use keyward::key::state::Effect;
use keyward::rotation::event::Event;
use keyward::rotation::machine::{RotationConfig, RotationMachine};

use crate::rotation_machine::lines::lines;
use crate::rotation_machine::script::{
    Coordinator, Strategy, behaviour, callback, config, done, key, worker,
};

const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];

fn remove(c: &mut Coordinator, name: &str, call: &str) -> Vec<String> {
    let event = Event::RemoveCallback {
        ticket: 4,
        worker: worker(name),
        key: key("data"),
        callback: callback(call),
        by: Default::default(),
    };
    lines(&c.effects(event))
}

#[test]
fn a_removal_takes_only_this_callback_off_and_leaves_the_place_of_the_others() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w0", &["a", "b"])]);
    c.define("other", behaviour(Strategy::Halt));
    c.register("w0", 1, "other", "a");
    remove(&mut c, "w0", "a");
    let entry = c.machine.roster().get(&worker("w0")).expect("a member");
    let left: Vec<String> = entry
        .callbacks()
        .map(|(key, callback, _)| format!("{key}/{callback}"))
        .collect();
    assert_eq!(left, ["data/b", "other/a"]);
    assert_eq!(entry.callback_count(), 2);
}

#[test]
fn a_worker_and_its_callback_are_durable_before_they_are_answered() {
    let mut c = Coordinator::new();
    assert_eq!(
        c.define("data", behaviour(Strategy::Halt)),
        ["defined 1 data", "reply 1 done"]
    );
    let expected = [
        "write next 2 | member w0 #1",
        "joined w0#1, when written",
        "reply 2 joined 1, when written",
    ];
    assert_eq!(c.join("w0"), expected);
    let expected = [
        "write next 3 | callback w0.a #2",
        "registered 3 data w0.a",
        "reply 3 done, when written",
    ];
    assert_eq!(c.register("w0", 1, "data", "a"), expected);
}

#[test]
fn a_name_is_taken_while_its_worker_lives_and_free_at_once_when_it_died() {
    let mut c = Coordinator::with(Strategy::Halt, TWO);
    let taken = ["reply 2 error worker_name_taken, when all is written"];
    assert_eq!(c.join("w0"), taken);
    c.died("w0", 1);
    assert_eq!(
        c.join("w0"),
        [
            "joined w0#3, when all is written",
            "reply 2 joined 3, when all is written",
        ]
    );
    assert_eq!(c.join("w0"), taken);
}

#[test]
fn a_worker_that_comes_back_has_its_place_and_registers_without_a_write() {
    let mut c = Coordinator::with(Strategy::Halt, TWO).crash();
    c.define("data", behaviour(Strategy::Halt));
    c.join("w1");
    c.join("w0");
    assert_eq!(
        c.register("w1", 1, "data", "b"),
        ["registered 3 data w1.b", "reply 3 done"]
    );
    assert_eq!(
        c.register("w0", 2, "data", "a"),
        ["registered 3 data w0.a", "reply 3 done"]
    );
    c.declare(1);
    assert_eq!(c.report(1), "r1 waiting [0 w0.a Pending, 1 w1.b Pending]");
}

#[test]
fn a_registration_needs_a_living_worker_a_defined_key_and_a_new_name() {
    let mut c = Coordinator::with(Strategy::Halt, TWO);
    let refused = |code| [format!("reply 3 error {code}, when all is written")];
    let register = |c: &mut Coordinator, name, life, of, call| c.register(name, life, of, call);
    assert_eq!(
        register(&mut c, "w9", 1, "data", "a"),
        refused("unknown_worker")
    );
    assert_eq!(
        register(&mut c, "w0", 9, "data", "a"),
        refused("unknown_worker")
    );
    assert_eq!(
        register(&mut c, "w0", 1, "none", "a"),
        refused("key_not_defined")
    );
    assert_eq!(
        register(&mut c, "w0", 1, "data", "a"),
        refused("callback_taken")
    );
    c.died("w0", 1);
    assert_eq!(
        register(&mut c, "w0", 1, "data", "x"),
        refused("unknown_worker")
    );
}

#[test]
fn a_worker_has_so_many_callbacks_and_no_more() {
    let mut c = Coordinator::new();
    c.machine = RotationMachine::new(RotationConfig {
        warn_after: None,
        max_callbacks: 1,
        ..config()
    });
    c.define("data", behaviour(Strategy::Halt));
    c.join("w0");
    c.register("w0", 1, "data", "a");
    let bound = ["reply 3 error too_many_callbacks, when all is written"];
    assert_eq!(c.register("w0", 1, "data", "b"), bound);
}

#[test]
fn a_callback_that_registers_late_joins_the_plan_before_it_is_answered() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    let expected = [
        "write next 7 | callback w0.late #6 | r1/2 w0.late Pending",
        "registered 3 data w0.late",
        "reply 3 done, when written",
    ];
    assert_eq!(c.register("w0", 1, "data", "late"), expected);
    c.declare(2);
    c.fail(1, 0);
    let expected = [
        "write next 9 | callback w1.later #8 | r1/3 w1.later Pending | r2/3 w1.later Pending",
        "registered 3 data w1.later",
        "reply 3 done, when written",
    ];
    assert_eq!(c.register("w1", 2, "data", "later"), expected);
}

#[test]
fn a_callback_that_registers_after_the_end_joins_no_plan() {
    let mut c = Coordinator::begun(Strategy::Skip, TWO);
    c.fail(1, 0);
    c.succeed(1, 1);
    let expected = [
        "write next 7 | callback w0.late #6",
        "registered 3 data w0.late",
        "reply 3 done, when written",
    ];
    assert_eq!(c.register("w0", 1, "data", "late"), expected);
}

#[test]
fn leaving_takes_the_remaining_steps_out_of_every_plan() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.declare(2);
    let expected = [
        "write gone w1 | r1/1 w1.b Pending removed | r2/1 w1.b Pending removed",
        "left w1, when written",
        "reply 4 done, when written",
    ];
    assert_eq!(c.leave("w1", 2), expected);
    c.prepared(1, 0);
    let expected = [
        "write r1/0 w0.a Succeeded attempt 1 | ended r1 completed #5 begun \
         [0 w0.a Succeeded attempt 1, 1 w1.b Pending removed]",
        "supersede r1 any, when written",
        "settled r1 completed, when written",
        "snapshot r2 data",
        "prepare r2/0 w0#1.a ahead",
    ];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), expected);
}

#[test]
fn leaving_gives_up_what_is_prepared_and_lets_the_next_step_run() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    let expected = [
        "write gone w0 | act: removed worker w0 | r1/0 w0.a Pending removed",
        "release r1/0",
        "prepare r1/1 w1#2.b",
        "left w0, when written",
        "reply 4 done, when written",
    ];
    assert_eq!(c.leave("w0", None), expected);
}

#[test]
fn leaving_is_refused_while_a_step_runs_or_settles() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    let refused = ["reply 4 error callback_runs, when all is written"];
    c.prepared(1, 0);
    assert_eq!(c.leave("w0", 1), refused);
    assert_eq!(remove(&mut c, "w0", "a"), refused);
    c.ended(1, 0, done(Effect::Decrypted));
    assert_eq!(c.leave("w0", None), refused);
    c.died("w0", 1);
    assert_eq!(c.leave("w0", None), refused);
}

#[test]
fn only_a_member_can_leave_and_main_never() {
    let mut c = Coordinator::with(Strategy::Halt, &[("main", &["a"]), ("w0", &["b"])]);
    let unknown = ["reply 4 error unknown_worker, when all is written"];
    assert_eq!(c.leave("main", 1), unknown);
    assert_eq!(c.leave("w9", None), unknown);
    assert_eq!(c.leave("w0", 9), unknown);
}

#[test]
fn a_removed_step_does_not_count_when_its_worker_registers_again() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.leave("w1", 2);
    let expected = [
        "write next 7 | member w1 #6",
        "joined w1#3, when written",
        "reply 2 joined 3, when written",
    ];
    assert_eq!(c.join("w1"), expected);
    let expected = [
        "write next 8 | callback w1.b #7 | r1/2 w1.b Pending",
        "registered 3 data w1.b",
        "reply 3 done, when written",
    ];
    assert_eq!(c.register("w1", 3, "data", "b"), expected);
    c.declare(2);
    assert_eq!(c.report(2), "r2 waiting [0 w0.a Pending, 1 w1.b Pending]");
}

#[test]
fn an_operator_removes_one_callback() {
    let mut c = Coordinator::begun(Strategy::Halt, &[("w0", &["a", "b"])]);
    let expected = [
        "write gone w0.b | act: removed callback b of worker w0 for key data | r1/1 w0.b Pending removed",
        "removed data w0.b, when written",
        "reply 4 done, when written",
    ];
    assert_eq!(remove(&mut c, "w0", "b"), expected);
    let unknown = ["reply 4 error unknown_callback, when all is written"];
    assert_eq!(remove(&mut c, "w0", "b"), unknown);
    c.succeed(1, 0);
    let completed = "r1 completed #4 begun [0 w0.a Succeeded attempt 1, 1 w0.b Pending removed]";
    assert_eq!(c.history(1), completed);
}

#[test]
fn what_has_failed_is_no_remaining_step_until_a_resume_takes_it_up() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.fail(1, 0);
    c.leave("w0", 1);
    // It says why the rotation stopped.
    let failed = "r1 stopped [0 w0.a Failed attempt 1 (no), 1 w1.b Pending]";
    assert_eq!(c.report(1), failed);
    c.resume(1);
    let removed = "r1 running [0 w0.a Pending attempt 1 removed (no), 1 w1.b Pending]";
    assert_eq!(c.report(1), removed);
}
