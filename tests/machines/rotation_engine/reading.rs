//! When the journal is read anew: after the batch under way, once, and not more often than is set.

use crate::rotation_engine::driver::{Driver, NOTHING, ONE};
use crate::rotation_machine::script::Strategy;

/// An engine that has read its journal anew at the second 0.
fn recovered() -> Driver {
    let mut e = Driver::with(Strategy::Halt, ONE);
    assert_eq!(e.interrupted(), ["reopen"]);
    assert_eq!(e.engine.machine().paused(), Some("a save failed"));
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.engine.machine().paused(), None);
    e
}

#[test]
fn with_nothing_under_way_the_journal_is_read_anew_at_once_and_once() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    assert_eq!(e.interrupted(), ["reopen"]);
    assert_eq!(e.interrupted(), NOTHING);
    assert_eq!(e.restarted(), NOTHING);
    assert_eq!(e.tick(100), NOTHING);
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.reopened(false), NOTHING);
}

#[test]
fn an_answer_to_a_reading_that_was_not_asked_for_is_nobodys() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    assert_eq!(e.reopened(true), NOTHING);
    assert_eq!(e.cannot_reopen(), NOTHING);
    assert_eq!(e.engine.machine().paused(), None);
}

#[test]
fn the_batch_under_way_ends_before_the_journal_is_read_anew() {
    for interrupt in [Driver::interrupted, Driver::restarted] {
        let mut e = Driver::with(Strategy::Halt, ONE);
        e.declare(1);
        assert_eq!(interrupt(&mut e), ["release r1/0"]);
        assert_eq!(e.interrupted(), NOTHING);
        assert_eq!(e.reopened(false), NOTHING);
        assert!(!e.engine.is_settled());
        assert_eq!(e.written(), ["reply 5 accepted r1", "reopen"]);
        assert!(e.engine.is_settled());
        assert_eq!(
            e.reopened(false),
            ["snapshot r1 data", "prepare r1/0 w0#1.a ahead"]
        );
    }
}

#[test]
fn a_batch_that_fails_while_it_is_awaited_is_told_of_and_the_journal_is_read_anew() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.declare(1);
    e.interrupted();
    let expected = ["reply 5 error write_unknown r1", "reopen"];
    assert_eq!(e.unknown_but_made(), expected);
    assert_eq!(e.engine.machine().paused(), Some("a save failed"));
    assert_eq!(
        e.reopened(true),
        ["snapshot r1 data", "prepare r1/0 w0#1.a ahead"]
    );
}

#[test]
fn what_was_to_follow_the_batch_under_way_is_given_up_when_the_actor_dies() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.ask_to_join(9, "w9");
    e.declare(1);
    assert_eq!(
        e.restarted(),
        ["release r1/0", "reply 5 error repo_unavailable"]
    );
    assert_eq!(e.written(), ["joined w9#2", "reply 9 joined 2", "reopen"]);
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.report(1), "");
}

#[test]
fn while_a_batch_is_awaited_what_it_allows_is_done_and_nothing_new_is_written() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    e.prepared(1, 0);
    assert_eq!(e.restarted(), NOTHING);
    assert!(!e.engine.has_running());
    assert_eq!(e.declare(2), ["reply 5 error repo_unavailable"]);
    assert_eq!(e.written(), ["call r1/0 attempt 1", "reopen"]);
    assert!(e.engine.has_running());
    assert_eq!(e.reopened(false), NOTHING);
    assert!(e.engine.has_running());
}

#[test]
fn one_reading_follows_another_only_after_the_time_that_is_set() {
    let mut e = recovered();
    e.seconds = 1;
    assert_eq!(e.interrupted(), NOTHING);
    assert_eq!(e.engine.next_deadline(), Some(e.time(5)));
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.tick(4), NOTHING);
    assert_eq!(e.tick(5), ["reopen"]);
    assert_eq!(e.engine.next_deadline(), None);
    assert_eq!(e.tick(6), NOTHING);
    e.reopened(false);

    let mut e = recovered();
    e.seconds = 5;
    assert_eq!(e.interrupted(), ["reopen"]);
}

#[test]
fn a_second_failed_write_waits_as_well_and_its_asker_does_not() {
    let mut e = recovered();
    e.seconds = 2;
    e.declare(1);
    assert_eq!(
        e.refused(),
        ["release r1/0", "reply 5 error repo_unavailable"]
    );
    assert_eq!(e.declare(2), ["reply 5 error repo_unavailable"]);
    assert_eq!(e.tick(5), ["reopen"]);
    assert_eq!(e.reopened(false), NOTHING);
    e.declare(3);
    assert_eq!(e.written(), ["reply 5 accepted r3"]);
}

#[test]
fn a_journal_that_cannot_be_read_is_read_again_after_the_time_that_is_set() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.interrupted();
    e.seconds = 2;
    assert_eq!(e.cannot_reopen(), NOTHING);
    let why = "a save failed; and since then: still full";
    assert_eq!(e.engine.machine().paused(), Some(why));
    assert_eq!(e.engine.next_deadline(), Some(e.time(7)));
    assert_eq!(e.interrupted(), NOTHING);
    assert_eq!(e.restarted(), NOTHING);
    assert_eq!(e.tick(6), NOTHING);
    assert_eq!(e.tick(8), ["reopen"]);
    e.seconds = 9;
    e.cannot_reopen();
    assert_eq!(e.tick(13), NOTHING);
    assert_eq!(e.tick(14), ["reopen"]);
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.engine.machine().paused(), None);
}

#[test]
fn an_actor_that_died_reads_at_once_unless_the_journal_had_failed() {
    let mut e = recovered();
    e.seconds = 1;
    assert_eq!(e.restarted(), ["reopen"]);
    e.reopened(false);

    let mut e = recovered();
    e.seconds = 1;
    e.interrupted();
    assert_eq!(e.restarted(), NOTHING);
    assert_eq!(e.tick(4), NOTHING);
    assert_eq!(e.tick(5), ["reopen"]);
}

#[test]
fn the_next_deadline_is_the_first_of_the_next_reading_and_of_a_steps_wait() {
    let mut e = Driver::begun(Strategy::Halt, ONE);
    assert_eq!(e.engine.next_deadline(), Some(e.time(60)));
    e.interrupted();
    assert_eq!(e.engine.next_deadline(), Some(e.time(60)));
    e.seconds = 1;
    e.cannot_reopen();
    assert_eq!(e.engine.next_deadline(), Some(e.time(6)));
    assert_eq!(e.tick(6), ["reopen"]);
    e.seconds = 58;
    e.cannot_reopen();
    assert_eq!(e.engine.next_deadline(), Some(e.time(60)));
    assert_eq!(e.tick(60), NOTHING);
    assert_eq!(e.engine.next_deadline(), Some(e.time(63)));
    assert_eq!(e.tick(63), ["reopen"]);
}
