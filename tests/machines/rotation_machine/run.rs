//! Taking a rotation through its plan: durable before called, strategies, effects, the end.

use keyward::key::definition::KeyBehaviour;
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::state::Effect;
use keyward::rotation::event::{Declaration, Event, StepOutcome};

use crate::rotation_machine::script::{
    Coordinator, Strategy, at, behaviour, declaration, done, failed,
};

const ONE: &[(&str, &[&str])] = &[("w0", &["a"])];
const TWO: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];

#[test]
fn a_rotation_begins_with_what_the_key_has_and_then_prepares_its_first_step() {
    let mut c = Coordinator::with(Strategy::Halt, TWO);
    c.declare(1);
    let expected = [
        "write snapshot r1 | r1 running #5 begun",
        "prepare r1/0 w0#1.a",
    ];
    assert_eq!(c.snapped(1), expected);
    assert_eq!(c.snapped(1), [""; 0]);
}

#[test]
fn in_progress_is_durable_before_the_callback_is_called() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    let expected = [
        "write r1/0 w0.a InProgress attempt 1",
        "call r1/0 attempt 1, when written",
        "prepare r1/1 w1#2.b ahead",
    ];
    assert_eq!(c.prepared(1, 0), expected);
    assert_eq!(c.prepared(1, 0), ["release r1/0"]);
}

#[test]
fn succeeded_is_durable_before_the_next_callback_is_called() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    let expected = ["write r1/0 w0.a Succeeded attempt 1", "prepare r1/1 w1#2.b"];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), expected);
    let expected = [
        "write r1/1 w1.b InProgress attempt 1",
        "call r1/1 attempt 1, when written",
    ];
    assert_eq!(c.prepared(1, 1), expected);
}

#[test]
fn the_last_success_completes_the_rotation_and_supersedes_what_is_held() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.wait(1);
    c.prepared(1, 0);
    let expected = [
        "write r1/0 w0.a Succeeded attempt 1 \
         | ended r1 completed #3 begun [0 w0.a Succeeded attempt 1]",
        "supersede r1 any, when written",
        "settled r1 completed, when written",
        "reply 6 report r1 completed, when written",
    ];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), expected);
    assert_eq!(c.report(1), "");
}

#[test]
fn a_rotation_without_callbacks_completes_at_once() {
    let mut c = Coordinator::with(Strategy::Halt, &[]);
    c.declare(1);
    let expected = [
        "write snapshot r1 | r1 running #1 begun | ended r1 completed #1 begun []",
        "supersede r1 any, when written",
        "settled r1 completed, when written",
    ];
    assert_eq!(c.snapped(1), expected);
}

#[test]
fn record_and_succeeded_are_one_write_before_the_key_adopts_and_the_next_is_called() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    assert_eq!(c.ended(1, 0, done(Effect::Decrypted)), ["propose r1/0"]);
    let expected = [
        "write record r1/0 | r1/0 w0.a Succeeded attempt 1 decrypted",
        "adopt r1/0, when written",
        "prepare r1/1 w1#2.b",
    ];
    assert_eq!(c.proposed(1, 0, true), expected);
    assert_eq!(c.proposed(1, 0, true), [""; 0]);
}

#[test]
fn staged_changes_are_proposed_even_without_an_effect() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.prepared(1, 0);
    let outcome = StepOutcome::Done {
        effect: Effect::Nothing,
        staged: true,
    };
    assert_eq!(c.ended(1, 0, outcome), ["propose r1/0"]);
}

#[test]
fn a_rotation_with_a_callback_that_reencrypted_supersedes_nothing() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.prepared(1, 0);
    c.ended(1, 0, done(Effect::Reencrypted));
    c.proposed(1, 0, true);
    c.prepared(1, 1);
    let expected = [
        "write r1/1 w1.b Succeeded attempt 1 | ended r1 completed #5 begun \
         [0 w0.a Succeeded attempt 1 reencrypted, 1 w1.b Succeeded attempt 1]",
        "settled r1 completed, when written",
    ];
    assert_eq!(c.ended(1, 1, done(Effect::Nothing)), expected);
}

#[test]
fn reencrypted_without_new_keys_is_an_error_of_the_callback() {
    for use_case in [SecretKeyUseCase::RoundTrip, SecretKeyUseCase::OneWayTrip] {
        let behaviour = KeyBehaviour {
            use_case,
            ..behaviour(Strategy::Halt)
        };
        let mut c = Coordinator::with_key(behaviour, ONE);
        let declaration = Declaration {
            new_keys: None,
            ..declaration(1, "data")
        };
        let ticket = 5;
        c.step(Event::Declare {
            ticket,
            declaration,
        });
        c.snapped(1);
        c.prepared(1, 0);
        c.ended(1, 0, done(Effect::Reencrypted));
        let error = "the callback answered reencrypted, but no new keys were declared";
        let step = format!("0 w0.a Failed attempt 1 ({error})");
        assert_eq!(c.report(1), format!("r1 stopped [{step}]"));
    }
}

