//! The rotation engine, model-checked: the real machine, roster, outbox and recovery in a world of
//! three workers with two callbacks each, looked through to the last state. Whatever can happen
//! happens at every point: the process or the coordinator's actor ends, writes fail, are made or
//! may have been made, workers come late, die, return and leave, callbacks fail, and operators
//! resume and abort.
//!
//! The small worlds are here, with the count of their states; the large ones are looked through by
//!
//! ```sh
//! cargo test --config 'profile.dev.opt-level=3' --test machines -- --ignored --nocapture large
//! ```
//!
//! which counts its states itself and ends with a line `distinct states: N`. It takes one world for
//! each strategy; with `KEYWARD_STATES=N` further ones, until there are N states.

mod circles;
mod look;
mod moves;
mod names;
mod perform;
mod play;
mod rules;
mod shape;
mod state;
mod versions;

use std::env;

use keyward::rotation::event::StepRef;
use stateright::{Expectation, Model};

use crate::model::look::look_through;
use crate::model::moves::Move;
use crate::model::names::rid;
use crate::model::shape::{Counts, Shape, Strategy};

/// Three workers with two callbacks each, one of them late, and one rotation; nothing goes wrong.
const CALM: Shape = Shape {
    strategy: Strategy::Halt,
    at_once: 1,
    workers: 3,
    callbacks: 2,
    late: 1,
    rotations: &[0],
    waits: false,
    versions: false,
    faults: 0,
    most: Counts::NONE,
};

/// The same without a late worker, and with one fault of those that end no process.
const TROUBLED: Shape = Shape {
    late: 0,
    faults: 1,
    most: Counts {
        coordinators: 1,
        writes: 1,
        reads: 1,
        deaths: 1,
        failures: 1,
        resumes: 1,
        ..Counts::NONE
    },
    ..CALM
};

/// Two workers with one callback each, and everything that can go wrong.
const SMALL: Shape = Shape {
    workers: 2,
    callbacks: 1,
    faults: 1,
    most: Counts::EVERYTHING,
    ..CALM
};

#[test]
fn a_late_worker_is_called_where_nothing_goes_wrong() {
    assert_eq!(look_through(&CALM), 2903);
}

#[test]
fn each_strategy_holds_with_three_workers_of_two_callbacks_and_a_fault() {
    let counts = Strategy::ALL.map(|strategy| {
        look_through(&Shape {
            strategy,
            ..TROUBLED
        })
    });
    assert_eq!(counts, [7043, 7030, 7030, 7043]);
}

#[test]
fn anything_may_go_wrong_once_while_somebody_is_late() {
    let most = Counts {
        resumes: 0,
        aborts: 0,
        removals: 0,
        ..Counts::EVERYTHING
    };
    assert_eq!(look_through(&Shape { most, ..SMALL }), 22_903);
}

#[test]
fn two_faults_may_meet_while_two_workers_run_at_once() {
    let most = Counts {
        coordinators: 1,
        writes: 1,
        leaves: 1,
        failures: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        at_once: 2,
        late: 0,
        faults: 2,
        most,
        ..SMALL
    };
    assert_eq!(look_through(&shape), 27_053);
}

#[test]
fn a_later_rotation_makes_a_stopped_one_obsolete() {
    let most = Counts {
        crashes: 1,
        coordinators: 1,
        failures: 1,
        resumes: 1,
        aborts: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        workers: 1,
        late: 0,
        rotations: &[0, 0],
        most,
        ..SMALL
    };
    assert_eq!(look_through(&shape), 12_523);
}

#[test]
fn keys_rotate_side_by_side() {
    let most = Counts {
        crashes: 1,
        failures: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        workers: 1,
        late: 0,
        rotations: &[0, 1],
        most,
        ..SMALL
    };
    assert_eq!(look_through(&shape), 8405);
}

#[test]
fn a_step_waits_for_its_worker_for_a_time_only() {
    let most = Counts {
        deaths: 1,
        writes: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        waits: true,
        late: 0,
        most,
        ..SMALL
    };
    assert_eq!(look_through(&shape), 1588);
}

#[test]
fn a_program_may_be_shut_down_while_a_write_fails() {
    let most = Counts {
        shutdowns: 1,
        writes: 1,
        failures: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        faults: 2,
        late: 0,
        most,
        ..SMALL
    };
    assert_eq!(look_through(&shape), 6837);
}

/// A key with versions: two workers with one callback each, and gets while it rotates.
const VERSIONS: Shape = Shape {
    versions: true,
    late: 0,
    most: Counts {
        crashes: 1,
        coordinators: 1,
        writes: 1,
        gets: 1,
        ..Counts::NONE
    },
    ..SMALL
};

#[test]
fn no_data_is_reencrypted_while_a_copy_of_the_old_version_is_written_with() {
    assert_eq!(look_through(&VERSIONS), 30_837);
}

