//! What operators ask for: waiting, resume, abort, dismissal, and the listing.

use keyward::key::state::Effect;
use keyward::rotation::event::Event;
use keyward::rotation::report::WaitsFor;

use crate::rotation_machine::script::{
    Coordinator, Strategy, behaviour, callback, done, failed, key, rid, worker,
};

const ONE: &[(&str, &[&str])] = &[("w0", &["a"])];
const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];

#[test]
fn a_resume_runs_what_failed_and_what_is_pending_and_never_what_has_succeeded() {
    let mut c = Coordinator::begun(Strategy::Skip, &[("w0", &["a", "b"]), ("w1", &["c"])]);
    c.succeed(1, 0);
    c.fail(1, 1);
    c.fail(1, 2);
    let expected = [
        "write next 8 | r1 waiting #6 place 7 begun resumes 1 \
         | r1/1 w0.b Pending attempt 1 (no) | r1/2 w1.c Pending attempt 1 (no) \
         | r1 running #6 place 7 begun resumes 1",
        "reply 7 accepted r1, when written",
        "prepare r1/1 w0#1.b",
    ];
    assert_eq!(c.resume(1), expected);
    let expected = [
        "write r1/1 w0.b InProgress attempt 2",
        "call r1/1 attempt 2, when written",
        "prepare r1/2 w1#2.c ahead",
    ];
    assert_eq!(c.prepared(1, 1), expected);
}

#[test]
fn a_resumed_rotation_supersedes_only_its_old_keys_and_says_so_when_it_proposes() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.fail(1, 0);
    c.resume(1);
    c.prepared(1, 0);
    let expected = ["propose r1/0 resumed"];
    assert_eq!(c.ended(1, 0, done(Effect::Decrypted)), expected);
    c.proposed(1, 0, true);
    c.prepared(1, 1);
    let effects = c.ended(1, 1, done(Effect::Nothing));
    assert_eq!(effects[1], "supersede r1 old, when written");
}

#[test]
fn a_resumed_rotation_has_a_place_behind_what_already_waits() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.declare(2);
    c.declare(3);
    c.fail(1, 0);
    c.snapped(2);
    c.resume(1);
    c.prepared(2, 0);
    let effects = c.ended(2, 0, failed());
    assert!(
        effects.contains(&"snapshot r3 data".to_owned()),
        "{effects:?}"
    );
    c.snapped(3);
    c.prepared(3, 0);
    let effects = c.ended(3, 0, failed());
    let expected = [
        "write r3/0 w0.a Failed attempt 1 (no) | r3 stopped #5 begun \
         | r1 running #3 place 6 begun resumes 1",
        "stopped r3, when written",
        "settled r3 stopped, when written",
        "prepare r1/0 w0#1.a",
    ];
    assert_eq!(effects, expected);
}

#[test]
fn a_resumed_rotation_becomes_obsolete_if_a_later_one_completes_before_it_runs() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.declare(2);
    c.fail(1, 0);
    c.snapped(2);
    c.resume(1);
    c.wait(1);
    c.prepared(2, 0);
    let expected = [
        "write r2/0 w0.a Succeeded attempt 1 \
         | ended r2 completed #4 begun [0 w0.a Succeeded attempt 1] \
         | r1 obsolete #3 place 5 begun resumes 1",
        "settled r1 obsolete, when written",
        "reply 6 report r1 obsolete, when written",
        "supersede r2 any, when written",
        "settled r2 completed, when written",
    ];
    assert_eq!(c.ended(2, 0, done(Effect::Nothing)), expected);
    assert_eq!(
        c.resume(1),
        ["reply 7 error wrong_state, when all is written"]
    );
}

#[test]
fn a_later_one_that_only_completed_with_failures_makes_nothing_obsolete() {
    let mut c = Coordinator::begun(Strategy::Skip, ONE);
    c.declare(2);
    c.fail(1, 0);
    c.snapped(2);
    c.fail(2, 0);
    let state = "completed_with_failures [0 w0.a Failed attempt 1 (no)]";
    assert_eq!(c.report(1), format!("r1 {state}"));
}

