//! Callbacks under way and how they ended, while nothing can be written: what runs is not called
//! again, and what has ended is written first, if the journal still has that attempt InProgress.

use keyward::key::definition::KeyBehaviour;
use keyward::key::state::Effect;
use keyward::rotation::event::Event;
use keyward::rotation::instance::CallbackOf;
use keyward::rotation::status::CallbackStatus;

use crate::durable::Journal;
use crate::rotation_engine::driver::{Driver, NOTHING, ONE, TWO};
use crate::rotation_machine::script::{
    Strategy, at, behaviour, callback, declaration, done, key, worker,
};

#[test]
fn a_callback_that_runs_is_not_called_again_and_its_end_counts() {
    let mut e = Driver::called(Strategy::Halt, TWO);
    assert!(e.engine.has_running());
    assert_eq!(e.interrupted(), ["release r1/1", "reopen"]);
    assert!(e.engine.has_running());
    assert_eq!(e.reopened(false), ["prepare r1/1 w1#2.b ahead"]);
    assert!(e.engine.has_running());
    let expected = ["prepare r1/1 w1#2.b", "write r1/0 w0.a Succeeded attempt 1"];
    assert_eq!(e.succeeds(1, 0), expected);
    assert!(!e.engine.has_running());
}

#[test]
fn an_end_that_could_not_be_written_is_kept_and_written_first() {
    let mut e = Driver::called(Strategy::Halt, TWO);
    e.interrupted();
    assert!(!e.engine.keeps(at(1, 0)));
    assert_eq!(e.succeeds(1, 0), NOTHING);
    assert!(!e.engine.has_running());
    assert!(e.engine.keeps(at(1, 0)));
    let expected = ["prepare r1/1 w1#2.b", "write r1/0 w0.a Succeeded attempt 1"];
    assert_eq!(e.reopened(false), expected);
    assert!(e.engine.keeps(at(1, 0)));
    assert_eq!(e.written(), NOTHING);
    assert!(!e.engine.keeps(at(1, 0)));
}

#[test]
fn an_end_of_which_nobody_knows_is_kept_until_it_is_durable() {
    let mut e = Driver::called(Strategy::Halt, TWO);
    e.succeeds(1, 0);
    assert!(e.engine.keeps(at(1, 0)));
    assert_eq!(e.unknown_and_not_made(), ["release r1/1", "reopen"]);
    assert!(e.engine.keeps(at(1, 0)));
    let expected = ["prepare r1/1 w1#2.b", "write r1/0 w0.a Succeeded attempt 1"];
    assert_eq!(e.reopened(false), expected);
    assert_eq!(e.unknown_but_made(), ["release r1/1"]);
    assert_eq!(e.tick(5), ["reopen"]);
    assert_eq!(e.reopened(true), ["prepare r1/1 w1#2.b"]);
    e.prepared(1, 1);
    e.written();
    e.succeeds(1, 1);
    e.written();
    assert!(!e.engine.keeps(at(1, 0)) && !e.engine.keeps(at(1, 1)));
}

#[test]
fn each_batch_settles_the_ends_that_are_in_it() {
    let at_once = KeyBehaviour {
        workers_at_once: 2,
        ..behaviour(Strategy::Skip)
    };
    let mut e = Driver::on(Journal::default());
    let workers: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"]), ("w2", &["c"])];
    e.arrive(at_once, workers);
    e.declare(1);
    e.snapped(1);
    e.settle();
    e.prepared(1, 0);
    e.prepared(1, 1);
    e.settle();
    e.succeeds(1, 0);
    e.fails_step(1, 1);
    assert_eq!(e.written(), ["write r1/1 w1.b Failed attempt 1 (no)"]);
    assert!(!e.engine.keeps(at(1, 0)) && e.engine.keeps(at(1, 1)));
    assert_eq!(e.written(), NOTHING);
    assert!(!e.engine.keeps(at(1, 1)));
}

#[test]
fn what_settles_another_rotation_settles_nothing_of_this_one() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.declare(2);
    e.settle();
    e.interrupted();
    e.succeeds(1, 0);
    e.abort(2, &["w0"]);
    assert!(e.engine.keeps(at(1, 0)));
    let expected = "write r1/0 w0.a Succeeded attempt 1 \
                    | ended r1 completed #3 begun [0 w0.a Succeeded attempt 1]";
    let all = ["snapshot r2 data", "prepare r2/0 w0#1.a ahead", expected];
    assert_eq!(e.reopened(false), all);
}

