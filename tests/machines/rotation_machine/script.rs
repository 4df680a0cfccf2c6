//! A coordinator's machine whose writes are durable at once, with short names for what happens.

use std::time::Duration;

use keyward::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::key::state::Effect;
use keyward::key::time::Time;
use keyward::rotation::effect::{Fact, RotationEffect};
use keyward::rotation::event::{
    Declaration, DeclaredVersion, Event, Moment, OldKeys, StepOutcome, StepRef,
};
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::machine::{RotationConfig, RotationMachine};
use keyward::rotation::plan::Declared;
use keyward::rotation::report::UnreadableRotation;
use uuid::Uuid;

use crate::durable::Journal;
use crate::rotation_machine::lines::{self, lines};

pub type Strategy = OnKeyChangedCallbackErrorStrategy;

/// What the wall clock shows when the time of the first life begins.
const BEGINNING_MS: u64 = 1_700_000_000_000;

/// How long a due step waits for its worker.
pub const WAIT: u64 = 60;

pub fn config() -> RotationConfig {
    RotationConfig {
        worker_wait: Some(Duration::from_secs(WAIT)),
        max_crashes: 5,
        warn_after: None,
        max_callbacks: 1024,
        instances_at_once: 64,
        reopen_every: Duration::from_secs(5),
    }
}

pub fn behaviour(strategy: Strategy) -> KeyBehaviour {
    KeyBehaviour {
        use_case: SecretKeyUseCase::RoundTrip,
        stateless: false,
        keep_in_cache: true,
        error_strategy: strategy,
        store_time_limit: Duration::from_secs(10),
        request_time_limit: Duration::from_secs(15),
        callback_time_limit: Duration::from_secs(30),
        workers_at_once: 1,
        max_requests: 1024,
        max_waiting_rotations: 64,
        versions: None,
    }
}

pub fn rid(number: u128) -> RotationId {
    RotationId::new(Uuid::from_u128(number))
}

pub fn key(text: &str) -> KeyName {
    KeyName::new(text).expect("a name")
}

pub fn worker(text: &str) -> WorkerName {
    WorkerName::new(text).expect("a name")
}

pub fn callback(text: &str) -> CallbackName {
    CallbackName::new(text).expect("a name")
}

pub fn at(rotation: u128, step: u32) -> StepRef {
    let rotation = rid(rotation);
    StepRef { rotation, step }
}

/// A declaration of new keys.
pub fn declaration(rotation: u128, of: &str) -> Declaration {
    Declaration {
        id: rid(rotation),
        chosen: false,
        key: key(of),
        declared: Declared {
            old: None,
            new: Some([[1; 32], [2; 32]]),
        },
        old: OldKeys::Given,
        new_unasked: false,
        old_keys: None,
        new_keys: Some(rotation),
        by: Default::default(),
        version: DeclaredVersion::default(),
    }
}

pub fn done(effect: Effect) -> StepOutcome {
    let staged = false;
    StepOutcome::Done { effect, staged }
}

pub fn failed() -> StepOutcome {
    let error = "no".to_owned();
    StepOutcome::Failed { error }
}

impl Journal {
    /// Writes one fact, which keeps the rules.
    pub fn write(&mut self, fact: &Fact) {
        if let Err(broken) = self.try_write(fact) {
            panic!("{broken}: {fact:?}");
        }
    }
}

/// A coordinator's machine, its journal and the time that it is told.
pub struct Coordinator {
    pub machine: RotationMachine,
    pub journal: Journal,
    pub seconds: u64,
    /// By how much the wall clock has jumped.
    pub jumped_ms: i64,
}

impl Coordinator {
    pub fn new() -> Self {
        Self {
            machine: RotationMachine::new(config()),
            journal: Journal::default(),
            seconds: 0,
            jumped_ms: 0,
        }
    }

    /// Key `data` with this strategy, and workers with their callbacks.
    pub fn with(strategy: Strategy, workers: &[(&str, &[&str])]) -> Self {
        Self::with_key(behaviour(strategy), workers)
    }

    /// Key `data` that behaves so, and workers with their callbacks.
    pub fn with_key(behaviour: KeyBehaviour, workers: &[(&str, &[&str])]) -> Self {
        let mut coordinator = Self::new();
        coordinator.define("data", behaviour);
        for (life, (name, callbacks)) in (1..).zip(workers) {
            coordinator.join(name);
            for callback in *callbacks {
                coordinator.register(name, life, "data", callback);
            }
        }
        coordinator
    }

    /// One worker with one callback, and a rotation of it that is accepted and has begun.
    pub fn begun(strategy: Strategy, workers: &[(&str, &[&str])]) -> Self {
        let mut coordinator = Self::with(strategy, workers);
        coordinator.declare(1);
        coordinator.snapped(1);
        coordinator
    }

    /// A new life on the same journal; its clock starts anew.
    pub fn crash(self) -> Self {
        let machine = RotationMachine::replay(config(), self.journal.facts());
        Self {
            machine,
            journal: self.journal,
            seconds: 0,
            jumped_ms: self.jumped_ms,
        }
    }

    /// A new life that finds an unreadable rotation of `data` that had not ended.
    pub fn with_unreadable(mut self, rotation: u128) -> Self {
        let why = "cut short".to_owned();
        let unreadable = UnreadableRotation::new(rid(rotation), key("data"), true, why);
        self.journal.unreadable.push(unreadable);
        self.crash()
    }