#[test]
fn an_effect_of_a_later_rotation_overtakes_what_an_earlier_one_still_does() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.declare(2);
    c.fail(1, 0);
    c.snapped(2);
    c.prepared(2, 0);
    c.ended(2, 0, done(Effect::Reencrypted));
    let expected = [
        "write record r2/0 | r2/0 w0.a Succeeded attempt 1 reencrypted \
         | r1 stopped #5 begun overtaken",
        "adopt r2/0, when written",
        "prepare r2/1 w1#2.b",
    ];
    assert_eq!(c.proposed(2, 0, true), expected);
    c.fail(2, 1);
    c.resume(1);
    c.prepared(1, 0);
    let expected = ["propose r1/0 overtaken resumed"];
    assert_eq!(c.ended(1, 0, done(Effect::Decrypted)), expected);
}

#[test]
fn a_change_that_does_not_apply_overtakes_nothing() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.declare(2);
    c.fail(1, 0);
    c.snapped(2);
    c.prepared(2, 0);
    c.ended(2, 0, done(Effect::Reencrypted));
    let effects = c.proposed(2, 0, false);
    let expected = "write record r2/0 | r2/0 w0.a Succeeded attempt 1 reencrypted";
    assert_eq!(effects[0], expected);
}

#[test]
fn a_resume_leaves_out_steps_whose_callback_is_gone_for_good() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.fail(1, 0);
    c.leave("w0", 1);
    let expected = [
        "write next 7 | r1 waiting #5 place 6 begun resumes 1 \
         | r1/0 w0.a Pending attempt 1 removed (no) | r1/1 w1.b Pending \
         | r1 running #5 place 6 begun resumes 1",
        "reply 7 accepted r1, when written",
        "prepare r1/1 w1#2.b",
    ];
    assert_eq!(c.resume(1), expected);
}

#[test]
fn only_what_stopped_or_failed_is_resumed() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.declare(2);
    let wrong = ["reply 7 error wrong_state, when all is written"];
    assert_eq!(c.resume(1), wrong);
    assert_eq!(c.resume(2), wrong);
    assert_eq!(c.resume(9), ["reply 7 not live r9, when all is written"]);
}

#[test]
fn a_resume_needs_a_place_in_the_queue() {
    let mut narrow = behaviour(Strategy::Halt);
    narrow.max_waiting_rotations = 1;
    let mut c = Coordinator::with_key(narrow, ONE);
    c.declare(1);
    c.snapped(1);
    c.declare(2);
    c.fail(1, 0);
    c.snapped(2);
    c.declare(3);
    assert_eq!(c.resume(1), ["reply 7 error busy, when all is written"]);
}

#[test]
fn an_abort_needs_every_worker_named_whose_steps_have_not_succeeded() {
    let mut c = Coordinator::begun(Strategy::Halt, &[("w0", &["a"]), ("w1", &["b", "c"])]);
    c.succeed(1, 0);
    c.fail(1, 1);
    let unconfirmed = ["reply 8 error not_confirmed, when all is written"];
    assert_eq!(c.abort(1, &[]), unconfirmed);
    assert_eq!(c.abort(1, &["w0"]), unconfirmed);
    let expected = [
        "write ended r1 aborted #6 begun [0 w0.a Succeeded attempt 1, \
         1 w1.b Failed attempt 1 (no), 2 w1.c Pending]",
        "settled r1 aborted, when written",
        "reply 8 done, when written",
    ];
    assert_eq!(c.abort(1, &["w1"]), expected);
    assert_eq!(
        c.abort(1, &["w1"]),
        ["reply 8 not live r1, when all is written"]
    );
}