#[test]
fn a_lost_call_is_kept_until_its_crash_is_durable_and_counts_once() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    let pending = "write r1/0 w0.a Pending attempt 1 crashes 1";
    assert_eq!(e.loses(1, 0), ["prepare r1/0 w0#1.a", pending]);
    assert!(e.engine.keeps(at(1, 0)));
    assert_eq!(e.unknown_and_not_made(), ["release r1/0", "reopen"]);
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a", pending]);
    assert_eq!(e.unknown_but_made(), ["release r1/0"]);
    e.tick(5);
    assert_eq!(e.reopened(true), ["prepare r1/0 w0#1.a"]);
    let in_progress = "write r1/0 w0.a InProgress attempt 2 crashes 1";
    assert_eq!(e.prepared(1, 0), [in_progress]);
    assert_eq!(e.written(), ["call r1/0 attempt 2"]);
    assert!(!e.engine.keeps(at(1, 0)));
}

#[test]
fn a_call_that_is_lost_while_nothing_can_be_written_is_a_crash_when_it_can() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.interrupted();
    assert_eq!(e.loses(1, 0), NOTHING);
    let pending = "write r1/0 w0.a Pending attempt 1 crashes 1";
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a", pending]);
    assert!(e.engine.keeps(at(1, 0)));
    assert_eq!(e.written(), NOTHING);
    assert!(!e.engine.keeps(at(1, 0)));
}

/// A callback that ended while nothing could be written.
fn ended() -> Driver {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.interrupted();
    e.succeeds(1, 0);
    e
}

fn step_0(journal: &mut Journal) -> &mut keyward::rotation::plan::Step {
    let (_, steps) = journal.rotations.values_mut().next().expect("a rotation");
    steps.get_mut(&0).expect("a step")
}

#[test]
fn an_end_of_an_attempt_that_the_journal_does_not_have_is_dropped() {
    let mut e = ended();
    e.journal = Driver::begun(Strategy::Halt, ONE).journal;
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a"]);
    let in_progress = "write r1/0 w0.a InProgress attempt 1";
    assert_eq!(e.prepared(1, 0), [in_progress]);
    assert_eq!(e.written(), ["call r1/0 attempt 1"]);
    assert!(!e.engine.keeps(at(1, 0)));
}

#[test]
fn an_end_of_another_attempt_than_the_journal_has_is_dropped() {
    let mut e = ended();
    step_0(&mut e.journal).attempt = 2;
    let given_back = "write r1/0 w0.a Pending attempt 2";
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a", given_back]);
    e.settle();
    let again = "write r1/0 w0.a InProgress attempt 3";
    assert_eq!(e.prepared(1, 0), [again]);
}

#[test]
fn an_end_that_does_not_match_the_call_under_way_is_nobodys() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    let outcome = || done(Effect::Nothing);
    assert_eq!(e.ended_as(1, 0, 2, outcome()), NOTHING);
    assert_eq!(e.ended_as(1, 1, 1, outcome()), NOTHING);
    assert_eq!(e.uncalled(1, 0, 2), NOTHING);
    assert!(!e.engine.keeps(at(1, 0)));
    e.interrupted();
    assert_eq!(e.ended_as(1, 0, 2, outcome()), NOTHING);
    assert_eq!(e.uncalled(1, 0, 2), NOTHING);
    assert!(e.engine.has_running());
    assert_eq!(e.reopened(false), NOTHING);
    assert!(e.engine.has_running());
}

#[test]
fn what_was_not_called_after_all_is_called_again_and_that_was_no_crash() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    let expected = ["prepare r1/0 w0#1.a", "write r1/0 w0.a Pending attempt 1"];
    assert_eq!(e.uncalled(1, 0, 1), expected);
    assert!(!e.engine.has_running());
    e.settle();
    let again = "write r1/0 w0.a InProgress attempt 2";
    assert_eq!(e.prepared(1, 0), [again]);
}

#[test]
fn what_was_not_called_while_nothing_could_be_written_is_called_after_the_reading() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.interrupted();
    assert_eq!(e.uncalled(1, 0, 1), NOTHING);
    assert!(!e.engine.has_running());
    assert!(!e.engine.keeps(at(1, 0)));
    let given_back = "write r1/0 w0.a Pending attempt 1";
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a", given_back]);
    e.settle();
    let again = "write r1/0 w0.a InProgress attempt 2";
    assert_eq!(e.prepared(1, 0), [again]);
}