#[test]
fn on_a_one_way_key_an_effect_is_noted_and_nothing_is_proposed() {
    let behaviour = KeyBehaviour {
        use_case: SecretKeyUseCase::OneWayTrip,
        ..behaviour(Strategy::Halt)
    };
    let mut c = Coordinator::with_key(behaviour, TWO);
    c.declare(1);
    c.snapped(1);
    c.prepared(1, 0);
    let expected = [
        "write r1/0 w0.a Succeeded attempt 1 reencrypted",
        "prepare r1/1 w1#2.b",
    ];
    assert_eq!(c.ended(1, 0, done(Effect::Reencrypted)), expected);
}

#[test]
fn halt_and_raise_immediately_stop_at_the_first_failure_and_supersede_nothing() {
    for strategy in [Strategy::Halt, Strategy::RaiseImmediately] {
        let mut c = Coordinator::begun(strategy, TWO);
        c.wait(1);
        c.prepared(1, 0);
        let expected = [
            "write r1/0 w0.a Failed attempt 1 (no) | r1 stopped #5 begun",
            "release r1/1",
            "stopped r1, when written",
            "settled r1 stopped, when written",
            "reply 6 report r1 stopped, when written",
        ];
        assert_eq!(c.ended(1, 0, failed()), expected);
    }
}

#[test]
fn a_rotation_that_stopped_at_its_last_step_supersedes_nothing() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    c.succeed(1, 0);
    c.prepared(1, 1);
    let expected = [
        "write r1/1 w1.b Failed attempt 1 (no) | r1 stopped #5 begun",
        "stopped r1, when written",
        "settled r1 stopped, when written",
    ];
    assert_eq!(c.ended(1, 1, failed()), expected);
}

#[test]
fn skip_and_skip_and_raise_go_on_and_supersede_at_the_end() {
    for strategy in [Strategy::Skip, Strategy::SkipAndRaise] {
        let mut c = Coordinator::begun(strategy, TWO);
        c.prepared(1, 0);
        let expected = [
            "write r1/0 w0.a Failed attempt 1 (no)",
            "prepare r1/1 w1#2.b",
        ];
        assert_eq!(c.ended(1, 0, failed()), expected);
        c.prepared(1, 1);
        let expected = [
            "write r1/1 w1.b Succeeded attempt 1 | r1 completed_with_failures #5 begun",
            "stopped r1, when written",
            "supersede r1 any, when written",
            "settled r1 completed_with_failures, when written",
        ];
        assert_eq!(c.ended(1, 1, done(Effect::Nothing)), expected);
    }
}

#[test]
fn only_strategies_that_raise_make_the_report_an_error() {
    for strategy in Strategy::ALL {
        let mut c = Coordinator::begun(strategy, ONE);
        c.fail(1, 0);
        let report = c
            .machine
            .report(crate::rotation_machine::script::rid(1))
            .expect("it lives");
        assert_eq!(report.raises(), strategy.raises(), "{strategy}");
    }
}

#[test]
fn rotations_of_a_key_run_one_after_the_other_and_a_stopped_one_gives_way() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.declare(2);
    assert_eq!(
        c.declare(3).last().expect("effects"),
        "reply 5 accepted r3, when written"
    );
    c.prepared(1, 0);
    let expected = [
        "write r1/0 w0.a Failed attempt 1 (no) | r1 stopped #3 begun",
        "stopped r1, when written",
        "settled r1 stopped, when written",
        "snapshot r2 data",
        "prepare r2/0 w0#1.a ahead",
    ];
    assert_eq!(c.ended(1, 0, failed()), expected);
    c.snapped(2);
    c.prepared(2, 0);
    let expected = [
        "write r2/0 w0.a Succeeded attempt 1 \
         | ended r2 completed #4 begun [0 w0.a Succeeded attempt 1] \
         | r1 obsolete #3 begun",
        "settled r1 obsolete, when written",
        "supersede r2 any, when written",
        "settled r2 completed, when written",
        "snapshot r3 data",
        "prepare r3/0 w0#1.a ahead",
    ];
    assert_eq!(c.ended(2, 0, done(Effect::Nothing)), expected);
}

#[test]
fn different_keys_rotate_side_by_side() {
    let mut c = Coordinator::begun(Strategy::Halt, ONE);
    c.define("other", behaviour(Strategy::Halt));
    c.register("w0", 1, "other", "b");
    let ticket = 5;
    let declaration = declaration(2, "other");
    c.step(Event::Declare {
        ticket,
        declaration,
    });
    assert_eq!(c.snapped(2).last().expect("effects"), "prepare r2/0 w0#1.b");
}