#[test]
fn an_abort_is_refused_while_a_callback_runs() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    let runs = ["reply 8 error callback_runs, when all is written"];
    assert_eq!(c.abort(1, &["w0"]), runs);
    c.ended(1, 0, done(Effect::Decrypted));
    assert_eq!(c.abort(1, &["w0"]), runs);
}

#[test]
fn an_abort_gives_the_turn_to_the_next_and_tells_who_waited() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.wait(1);
    c.declare(2);
    let expected = [
        "write ended r1 aborted #3 begun [0 w0.a Pending]",
        "release r1/0",
        "settled r1 aborted, when written",
        "reply 6 report r1 aborted, when written",
        "snapshot r2 data",
        "prepare r2/0 w0#1.a ahead",
        "reply 8 done, when written",
    ];
    assert_eq!(c.abort(1, &["w0"]), expected);
}

#[test]
fn a_rotation_of_a_key_that_is_not_defined_and_an_obsolete_one_can_be_aborted() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.declare(2);
    let mut c = c.crash();
    c.abort(2, &["w0"]);
    assert_eq!(c.history(2), "r2 aborted #4 [0 w0.a Pending]");

    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.declare(2);
    c.fail(1, 0);
    c.snapped(2);
    c.succeed(2, 0);
    c.abort(1, &["w0"]);
    let aborted = "r1 aborted #3 begun [0 w0.a Failed attempt 1 (no)]";
    assert_eq!(c.history(1), aborted);
}

#[test]
fn a_waiting_rotation_that_is_aborted_does_not_run() {
    let mut c = Coordinator::with(Strategy::Halt, ONE);
    c.declare(1);
    c.abort(1, &["w0"]);
    assert_eq!(c.snapped(1), [""; 0]);
}

#[test]
fn an_unreadable_rotation_lets_none_of_its_key_start_until_it_is_dismissed() {
    let mut c = Coordinator::with(Strategy::Halt, ONE).with_unreadable(9);
    c.define("data", behaviour(Strategy::Halt));
    let expected = [
        "write next 4 | r1 waiting #3 | keys r1 | r1/0 w0.a Pending",
        "accepted 5 r1 data",
        "reply 5 accepted r1, when written",
    ];
    assert_eq!(c.declare(1), expected);
    let unreadable = ["reply 8 error rotation_unreadable, when all is written"];
    assert_eq!(c.abort(9, &[]), unreadable);
    let wrong = ["reply 9 error wrong_state, when all is written"];
    assert_eq!(c.dismiss(1), wrong);
    let expected = [
        "write dismissed r9 | act: dismissed rotation 00000000-0000-0000-0000-000000000009 of key data",
        "reply 9 done, when written",
        "snapshot r1 data",
    ];
    assert_eq!(c.dismiss(9), expected);
    assert_eq!(c.dismiss(9), ["reply 9 not live r9, when all is written"]);
}

#[test]
fn an_unreadable_rotation_keeps_one_that_ran_before_a_crash_from_going_on() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE).with_unreadable(9);
    c.define("data", behaviour(Strategy::Halt));
    c.join("w0");
    assert_eq!(
        c.register("w0", 1, "data", "a"),
        ["registered 3 data w0.a", "reply 3 done"]
    );
    let waits = c.machine.report(rid(1)).expect("it lives").waits_for;
    assert_eq!(waits, [WaitsFor::Unreadable { id: rid(9) }]);
    let effects = c.dismiss(9);
    assert_eq!(effects.last().expect("effects"), "prepare r1/0 w0#1.a");
}

#[test]
fn whoever_waits_is_answered_when_the_rotation_settles() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    assert_eq!(c.wait(1), [""; 0]);
    let effects = c.fail(1, 0);
    let report = "reply 6 report r1 stopped, when written";
    assert_eq!(effects.last().expect("effects"), report);
    assert_eq!(
        c.wait(1),
        ["reply 6 report r1 stopped, when all is written"]
    );
    assert_eq!(c.wait(9), ["reply 6 not live r9, when all is written"]);
    let mut c = c.with_unreadable(8);
    assert_eq!(c.wait(8), ["reply 6 error rotation_unreadable"]);
}

