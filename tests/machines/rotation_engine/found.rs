//! What a journal that was read anew makes true, whatever was in memory before.

use keyward::key::flow::SecretKeyUseCase;
use keyward::rotation::event::Event;
use keyward::rotation::instance::CallbackOf;
use keyward::rotation::report::{UnreadableRotation, WaitsFor};

use crate::durable::Journal;
use crate::rotation_engine::driver::{Driver, NOTHING, ONE};
use crate::rotation_machine::script::{
    Strategy, behaviour, callback, declaration, key, rid, worker,
};

/// A journal in which the rotation of `ONE` has stopped.
fn stopped() -> Journal {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.fails_step(1, 0);
    e.settle();
    e.journal
}

#[test]
fn whoever_waits_learns_what_the_journal_has() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.wait(1);
    e.interrupted();
    e.journal = stopped();
    assert_eq!(e.reopened(false), ["reply 6 report r1 stopped"]);

    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.wait(1);
    e.interrupted();
    e.journal = Driver::with(Strategy::Halt, ONE).journal;
    assert_eq!(e.reopened(false), ["reply 6 not live r1"]);

    let mut e = Driver::called(Strategy::Halt, ONE);
    e.wait(1);
    e.recovered();
    e.fails_step(1, 0);
    let expected = [
        "stopped r1",
        "settled r1 stopped",
        "reply 6 report r1 stopped",
    ];
    assert_eq!(e.written(), expected);
}

#[test]
fn a_wait_for_one_that_stopped_cannot_be_answered_until_the_journal_was_read() {
    let mut e = Driver::on(stopped());
    assert_eq!(e.wait(1), ["reply 6 report r1 stopped"]);
    e.interrupted();
    assert_eq!(e.wait(1), ["reply 6 error repo_unavailable"]);
    e.reopened(false);
    assert_eq!(e.wait(1), ["reply 6 report r1 stopped"]);
}

#[test]
fn a_key_stays_defined_and_one_that_is_not_defined_stays_so() {
    let journal = Driver::begun(Strategy::Halt, ONE).journal;
    let mut e = Driver::on(journal.clone());
    assert_eq!(e.recovered(), NOTHING);
    assert!(!e.engine.machine().is_defined(&key("data")));

    let mut e = Driver::on(journal);
    e.arrive(behaviour(Strategy::Halt), ONE);
    assert_eq!(e.recovered(), ["prepare r1/0 w0#1.a"]);
    assert!(e.engine.machine().is_defined(&key("data")));
}

#[test]
fn a_missing_worker_is_waited_for_from_the_definition_of_the_key_in_this_life() {
    let mut e = Driver::on(Driver::begun(Strategy::Halt, ONE).journal);
    e.seconds = 10;
    e.define("data", behaviour(Strategy::Halt));
    e.seconds = 30;
    e.recovered();
    assert_eq!(e.tick(69), NOTHING);
    let gone = "write r1/0 w0.a Failed (worker gone) | r1 stopped #3 begun";
    assert_eq!(e.tick(70), [gone]);
}

#[test]
fn a_rotation_that_cannot_be_read_any_more_keeps_its_key_from_going_on() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.interrupted();
    let why = "cut short".to_owned();
    let unreadable = UnreadableRotation::new(rid(9), key("data"), true, why);
    e.journal.unreadable.push(unreadable);
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.engine.machine().unreadable().len(), 1);
}

#[test]
fn numbers_and_lives_go_on_where_this_process_was() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.declare(1);
    e.declare(2);
    e.refused();
    e.reopened(false);
    let told = e.declare(3);
    let write = told.last().expect("a write");
    assert!(write.starts_with("write next 6 | r3 waiting #5"), "{write}");
    e.settle();

    e.seconds = 10;
    e.interrupted();
    e.journal.next_sequence = 40;
    e.reopened(false);
    let expected = ["write next 41 | member w9 #40"];
    assert_eq!(e.ask_to_join(9, "w9"), expected);
    assert_eq!(e.written(), ["joined w9#2", "reply 9 joined 2"]);
}

