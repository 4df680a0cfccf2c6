//! The engine of rotations, with a journal whose writes are done when the bench says so.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Duration;

use keyward::RotationId;
use keyward::Uuid;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::key::state::Effect;
use keyward::key::time::Time;
use keyward::rotation::effect::RotationEffect;
use keyward::rotation::engine::{Action, RotationEngine};
use keyward::rotation::event::{
    Declaration, DeclaredVersion, Event, Moment, OldKeys, StepOutcome, StepRef,
};
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::machine::{RotationConfig, RotationMachine};
use keyward::rotation::plan::Declared;

use crate::key::behaviour;

const NOW: Moment = Moment {
    time: Time::at(Duration::from_secs(1)),
    wall_ms: 1_800_000_000_000,
};

fn key() -> KeyName {
    KeyName::new("data").expect("a name")
}

/// An engine with a key, and so many workers with a callback each.
fn engine(workers: u32) -> RotationEngine {
    let config = RotationConfig {
        worker_wait: Some(Duration::from_secs(60)),
        max_crashes: 5,
        warn_after: Some(Duration::from_secs(5)),
        max_callbacks: 1024,
        instances_at_once: 64,
        reopen_every: Duration::from_secs(5),
    };
    let mut engine = RotationEngine::new(RotationMachine::new(config));
    let define = Event::Define {
        ticket: 1,
        keys: vec![(key(), behaviour())],
    };
    engine.step(define, NOW);
    for no in 1..=u64::from(workers) {
        let worker = WorkerName::new(&format!("worker-{no}")).expect("a name");
        let join = Event::Join {
            ticket: 2 * no,
            worker: worker.clone(),
            sharing: Sharing::Sole,
            process: None,
        };
        engine.step(join, NOW);
        let register = Event::Register {
            ticket: 2 * no + 1,
            worker,
            incarnation: no,
            key: key(),
            callback: CallbackName::new("callback").expect("a name"),
            of: CallbackOf::Data,
        };
        engine.step(register, NOW);
    }
    write_all(&mut engine);
    engine
}

fn id() -> RotationId {
    RotationId::new(Uuid::from_u128(7))
}

fn declare(engine: &mut RotationEngine) -> Vec<Action> {
    declare_as(engine, id(), key())
}

fn declare_as(engine: &mut RotationEngine, id: RotationId, key: KeyName) -> Vec<Action> {
    let declaration = Declaration {
        id,
        chosen: false,
        key,
        declared: Declared {
            old: None,
            new: Some([[1; 32], [2; 32]]),
        },
        old: OldKeys::Given,
        new_unasked: false,
        old_keys: None,
        new_keys: Some(7),
        by: Default::default(),
        version: DeclaredVersion::default(),
    };
    let declare = Event::Declare {
        ticket: 1_000_000,
        declaration,
    };
    engine.step(declare, NOW)
}

/// Every write is done; answers what became free by that.
fn write_all(engine: &mut RotationEngine) -> Vec<Action> {
    let mut free = Vec::new();
    while !engine.is_settled() {
        free.extend(engine.written(Ok(()), NOW));
    }
    free
}

fn step(no: u32) -> StepRef {
    StepRef {
        rotation: id(),
        step: no,
    }
}

fn calls(actions: &[Action], no: u32) -> bool {
    let call = |action: &Action| {
        matches!(action, Action::Perform(RotationEffect::Call { step: called, .. })
            if *called == step(no))
    };
    actions.iter().any(call)
}

/// Steps of a rotation, from the end of one callback to the call of the next, as they come about:
/// the next callback is ready while the write of the one before is under way.
fn steps(workers: u32, repeats: u32) -> Box<dyn FnMut()> {
    let mut engine = engine(workers);
    declare(&mut engine);
    write_all(&mut engine);
    engine.step(Event::Snapped { rotation: id() }, NOW);
    engine.step(Event::Prepared { step: step(0) }, NOW);
    assert!(calls(&write_all(&mut engine), 0));
    Box::new(move || {
        for no in 0..repeats {
            let ended = Event::Ended {
                step: step(no),
                attempt: 1,
                outcome: StepOutcome::Done {
                    effect: Effect::Nothing,
                    staged: false,
                },
            };
            black_box(engine.step(ended, NOW));
            let next = Event::Prepared { step: step(no + 1) };
            black_box(engine.step(next, NOW));
            assert!(calls(&write_all(&mut engine), no + 1));
        }
    })
}