#[test]
fn whoever_does_not_wait_any_more_is_not_answered() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.wait(1);
    assert_eq!(c.step(Event::Gone { ticket: 6 }), [""; 0]);
    let effects = c.fail(1, 0);
    assert_eq!(
        effects.last().expect("effects"),
        "settled r1 stopped, when written"
    );
}

#[test]
fn a_key_is_defined_once_and_as_its_unfinished_rotations_were_accepted() {
    let mut one_way = behaviour(Strategy::Halt);
    one_way.use_case = keyward::key::flow::SecretKeyUseCase::OneWayTrip;
    let c = Coordinator::begun(Strategy::Halt, ONE);
    let mut c = c.crash();
    let refused = ["reply 1 error invalid_definition"];
    assert_eq!(c.define("data", one_way.clone()), refused);
    assert_eq!(
        c.define("data", behaviour(Strategy::Halt)),
        ["defined 1 data", "reply 1 done"]
    );
    assert_eq!(c.define("data", behaviour(Strategy::Halt)), refused);
    c.abort(1, &["w0"]);
    let mut c = c.crash();
    assert_eq!(
        c.define("data", one_way),
        ["defined 1 data", "reply 1 done"]
    );
}

#[test]
fn the_listing_says_for_whom_a_rotation_waits() {
    let waits = |c: &Coordinator, rotation| {
        let report = c.machine.report(rid(rotation));
        report.expect("it lives").waits_for
    };
    let of = |w: &str, call: &str| (worker(w), callback(call));
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.declare(2);
    let (w0, a) = of("w0", "a");
    c.prepared(1, 0);
    let callback_runs = WaitsFor::Callback {
        worker: w0.clone(),
        callback: a.clone(),
    };
    assert_eq!(waits(&c, 1), [callback_runs]);
    assert_eq!(waits(&c, 2), [WaitsFor::Rotation { id: rid(1) }]);
    let mut c = c.crash();
    assert_eq!(waits(&c, 1), [WaitsFor::Definition]);
    c.define("data", behaviour(Strategy::Halt));
    let absent = WaitsFor::Worker {
        worker: w0,
        callback: a,
    };
    assert_eq!(waits(&c, 1), [absent]);
    let why = "full".to_owned().into();
    c.step(Event::Paused { why });
    assert_eq!(waits(&c, 1), [WaitsFor::Journal]);
    assert_eq!(c.machine.reports().len(), 2);
    assert_eq!(c.machine.reports()[0].key, key("data"));
}

#[test]
fn a_rotation_lives_under_its_key_until_it_has_ended() {
    let mut c = Coordinator::with(Strategy::Halt, ONE);
    let data = key("data");
    assert!(!c.machine.is_live(rid(1)) && c.machine.live_of(&data).is_empty());
    assert_eq!(c.machine.key_of(rid(1)), None);
    c.declare(1);
    c.declare(2);
    assert!(c.machine.is_live(rid(1)));
    assert_eq!(c.machine.live_of(&data), [rid(1), rid(2)]);
    assert_eq!(c.machine.live_of(&key("other")), []);
    assert_eq!(c.machine.key_of(rid(2)), Some(data.clone()));
    c.abort(1, &["w0"]);
    assert!(!c.machine.is_live(rid(1)));
    assert_eq!(c.machine.live_of(&data), [rid(2)]);
    assert_eq!(c.machine.key_of(rid(1)), None);
}

#[test]
fn what_becomes_ready_after_the_close_is_released_and_not_called() {
    let mut c = Coordinator::begun(Strategy::Halt, &[("w0", &["a"])]);
    c.step(Event::Close);
    assert_eq!(c.prepared(1, 0), ["release r1/0"]);
    assert_eq!(c.report(1), "r1 running [0 w0.a Pending]");
}
