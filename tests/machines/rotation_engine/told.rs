//! What each kind of asker is told when the write that its answer waits for fails: at once, and
//! never more than is known. A caller that waits for a rotation goes on waiting.

use keyward::rotation::event::{Declaration, Event, OldKeys};

use crate::rotation_engine::driver::{Driver, NOTHING, ONE, TWO};
use crate::rotation_machine::script::{Strategy, declaration, rid};

/// The actions after a write that was not made, and after one with an unknown outcome.
fn both_ways(set_up: impl Fn() -> Driver) -> [Vec<String>; 2] {
    let (mut known, mut unknown) = (set_up(), set_up());
    [known.refused(), unknown.unknown_and_not_made()]
}

#[test]
fn what_is_durable_is_answered_and_nothing_before() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    let expected = [
        "accepted 5 r1 data",
        "snapshot r1 data",
        "prepare r1/0 w0#1.a ahead",
        "write next 4 | r1 waiting #3 | keys r1 | r1/0 w0.a Pending",
    ];
    assert_eq!(e.declare(1), expected);
    assert!(!e.engine.is_settled());
    assert_eq!(e.written(), ["reply 5 accepted r1"]);
    assert!(e.engine.is_settled());
}

#[test]
fn an_end_of_a_write_that_is_not_under_way_is_nobodys() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    let actions = e.engine.written(Ok(()), e.now());
    assert_eq!(e.take(&actions), NOTHING);
}

#[test]
fn a_declaration_that_was_not_written_is_refused_and_an_unknown_one_names_its_rotation() {
    let declared = || {
        let mut e = Driver::with(Strategy::Halt, ONE);
        e.declare(1);
        e
    };
    let [known, unknown] = both_ways(declared);
    assert_eq!(
        known,
        ["release r1/0", "reply 5 error repo_unavailable", "reopen"]
    );
    assert_eq!(
        unknown,
        ["release r1/0", "reply 5 error write_unknown r1", "reopen"]
    );

    let mut e = declared();
    e.unknown_and_not_made();
    assert_eq!(e.reopened(false), NOTHING);
    assert!(!e.engine.machine().is_live(rid(1)));

    let mut e = declared();
    e.unknown_but_made();
    assert_eq!(
        e.reopened(true),
        ["snapshot r1 data", "prepare r1/0 w0#1.a ahead"]
    );
    assert_eq!(e.report(1), "r1 waiting [0 w0.a Pending]");
}

#[test]
fn a_resume_that_was_not_written_is_refused_and_what_it_prepared_is_let_go() {
    let resumed = || {
        let mut e = Driver::called(Strategy::Halt, ONE);
        e.fails_step(1, 0);
        e.settle();
        let expected = [
            "prepare r1/0 w0#1.a",
            "write next 5 | r1 waiting #3 place 4 begun resumes 1 | r1/0 w0.a Pending attempt 1 \
             (no) | r1 running #3 place 4 begun resumes 1",
        ];
        assert_eq!(e.resume(1), expected);
        e
    };
    let [known, unknown] = both_ways(resumed);
    let refused = "reply 7 error repo_unavailable";
    assert_eq!(known, ["release r1/0", refused, "reopen"]);
    let refused = "reply 7 error write_unknown r1";
    assert_eq!(unknown, ["release r1/0", refused, "reopen"]);

    let mut e = resumed();
    e.refused();
    assert_eq!(e.reopened(false), NOTHING);
    assert_eq!(e.report(1), "r1 stopped [0 w0.a Failed attempt 1 (no)]");
}

#[test]
fn an_abort_and_a_leave_that_were_not_written_are_refused() {
    let aborted = || {
        let mut e = Driver::begun(Strategy::Halt, ONE);
        e.abort(1, &["w0"]);
        e
    };
    let [known, unknown] = both_ways(aborted);
    assert_eq!(known, ["reply 8 error repo_unavailable", "reopen"]);
    assert_eq!(unknown, ["reply 8 error write_unknown", "reopen"]);

    let left = || {
        let mut e = Driver::with(Strategy::Halt, TWO);
        e.leave("w1");
        e
    };
    let [known, unknown] = both_ways(left);
    assert_eq!(known, ["reply 4 error repo_unavailable", "reopen"]);
    assert_eq!(unknown, ["reply 4 error write_unknown", "reopen"]);
}

#[test]
fn a_refusal_that_rests_on_a_write_that_was_not_made_is_told_as_one_of_the_journal() {
    let refused = || {
        let mut e = Driver::begun(Strategy::Halt, ONE);
        e.ask_to_join(9, "w9");
        assert_eq!(e.resume(1), NOTHING);
        e
    };
    let told = "reply 7 error repo_unavailable";
    let [known, unknown] = both_ways(refused);
    let join = "reply 9 error repo_unavailable";
    assert_eq!(known, ["release r1/0", join, told, "reopen"]);
    let join = "reply 9 error write_unknown";
    assert_eq!(unknown, ["release r1/0", join, told, "reopen"]);
}

#[test]
fn a_search_that_waited_for_a_write_is_not_made() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    assert_eq!(e.declare_chosen(1), ["search 5 r1"]);
    let searching = || {
        let mut e = Driver::with(Strategy::Halt, ONE);
        e.ask_to_join(9, "w9");
        assert_eq!(e.declare_chosen(1), NOTHING);
        e
    };
    let mut e = searching();
    assert_eq!(
        e.written(),
        ["joined w9#2", "reply 9 joined 2", "search 5 r1"]
    );
    let refused = "reply 5 error repo_unavailable";
    let [known, unknown] = both_ways(searching);
    assert_eq!(known, ["reply 9 error repo_unavailable", refused, "reopen"]);
    assert_eq!(unknown, ["reply 9 error write_unknown", refused, "reopen"]);
}