#[test]
fn a_version_that_was_not_turned_to_is_gone_and_a_later_turn_makes_a_stopped_rotation_obsolete() {
    let most = Counts {
        crashes: 1,
        failures: 1,
        aborts: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        workers: 1,
        rotations: &[0, 0],
        most,
        ..VERSIONS
    };
    assert_eq!(look_through(&shape), 17_595);
}

#[test]
fn nothing_goes_round_in_circles() {
    let most = Counts {
        crashes: 1,
        coordinators: 1,
        writes: 1,
        reads: 1,
        deaths: 1,
        failures: 1,
        resumes: 1,
        ..Counts::NONE
    };
    let shape = Shape {
        workers: 1,
        faults: 2,
        late: 0,
        most,
        ..SMALL
    };
    let states = circles::count(&shape).expect("no circle");
    assert_eq!(states, look_through(&shape));
}

/// Plays this way; answers what was broken on it, or is not so at its end.
fn broken_after(shape: &Shape, way: &[Move]) -> Vec<&'static str> {
    let mut state = shape.start();
    for next in way {
        state.play(shape, *next);
    }
    let properties = shape.properties().into_iter();
    let always = properties.filter(|p| matches!(p.expectation, Expectation::Always));
    let broken = always.filter(|p| !(p.condition)(shape, &state));
    broken.map(|property| property.name).collect()
}

/// Regression: the coordinator died before a leave was durable. The worker was a member again, but
/// no one was told that it was here, and its step waited for ever.
#[test]
fn a_worker_whose_leave_was_not_made_is_still_here() {
    let shape = Shape {
        faults: 2,
        late: 0,
        ..SMALL
    };
    let way = [
        Move::Declare(0),
        Move::Leave(0),
        Move::CoordinatorDies,
        Move::Written,
        Move::Reread,
        Move::Snapped(0),
    ];
    let mut state = shape.start();
    way.iter().for_each(|next| state.play(&shape, *next));
    let roster = state.engine.machine().roster();
    let entry = roster.get(&names::WORKERS[0]).expect("a member");
    assert!(entry.has_attached(&names::KEYS[0], &names::CALLBACKS[0]));
    assert_eq!(state.threads.len(), 1, "its step is prepared");
}

/// Regression: a rotation had ended in memory when the coordinator died before that was durable;
/// its caller was told that there is no such rotation.
#[test]
fn a_rotation_whose_end_is_not_durable_is_not_unknown() {
    let shape = Shape { faults: 2, ..SMALL };
    let way = [
        Move::Declare(0),
        Move::Leave(0),
        Move::Snapped(0),
        Move::CoordinatorDies,
        Move::Written,
    ];
    assert_eq!(broken_after(&shape, &way), [""; 0]);
}

/// Regression: the answer of a shutdown rested on a write that failed, and was never given.
#[test]
fn who_waits_at_a_shutdown_is_answered_though_its_write_fails() {
    let shape = Shape { faults: 2, ..SMALL };
    let fails = Move::WriteFails {
        made: false,
        unknown: false,
    };
    let way = [
        Move::Declare(0),
        Move::Written,
        Move::Snapped(0),
        Move::Written,
        Move::Prepared(StepRef {
            rotation: rid(0),
            step: 0,
        }),
        Move::Written,
        Move::ShutDown,
        fails,
        Move::End,
    ];
    assert_eq!(broken_after(&shape, &way), [""; 0]);
}

/// The large worlds: three workers of two callbacks, one of them late, and any one fault, with each
/// strategy. Then more of it: more that people want, two workers at once, a second rotation.
fn large() -> Vec<Shape> {
    let most = Counts {
        shutdowns: 0,
        removals: 0,
        ..Counts::EVERYTHING
    };
    let first = |strategy| Shape {
        strategy,
        faults: 1,
        most,
        ..CALM
    };
    let mut worlds = Strategy::ALL.map(first).to_vec();
    worlds.extend(Strategy::ALL.map(|strategy| Shape {
        most: Counts::EVERYTHING,
        at_once: 2,
        ..first(strategy)
    }));
    worlds.extend(Strategy::ALL.map(|strategy| Shape {
        rotations: &[0, 0],
        late: 0,
        ..first(strategy)
    }));
    worlds
}

#[test]
#[ignore = "takes minutes; see the head of this file"]
fn large_worlds() {
    let wanted = env::var("KEYWARD_STATES").ok();
    let wanted = wanted.map_or(10_000_000, |number| number.parse().expect("a number"));
    let mut states = 0;
    for (number, shape) in large().iter().enumerate() {
        if number < Strategy::ALL.len() || states < wanted {
            states += look_through(shape);
        }
    }
    println!("distinct states: {states}");
    assert!(states >= wanted, "there are no more worlds");
}