/// Keys `k1` and `k2`, each with a worker and a rotation of its own that has crashed so often.
fn two_keys(crashes: u32) -> Driver {
    let mut e = Driver::on(Journal::default());
    let keys = [("k1", 1), ("k2", 2)];
    let come = |e: &mut Driver| {
        for (life, (name, _)) in (1..).zip(keys) {
            e.define(name, behaviour(Strategy::Halt));
            e.join(name);
            e.step(Event::Register {
                ticket: 3,
                worker: worker(name),
                incarnation: life,
                key: key(name),
                callback: callback("a"),
                of: CallbackOf::Data,
            });
            e.settle();
        }
    };
    come(&mut e);
    for (name, rotation) in keys {
        let declaration = declaration(rotation, name);
        e.step(Event::Declare {
            ticket: 5,
            declaration,
        });
        e.snapped(rotation);
        e.settle();
    }
    for (_, steps) in e.journal.rotations.values_mut() {
        steps.get_mut(&0).expect("a step").crashes = crashes;
    }
    let mut e = Driver::on(e.journal);
    come(&mut e);
    e
}

#[test]
fn while_a_step_under_suspicion_runs_no_other_such_step_is_called_after_a_reading_either() {
    let mut e = two_keys(2);
    e.prepared(1, 0);
    e.settle();
    assert_eq!(e.recovered(), NOTHING);
    let actions = e.succeeds(1, 0);
    assert_eq!(actions[0], "prepare r2/0 k2#2.a");

    let mut e = two_keys(1);
    e.prepared(1, 0);
    e.settle();
    assert_eq!(e.recovered(), ["prepare r2/0 k2#2.a"]);
}

#[test]
fn the_steps_that_were_prepared_are_prepared_again() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    assert_eq!(e.interrupted(), ["release r1/0", "reopen"]);
    assert_eq!(e.prepared(1, 0), ["release r1/0"]);
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a"]);
}

#[test]
fn what_a_key_had_is_asked_for_again() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.declare(1);
    e.settle();
    assert_eq!(e.interrupted(), ["release r1/0", "reopen"]);
    assert_eq!(e.snapped(1), NOTHING);
    assert_eq!(
        e.reopened(false),
        ["snapshot r1 data", "prepare r1/0 w0#1.a ahead"]
    );
    let expected = [
        "prepare r1/0 w0#1.a",
        "write snapshot r1 | r1 running #3 begun",
    ];
    assert_eq!(e.snapped(1), expected);
}

#[test]
fn a_key_that_was_defined_anew_beside_an_abort_that_was_not_made_runs_no_rotation_that_does_not_fit()
 {
    let one_way = || {
        let mut behaviour = behaviour(Strategy::Halt);
        behaviour.use_case = SecretKeyUseCase::OneWayTrip;
        behaviour
    };
    let begun = Driver::begun(Strategy::Halt, ONE).journal;
    let mut waiting = Driver::with(Strategy::Halt, ONE);
    waiting.declare(1);
    waiting.settle();
    for journal in [begun, waiting.journal] {
        for in_doubt in [Driver::unknown_and_not_made, Driver::refused] {
            let mut e = Driver::on(journal.clone());
            e.join("w0");
            e.abort(1, &["w0"]);
            assert_eq!(
                e.define("data", one_way()),
                ["defined 1 data", "reply 1 done"]
            );
            in_doubt(&mut e);
            assert_eq!(e.reopened(false), NOTHING);
            e.register("w0", 1, "a");
            let report = e.engine.machine().report(rid(1)).expect("it lives");
            assert_eq!(report.waits_for, [WaitsFor::Definition]);
            // Those that fit wait behind it, and go on when it is gone.
            e.declare(2);
            e.settle();
            let report = e.engine.machine().report(rid(2)).expect("it lives");
            assert_eq!(report.waits_for, [WaitsFor::Rotation { id: rid(1) }]);
            assert_eq!(e.snapped(1), NOTHING);
            let told = e.abort(1, &["w0"]);
            let goes_on = |line: &String| line.starts_with("snapshot r2");
            assert!(told.iter().any(goes_on), "{told:?}");
        }
    }
}