#[test]
fn old_keys_are_not_looked_for_before_what_the_key_may_adopt_is_durable() {
    let looking = || {
        let mut e = Driver::with(Strategy::Halt, ONE);
        e.ask_to_join(9, "w9");
        let declaration = Declaration {
            old: OldKeys::Undeclared,
            ..declaration(1, "data")
        };
        let ticket = 5;
        assert_eq!(
            e.step(Event::Declare {
                ticket,
                declaration
            }),
            NOTHING
        );
        e
    };
    let mut e = looking();
    assert_eq!(
        e.written(),
        ["joined w9#2", "reply 9 joined 2", "find 5 r1 held"]
    );
    let refused = "reply 5 error repo_unavailable";
    let [known, unknown] = both_ways(looking);
    assert_eq!(known, ["reply 9 error repo_unavailable", refused, "reopen"]);
    assert_eq!(unknown, ["reply 9 error write_unknown", refused, "reopen"]);
}

#[test]
fn what_was_not_handed_out_as_a_batch_was_certainly_not_made() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.ask_to_join(9, "w9");
    assert_eq!(
        e.declare(1),
        [
            "accepted 5 r1 data",
            "snapshot r1 data",
            "prepare r1/0 w0#1.a ahead",
        ]
    );
    let expected = [
        "release r1/0",
        "reply 5 error repo_unavailable",
        "reply 9 error write_unknown",
        "reopen",
    ];
    assert_eq!(e.unknown_and_not_made(), expected);
}

#[test]
fn whoever_waits_for_a_rotation_waits_on_until_the_journal_says_what_became_of_it() {
    let waited = || {
        let mut e = Driver::called(Strategy::Halt, ONE);
        e.wait(1);
        let failed = "write r1/0 w0.a Failed attempt 1 (no) | r1 stopped #3 begun";
        assert_eq!(e.fails_step(1, 0), [failed]);
        e
    };
    let mut e = waited();
    assert_eq!(e.unknown_but_made(), ["reopen"]);
    let expected = [
        "stopped r1",
        "settled r1 stopped",
        "reply 6 report r1 stopped",
    ];
    assert_eq!(e.reopened(true), expected);

    for not_made in [Driver::refused, Driver::unknown_and_not_made] {
        let mut e = waited();
        assert_eq!(not_made(&mut e), ["reopen"]);
        let again = "write r1/0 w0.a Failed attempt 1 (no) | r1 stopped #3 begun";
        assert_eq!(e.reopened(false), [again]);
        assert_eq!(e.written(), expected);
    }
}

#[test]
fn whoever_waits_for_a_rotation_that_was_never_accepted_learns_that_it_does_not_live() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.declare(1);
    assert_eq!(e.wait(1), NOTHING);
    e.refused();
    assert_eq!(e.reopened(false), ["reply 6 not live r1"]);

    let mut e = Driver::with(Strategy::Halt, ONE);
    e.ask_to_join(9, "w9");
    assert_eq!(e.wait(1), NOTHING);
    assert_eq!(e.refused(), ["reply 9 error repo_unavailable", "reopen"]);
    assert_eq!(e.reopened(false), ["reply 6 not live r1"]);
}

#[test]
fn whoever_does_not_wait_any_more_is_not_asked_for_again() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.wait(1);
    e.fails_step(1, 0);
    e.unknown_but_made();
    assert_eq!(e.gone(6), NOTHING);
    assert_eq!(e.reopened(true), ["stopped r1", "settled r1 stopped"]);
}

#[test]
fn a_report_that_nobody_waits_for_any_more_is_not_waited_for_again() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.wait(1);
    e.fails_step(1, 0);
    e.gone(6);
    let expected = ["reply 6 error write_unknown r1", "reopen"];
    assert_eq!(e.unknown_but_made(), expected);
    assert_eq!(e.reopened(true), ["stopped r1", "settled r1 stopped"]);
}

#[test]
fn whoever_has_been_answered_does_not_wait_any_more() {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.wait(1);
    e.fails_step(1, 0);
    let expected = [
        "stopped r1",
        "settled r1 stopped",
        "reply 6 report r1 stopped",
    ];
    assert_eq!(e.written(), expected);
    // The same number may ask for something else: it is told as who asks for that.
    e.ask_to_join(6, "w9");
    assert_eq!(e.refused(), ["reply 6 error repo_unavailable", "reopen"]);
}

#[test]
fn while_the_journal_is_read_nobody_knows_which_rotation_has_ended() {
    let mut e = Driver::with(Strategy::Halt, ONE);
    e.interrupted();
    assert_eq!(e.wait(1), ["reply 6 error repo_unavailable"]);
    e.reopened(false);
    assert_eq!(e.wait(1), ["reply 6 not live r1"]);
}

/// A client waits for a rotation with an end that is being written.
fn waited_for() -> Driver {
    let mut e = Driver::called(Strategy::Halt, ONE);
    e.wait(1);
    e.fails_step(1, 0);
    e
}

#[test]
fn at_the_end_of_this_life_nobody_waits_for_what_a_failed_write_would_have_said() {
    let mut e = waited_for();
    e.step(Event::Close);
    assert_eq!(e.refused(), ["reply 6 error shut_down", "reopen"]);

    let mut e = waited_for();
    assert_eq!(e.refused(), ["reopen"]);
    e.step(Event::Close);
    assert_eq!(e.step(Event::Interrupt), ["reply 6 error shut_down"]);
    assert_eq!(e.step(Event::Interrupt), NOTHING);

    let mut e = waited_for();
    e.refused();
    e.gone(6);
    e.step(Event::Close);
    assert_eq!(e.step(Event::Interrupt), NOTHING);
}
