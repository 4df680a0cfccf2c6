//! A wall clock that jumps: nothing that a machine decides depends on it. What it shows stands in
//! the listing, and nowhere else.

use keyward::rotation::act::Acts;
use keyward::rotation::effect::{Fact, Reply, RotationEffect};
use keyward::rotation::plan::{Header, Step};
use keyward::rotation::report::RotationReport;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};

use crate::rotation_machine::random::moves;
use crate::rotation_machine::script::{Coordinator, Strategy, WAIT, rid};
use crate::rotation_machine::world::World;

const HOUR_MS: i64 = 3_600_000;

fn header(header: &mut Header) {
    header.accepted_ms = 0;
    header.ended_ms = header.ended_ms.map(|_| 0);
    let mut acts = header.acts.all().to_vec();
    acts.iter_mut().for_each(|act| act.at_ms = 0);
    header.acts = Acts::new(acts);
}

fn step(step: &mut Step) {
    step.started_ms = step.started_ms.map(|_| 0);
    step.ended_ms = step.ended_ms.map(|_| 0);
}

fn report(report: &mut RotationReport) {
    report.accepted_ms = 0;
    report.ended_ms = report.ended_ms.map(|_| 0);
    report.steps.iter_mut().for_each(step);
    report.acts.iter_mut().for_each(|act| act.at_ms = 0);
}

/// What a machine wanted, without what the wall clock showed.
fn without_times(mut effects: Vec<RotationEffect>) -> Vec<RotationEffect> {
    for effect in &mut effects {
        match effect {
            RotationEffect::Write { facts, .. } => facts.iter_mut().for_each(|fact| match fact {
                Fact::Rotation(of) => header(of),
                Fact::Step(_, _, of) => step(of),
                Fact::Act(act) => act.at_ms = 0,
                Fact::Ended(of, steps) => {
                    header(of);
                    steps.iter_mut().for_each(step);
                }
                _ => {}
            }),
            RotationEffect::Reply {
                reply: Ok(Reply::Report(of)),
                ..
            }
            | RotationEffect::Settled { report: of, .. } => report(of),
            _ => {}
        }
    }
    effects
}

fn told(world: &mut World) -> Vec<RotationEffect> {
    without_times(world.told.replace(Vec::new()).unwrap_or_default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wall_clock_that_jumps_an_hour_at_each_event_changes_nothing(
        moves in moves(),
        jumps in proptest::collection::vec(-1..=1_i64, 1..50),
        first in 0..4_usize,
        second in 0..4_usize,
    ) {
        let strategies = [Strategy::ALL[first], Strategy::ALL[second]];
        let mut steady = World::new(strategies);
        let mut jumping = World::new(strategies);
        (steady.told, jumping.told) = (Some(Vec::new()), Some(Vec::new()));
        for (next, jump) in moves.into_iter().zip(jumps.iter().cycle()) {
            jumping.coordinator.jumped_ms += jump * HOUR_MS;
            steady.play(next.clone());
            jumping.play(next.clone());
            prop_assert_eq!(told(&mut jumping), told(&mut steady), "after {:?}", next);
        }
        steady.settle();
        jumping.settle();
        prop_assert_eq!(told(&mut jumping), told(&mut steady));
    }
}

#[test]
fn a_rotation_of_an_hour_that_is_still_to_come_goes_on_and_ends() {
    let mut c = Coordinator::with(Strategy::Halt, &[("w", &["a", "b"])]);
    c.jumped_ms = HOUR_MS;
    c.declare(1);
    c.snapped(1);
    c.succeed(1, 0);
    c.jumped_ms = -HOUR_MS;
    let mut c = c.crash();
    c.define(
        "data",
        crate::rotation_machine::script::behaviour(Strategy::Halt),
    );
    c.join("w");
    c.register("w", 1, "data", "a");
    c.register("w", 1, "data", "b");
    c.succeed(1, 1);
    let (header, steps) = &c.journal.ended[&rid(1)];
    assert!(
        header.ended_ms < Some(header.accepted_ms),
        "the clock has jumped back"
    );
    assert!(steps[1].started_ms < steps[0].started_ms);
    assert_eq!(
        c.history(1),
        "r1 completed #4 begun [0 w.a Succeeded attempt 1, 1 w.b Succeeded attempt 1]"
    );
}

#[test]
fn a_step_waits_for_its_worker_as_long_as_is_set_whatever_the_wall_clock_shows() {
    for jump in [-HOUR_MS, HOUR_MS] {
        let mut c = Coordinator::with(Strategy::Halt, &[("w", &["a"])]);
        c.died("w", 1);
        c.declare(1);
        c.snapped(1);
        c.jumped_ms = jump;
        assert!(c.tick(WAIT - 1).is_empty(), "{}", c.report(1));
        assert!(!c.tick(WAIT).is_empty());
        assert_eq!(c.report(1), "r1 stopped [0 w.a Failed (worker gone)]");
    }
}