/// In a plan of 100.
pub fn step_of_100(repeats: u32) -> Box<dyn FnMut()> {
    steps(100, repeats)
}

/// In a plan of 1,000: it should take as much.
pub fn step_of_1000(repeats: u32) -> Box<dyn FnMut()> {
    steps(1_000, repeats)
}

/// Accepting a rotation, each time in an engine of its own.
pub fn accept_of_100(repeats: u32) -> Box<dyn FnMut()> {
    let engine = engine(100);
    let mut engines: Vec<_> = (0..repeats).map(|_| engine.clone()).collect();
    Box::new(move || {
        for engine in &mut engines {
            black_box(declare(engine));
            assert!(!black_box(write_all(engine)).is_empty());
        }
    })
}

/// A change that is declared and waited for, fails, is taken up again, fails again and is given up, among
/// so many other keys whose rotations have not ended.
fn change_among(others: u32, repeats: u32) -> Box<dyn FnMut()> {
    let mut engine = engine(1);
    let worker = WorkerName::new("worker-1").expect("a name");
    for no in 0..others {
        let key = KeyName::new(&format!("other-{no}")).expect("a name");
        let define = Event::Define {
            ticket: 1,
            keys: vec![(key.clone(), behaviour())],
        };
        engine.step(define, NOW);
        let register = Event::Register {
            ticket: 1,
            worker: worker.clone(),
            incarnation: 1,
            key: key.clone(),
            callback: CallbackName::new("callback").expect("a name"),
            of: CallbackOf::Data,
        };
        engine.step(register, NOW);
        declare_as(
            &mut engine,
            RotationId::new(Uuid::from_u128(no.into())),
            key,
        );
        write_all(&mut engine);
    }
    Box::new(move || {
        for no in 0..repeats {
            let id = RotationId::new(Uuid::from_u128(1_000_000 + u128::from(no)));
            black_box(declare_as(&mut engine, id, key()));
            engine.step(Event::Wait { ticket: 1, id }, NOW);
            write_all(&mut engine);
            engine.step(Event::Snapped { rotation: id }, NOW);
            fails(&mut engine, id, 1);
            engine.step(
                Event::Resume {
                    ticket: 1,
                    id,
                    by: Default::default(),
                },
                NOW,
            );
            write_all(&mut engine);
            fails(&mut engine, id, 2);
            let confirmed = BTreeSet::from([worker.clone()]);
            engine.step(
                Event::Abort {
                    ticket: 1,
                    id,
                    confirmed,
                    by: Default::default(),
                },
                NOW,
            );
            write_all(&mut engine);
            assert!(!engine.machine().is_live(id), "it is given up");
        }
    })
}

/// The one step of a rotation is called and fails.
fn fails(engine: &mut RotationEngine, rotation: RotationId, attempt: u32) {
    let step = StepRef { rotation, step: 0 };
    engine.step(Event::Prepared { step }, NOW);
    let called = |action: &Action| matches!(action, Action::Perform(RotationEffect::Call { step: called, .. }) if *called == step);
    assert!(write_all(engine).iter().any(called), "it is called");
    let outcome = StepOutcome::Failed {
        error: "it fails".to_owned(),
    };
    let ended = Event::Ended {
        step,
        attempt,
        outcome,
    };
    engine.step(ended, NOW);
    write_all(engine);
}

/// Among 100 others.
pub fn change_among_100(repeats: u32) -> Box<dyn FnMut()> {
    change_among(100, repeats)
}

/// Among 1,000 others: what it takes more is the look at every callback of the roster for its plan.
pub fn change_among_1000(repeats: u32) -> Box<dyn FnMut()> {
    change_among(1_000, repeats)
}