fn two_at_once(strategy: Strategy) -> Coordinator {
    let behaviour = KeyBehaviour {
        workers_at_once: 2,
        ..behaviour(strategy)
    };
    let workers: &[(&str, &[&str])] = &[("w0", &["a", "b"]), ("w1", &["c"]), ("w2", &["d"])];
    let mut c = Coordinator::with_key(behaviour, workers);
    c.declare(1);
    c
}

#[test]
fn so_many_workers_run_at_once_and_each_keeps_its_order() {
    let mut c = two_at_once(Strategy::Halt);
    let expected = [
        "write snapshot r1 | r1 running #8 begun",
        "prepare r1/0 w0#1.a",
        "prepare r1/2 w1#2.c",
    ];
    assert_eq!(c.snapped(1), expected);
    c.prepared(1, 0);
    c.prepared(1, 2);
    let expected = ["write r1/2 w1.c Succeeded attempt 1", "prepare r1/3 w2#3.d"];
    assert_eq!(c.ended(1, 2, done(Effect::Nothing)), expected);
    let expected = ["write r1/0 w0.a Succeeded attempt 1", "prepare r1/1 w0#1.b"];
    assert_eq!(c.ended(1, 0, done(Effect::Nothing)), expected);
}

#[test]
fn when_a_step_stops_the_rotation_those_under_way_run_to_their_end() {
    let mut c = two_at_once(Strategy::Halt);
    c.snapped(1);
    c.prepared(1, 0);
    c.prepared(1, 2);
    let failure = [
        "write r1/0 w0.a Failed attempt 1 (no)",
        "release r1/1",
        "release r1/3",
    ];
    assert_eq!(c.ended(1, 0, failed()), failure);
    let expected = [
        "write r1/2 w1.c Succeeded attempt 1 | r1 stopped #8 begun",
        "stopped r1, when written",
        "settled r1 stopped, when written",
    ];
    assert_eq!(c.ended(1, 2, done(Effect::Nothing)), expected);
    let steps = "0 w0.a Failed attempt 1 (no), 1 w0.b Pending, 2 w1.c Succeeded attempt 1, \
                 3 w2.d Pending";
    assert_eq!(c.report(1), format!("r1 stopped [{steps}]"));
}

#[test]
fn a_step_that_is_only_prepared_is_given_up_when_another_stops_the_rotation() {
    let mut c = two_at_once(Strategy::Halt);
    c.snapped(1);
    c.prepared(1, 0);
    let expected = [
        "write r1/0 w0.a Failed attempt 1 (no) | r1 stopped #8 begun",
        "release r1/1",
        "release r1/2",
        "stopped r1, when written",
        "settled r1 stopped, when written",
    ];
    assert_eq!(c.ended(1, 0, failed()), expected);
    assert_eq!(c.prepared(1, 2), ["release r1/2"]);
}

#[test]
fn what_does_not_match_the_call_under_way_is_nobodys() {
    let mut c = Coordinator::begun(Strategy::Halt, TWO);
    let ended = |step, attempt| Event::Ended {
        step: at(1, step),
        attempt,
        outcome: done(Effect::Nothing),
    };
    assert_eq!(c.step(ended(0, 1)), [""; 0]);
    c.prepared(1, 0);
    assert_eq!(c.step(ended(0, 2)), [""; 0]);
    assert_eq!(c.step(ended(1, 1)), [""; 0]);
    assert_eq!(c.prepared(1, 2), ["release r1/2"]);
    assert_eq!(c.prepared(9, 0), ["release r9/0"]);
    assert_eq!(c.proposed(1, 0, true), [""; 0]);
    assert_eq!(c.snapped(9), [""; 0]);
}

#[test]
fn how_many_workers_run_at_once_is_what_the_current_definition_says() {
    let workers: &[(&str, &[&str])] = &[("w0", &["a"]), ("w1", &["b"])];
    let mut c = Coordinator::begun(Strategy::Halt, workers).crash();
    for (life, (name, callbacks)) in (1..).zip(workers) {
        c.join(name);
        if life == 1 {
            let behaviour = KeyBehaviour {
                workers_at_once: 2,
                ..behaviour(Strategy::Halt)
            };
            c.define("data", behaviour);
        }
        c.register(name, life, "data", callbacks[0]);
    }
    c.prepared(1, 0);
    c.prepared(1, 1);
    let both = "r1 running [0 w0.a InProgress attempt 1, 1 w1.b InProgress attempt 1]";
    assert_eq!(c.report(1), both);
}
