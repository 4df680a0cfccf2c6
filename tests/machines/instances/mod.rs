//! Workers whose instances are other processes: the real engine with processes that run callbacks, die, lose
//! their connection and return, and a keeper that crashes and whose writes fail.
//!
//! Small worlds are looked through to their last state, with the count of their states; large ones are walked
//! at random. `KEYWARD_WALKS=FROM..TO` takes other seeds; one that fails is printed with its last moves.

mod moves;
mod perform;
mod world;

use std::collections::HashSet;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use keyward::rotation::instance::CallbackOf::{Data, Memory};

use crate::instances::moves::Move;
use crate::instances::world::{Counts, Shape, World};

const NONE: Counts = Counts {
    crashes: 0,
    writes: 0,
    cuts: 0,
    deaths: 0,
    late: 0,
    failures: 0,
    resumes: 0,
    unread: 0,
};

/// One worker with two instances.
const TWO: Shape = Shape {
    workers: &[Data],
    instances: 2,
    rotations: 1,
    most: NONE,
};

fn mark(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Looks through all states; answers how many there are.
fn look_through(shape: &Shape) -> usize {
    let start = World::new(shape);
    let mut seen = HashSet::from([mark(&start)]);
    let mut todo = vec![(start, Vec::<Move>::new())];
    while let Some((world, way)) = todo.pop() {
        if let Some(broken) = &world.broken {
            panic!("{broken}, after {way:?}");
        }
        let moves = world.moves(shape);
        if moves.is_empty() {
            world.check_rest(&way);
        }
        for next in moves {
            let mut after = world.clone();
            after.play(shape, next);
            if seen.insert(mark(&after)) {
                todo.push((after, [way.clone(), vec![next]].concat()));
            }
        }
    }
    seen.len()
}

#[test]
fn one_call_of_data_at_two_instances_with_a_crash_of_the_keeper_and_a_cut() {
    let most = Counts {
        crashes: 1,
        cuts: 1,
        late: 1,
        resumes: 1,
        ..NONE
    };
    assert_eq!(look_through(&Shape { most, ..TWO }), 13_121);
}

#[test]
fn one_call_of_data_at_two_instances_with_a_death_and_a_crash_of_the_keeper() {
    let most = Counts {
        crashes: 1,
        deaths: 1,
        ..NONE
    };
    assert_eq!(look_through(&Shape { most, ..TWO }), 22_368);
}

#[test]
fn a_callback_of_memory_at_two_instances_with_a_death_or_a_cut_and_a_crash_of_the_keeper() {
    let workers = &[Memory];
    for (deaths, cuts, states) in [(1, 0, 27_671), (0, 1, 6_470)] {
        let most = Counts {
            crashes: 1,
            deaths,
            cuts,
            ..NONE
        };
        assert_eq!(
            look_through(&Shape {
                workers,
                most,
                ..TWO
            }),
            states
        );
    }
}

#[test]
fn a_write_may_fail_while_an_instance_dies() {
    let most = Counts {
        writes: 1,
        deaths: 1,
        failures: 1,
        ..NONE
    };
    for (workers, states) in [(&[Data], 21_800), (&[Memory], 34_481)] {
        assert_eq!(
            look_through(&Shape {
                workers,
                most,
                ..TWO
            }),
            states
        );
    }
}

#[test]
fn a_call_whose_keys_the_repo_does_not_answer_is_made_again_while_its_process_is_connected() {
    let most = Counts {
        unread: 2,
        cuts: 1,
        ..NONE
    };
    for (workers, states) in [(&[Data], 411), (&[Memory], 1_586)] {
        assert_eq!(
            look_through(&Shape {
                workers,
                most,
                ..TWO
            }),
            states
        );
    }
}

fn seeds() -> Range<u64> {
    let Ok(given) = env::var("KEYWARD_WALKS") else {
        return 0..2_000;
    };
    let range = given.split_once("..").and_then(|(from, to)| {
        let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        Some(from..to)
    });
    range.unwrap_or_else(|| panic!("KEYWARD_WALKS is {given:?} and should be like 0..2000"))
}

/// A number of the sequence of splitmix64.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Three workers with two or three instances each, and several rotations, at random until nothing goes wrong
/// any more; then all of it comes to its end.
#[test]
fn whatever_happens_to_processes_and_the_keeper_every_promise_is_kept() {
    let mut ended = 0;
    for seed in seeds() {
        let mut chance = seed;
        let few = |chance: &mut u64| u8::try_from(draw(chance) % 4).expect("small");
        let shape = Shape {
            workers: &[Data, Memory, Data],
            instances: 2 + usize::try_from(seed % 2).expect("small"),
            rotations: 3,
            most: Counts {
                crashes: few(&mut chance),
                writes: few(&mut chance),
                cuts: 2 * few(&mut chance),
                deaths: 2 * few(&mut chance),
                late: few(&mut chance),
                failures: few(&mut chance) / 2,
                resumes: 6,
                unread: few(&mut chance),
            },
        };
        let mut world = World::new(&shape);
        let mut way = Vec::new();
        for _ in 0..4_000 {
            let moves = world.moves(&shape);
            let Some(last) = moves.len().checked_sub(1) else {
                break;
            };
            let at = usize::try_from(draw(&mut chance)).unwrap_or(0) % (last + 1);
            way.push(moves[at]);
            world.play(&shape, moves[at]);
            if let Some(broken) = &world.broken {
                let told = way.len().saturating_sub(60);
                panic!("seed {seed}: {broken}, after {:#?}", &way[told..]);
            }
        }
        assert!(
            world.moves(&shape).is_empty(),
            "seed {seed} comes to no end"
        );
        world.check_rest(&way);
        ended += world.journal.ended.len();
    }
    println!("rotations ended: {ended}");
}