#[test]
fn a_shutdown_leaves_nothing_in_progress_that_was_never_called() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.prepared(1, 0);
    e.unknown_but_made();
    e.died("w0", 1);
    let given_back = "write r1/0 w0.a Pending attempt 1";
    assert_eq!(e.reopened(true), [given_back]);
    e.step(Event::Close);
    assert_eq!(e.step(Event::Interrupt), NOTHING);
    e.settle();
    let step = step_0(&mut e.journal);
    assert_eq!((step.status, step.crashes), (CallbackStatus::Pending, 0));
}

#[test]
fn a_crash_that_the_life_began_with_still_counts_when_the_journal_is_read_anew() {
    let mut e = Driver::on(Driver::called(Strategy::Halt, ONE).journal);
    e.arrive(behaviour(Strategy::Halt), ONE);
    e.recovered();
    e.settle();
    assert_eq!(step_0(&mut e.journal).crashes, 1);
}

/// Regression: the crash was forgotten, and a callback that ends the process was called once more.
#[test]
fn a_crash_that_the_life_began_with_still_counts_when_the_next_call_was_not_written() {
    let mut e = Driver::on(Driver::called(Strategy::Halt, ONE).journal);
    e.arrive(behaviour(Strategy::Halt), ONE);
    let in_progress = "write r1/0 w0.a InProgress attempt 2 crashes 1";
    assert_eq!(e.prepared(1, 0), [in_progress]);
    e.refused();
    let pending = "write r1/0 w0.a Pending attempt 1 crashes 1";
    assert_eq!(e.reopened(false), ["prepare r1/0 w0#1.a", pending]);
}

#[test]
fn a_failed_end_is_kept_as_well() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.interrupted();
    e.fails_step(1, 0);
    let expected = "write r1/0 w0.a Failed attempt 1 (no) | r1 stopped #3 begun";
    assert_eq!(e.reopened(false), [expected]);
}

#[test]
fn what_ended_at_the_end_of_this_life_is_still_written_and_nothing_new_begins() {
    let mut e = Driver::called(Strategy::Halt, TWO);
    e.interrupted();
    e.succeeds(1, 0);
    e.step(Event::Close);
    let expected = "write r1/0 w0.a Succeeded attempt 1";
    assert_eq!(e.reopened(false), [expected]);
    assert_eq!(e.ask_to_join(9, "w9"), ["reply 9 error shut_down"]);
}

#[test]
fn only_what_is_called_or_settling_runs() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    assert!(!e.engine.has_running());
    e.prepared(1, 0);
    assert!(e.engine.has_running());
    e.written();
    assert_eq!(e.ended(1, 0, done(Effect::Decrypted)), ["propose r1/0"]);
    assert!(e.engine.has_running());
    e.proposed(1, 0);
    assert!(!e.engine.has_running());
}

#[test]
fn an_end_that_is_taken_back_at_the_end_of_this_life_is_not_durable() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    assert_eq!(e.ended(1, 0, done(Effect::Decrypted)), ["propose r1/0"]);
    e.step(Event::Close);
    let pending = ["write r1/0 w0.a Pending attempt 1"];
    assert_eq!(e.step(Event::Interrupt), pending);
    assert_eq!(e.written(), NOTHING);
    assert!(e.engine.keeps(at(1, 0)));
}

#[test]
fn a_rotation_that_settles_takes_its_own_ends_along_and_no_other_ones() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.define("other", behaviour(Strategy::Halt));
    e.step(Event::Register {
        ticket: 3,
        worker: worker("w0"),
        incarnation: 1,
        key: key("other"),
        callback: callback("b"),
        of: CallbackOf::Data,
    });
    e.step(Event::Declare {
        ticket: 5,
        declaration: declaration(2, "other"),
    });
    e.snapped(2);
    e.settle();
    e.prepared(2, 0);
    e.settle();
    e.fails_step(1, 0);
    e.succeeds(2, 0);
    let stopped = e.written();
    assert_eq!(stopped[..2], ["stopped r1", "settled r1 stopped"]);
    assert!(!e.engine.keeps(at(1, 0)) && e.engine.keeps(at(2, 0)));
    e.settle();
    assert!(!e.engine.keeps(at(2, 0)));
}

#[test]
fn an_end_that_turned_out_to_be_durable_is_dropped_when_its_rotation_stops() {
    let mut e = Driver::called(Strategy::Halt, TWO);
    e.succeeds(1, 0);
    e.unknown_but_made();
    assert_eq!(e.reopened(true), ["prepare r1/1 w1#2.b"]);
    e.prepared(1, 1);
    e.settle();
    e.fails_step(1, 1);
    assert_eq!(e.written(), ["stopped r1", "settled r1 stopped"]);
    assert!(!e.engine.keeps(at(1, 0)) && !e.engine.keeps(at(1, 1)));
}