    pub fn now(&self) -> Moment {
        Moment {
            time: Time::at(Duration::from_secs(self.seconds)),
            wall_ms: (BEGINNING_MS + self.seconds * 1000).saturating_add_signed(self.jumped_ms),
        }
    }

    pub fn effects(&mut self, event: Event) -> Vec<RotationEffect> {
        let effects = self.machine.step(event, self.now());
        for effect in &effects {
            if let RotationEffect::Write { facts, .. } = effect {
                facts.iter().for_each(|fact| self.journal.write(fact));
            }
            if let RotationEffect::Give {
                step,
                attempt,
                worker,
                number,
                ..
            } = effect
            {
                let call = (*step, *attempt);
                self.machine.hand_over(worker, *number, call);
            }
        }
        effects
    }

    pub fn step(&mut self, event: Event) -> Vec<String> {
        lines(&self.effects(event))
    }

    pub fn define(&mut self, name: &str, behaviour: KeyBehaviour) -> Vec<String> {
        self.step(Event::Define {
            ticket: 1,
            keys: vec![(key(name), behaviour)],
        })
    }

    pub fn join(&mut self, name: &str) -> Vec<String> {
        let worker = worker(name);
        self.step(Event::Join {
            ticket: 2,
            worker,
            sharing: Sharing::Sole,
            process: None,
        })
    }

    pub fn register(&mut self, name: &str, life: u64, of: &str, call: &str) -> Vec<String> {
        self.step(Event::Register {
            ticket: 3,
            worker: worker(name),
            incarnation: life,
            key: key(of),
            callback: callback(call),
            of: CallbackOf::Data,
        })
    }

    pub fn died(&mut self, name: &str, life: u64) -> Vec<String> {
        self.step(Event::Died {
            worker: worker(name),
            incarnation: life,
        })
    }

    pub fn leave(&mut self, name: &str, life: impl Into<Option<u64>>) -> Vec<String> {
        self.step(Event::Leave {
            ticket: 4,
            worker: worker(name),
            incarnation: life.into(),
            by: Default::default(),
        })
    }

    pub fn declare(&mut self, rotation: u128) -> Vec<String> {
        let declaration = declaration(rotation, "data");
        self.step(Event::Declare {
            ticket: 5,
            declaration,
        })
    }

    pub fn snapped(&mut self, rotation: u128) -> Vec<String> {
        let rotation = rid(rotation);
        self.step(Event::Snapped { rotation })
    }

    pub fn prepared(&mut self, rotation: u128, step: u32) -> Vec<String> {
        let step = at(rotation, step);
        self.step(Event::Prepared { step })
    }

    pub fn ended(&mut self, rotation: u128, step: u32, outcome: StepOutcome) -> Vec<String> {
        let attempt = self.attempt(rotation, step);
        let step = at(rotation, step);
        self.step(Event::Ended {
            step,
            attempt,
            outcome,
        })
    }

    pub fn proposed(&mut self, rotation: u128, step: u32, applies: bool) -> Vec<String> {
        let step = at(rotation, step);
        self.step(Event::Proposed { step, applies })
    }

    /// A step that is prepared, called and done, and has said nothing of the data.
    pub fn succeed(&mut self, rotation: u128, step: u32) -> Vec<String> {
        self.prepared(rotation, step);
        self.ended(rotation, step, done(Effect::Nothing))
    }

    /// A step that is prepared, called and fails.
    pub fn fail(&mut self, rotation: u128, step: u32) -> Vec<String> {
        self.prepared(rotation, step);
        self.ended(rotation, step, failed())
    }

    pub fn wait(&mut self, rotation: u128) -> Vec<String> {
        let id = rid(rotation);
        self.step(Event::Wait { ticket: 6, id })
    }

    pub fn resume(&mut self, rotation: u128) -> Vec<String> {
        let id = rid(rotation);
        self.step(Event::Resume {
            ticket: 7,
            id,
            by: Default::default(),
        })
    }

    pub fn abort(&mut self, rotation: u128, confirmed: &[&str]) -> Vec<String> {
        self.step(Event::Abort {
            ticket: 8,
            id: rid(rotation),
            confirmed: confirmed.iter().map(|name| worker(name)).collect(),
            by: Default::default(),
        })
    }

    pub fn dismiss(&mut self, rotation: u128) -> Vec<String> {
        let id = rid(rotation);
        self.step(Event::Dismiss {
            ticket: 9,
            id,
            by: Default::default(),
        })
    }

    pub fn tick(&mut self, seconds: u64) -> Vec<String> {
        self.seconds = seconds;
        self.step(Event::Tick)
    }

    fn attempt(&self, rotation: u128, step: u32) -> u32 {
        let report = self.machine.report(rid(rotation));
        let steps = report.iter().flat_map(|report| &report.steps);
        let mut attempts = steps.filter(|s| s.no == step).map(|s| s.attempt);
        attempts.next().unwrap_or(0)
    }

    /// A rotation that has not ended, in a few words.
    pub fn report(&self, rotation: u128) -> String {
        let report = self.machine.report(rid(rotation));
        report.as_ref().map(lines::report).unwrap_or_default()
    }

    /// A rotation that has ended, in a few words.
    pub fn history(&self, rotation: u128) -> String {
        let (header, steps) = &self.journal.ended[&rid(rotation)];
        let steps: Vec<String> = steps.iter().map(lines::step).collect();
        format!("{} [{}]", lines::header(header), steps.join(", "))
    }
}
