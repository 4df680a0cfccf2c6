//! The world around a coordinator: a journal whose writes take their time, keys and workers.

use std::collections::{BTreeMap, VecDeque};

use keyward::key::definition::KeyBehaviour;
use keyward::key::state::Effect;
use keyward::rotation::effect::{Fact, Reply, RotationEffect};
use keyward::rotation::event::{Event, StepOutcome, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::CallbackOf;
use keyward::rotation::machine::RotationMachine;
use keyward::rotation::plan::Step;
use keyward::rotation::report::RotationReport;
use keyward::rotation::state::RotationState;
use keyward::rotation::status::{CallbackStatus, StatusEvent};

use crate::rotation_machine::script::{
    Coordinator, Strategy, behaviour, callback, config, done, failed, key, worker,
};

pub const KEYS: [&str; 2] = ["k0", "k1"];
pub const WORKERS: [&str; 3] = ["w0", "w1", "w2"];
pub const CALLBACKS: [&str; 2] = ["a", "b"];

/// The world around a coordinator: a journal, keys and workers.
pub struct World {
    pub coordinator: Coordinator,
    pub behaviours: [KeyBehaviour; 2],
    waiting_facts: Vec<Fact>,
    last: u64,
    writing: Option<(u64, Vec<Fact>)>,
    durable: u64,
    pub gated: VecDeque<RotationEffect>,
    highest_gate: u64,
    called_by: BTreeMap<(StepRef, u32), u64>,
    snapshots: Vec<RotationId>,
    pub preparing: Vec<StepRef>,
    /// What is prepared, and whether it was not due when it last was.
    ahead: BTreeMap<StepRef, bool>,
    calls: Vec<(StepRef, u32)>,
    proposals: Vec<StepRef>,
    pub lives: BTreeMap<usize, u64>,
    pub rotations: u128,
    /// Everything that the machines wanted, where a test looks at it.
    pub told: Option<Vec<RotationEffect>>,
}

impl World {
    pub fn new(strategies: [Strategy; 2]) -> Self {
        let [first, second] = strategies;
        let at_once = KeyBehaviour {
            workers_at_once: 2,
            max_waiting_rotations: 3,
            ..behaviour(second)
        };
        Self {
            coordinator: Coordinator::new(),
            behaviours: [behaviour(first), at_once],
            waiting_facts: Vec::new(),
            last: 0,
            writing: None,
            durable: 0,
            gated: VecDeque::new(),
            highest_gate: 0,
            called_by: BTreeMap::new(),
            snapshots: Vec::new(),
            preparing: Vec::new(),
            ahead: BTreeMap::new(),
            calls: Vec::new(),
            proposals: Vec::new(),
            lives: BTreeMap::new(),
            rotations: 0,
            told: None,
        }
    }

    pub fn step(&mut self, event: Event) {
        let effects = self.coordinator.effects_only(event);
        if let Some(told) = &mut self.told {
            told.extend(effects.iter().cloned());
        }
        for effect in effects {
            self.take_in(effect);
        }
        self.check_turns();
    }

    pub fn take_in(&mut self, effect: RotationEffect) {
        if let RotationEffect::Write { no, facts } = &effect {
            assert_eq!(*no, self.last + 1, "writes are numbered one by one");
            self.last = *no;
            for fact in facts {
                if let Fact::Step(rotation, _, step) = fact
                    && step.status == CallbackStatus::InProgress
                {
                    let (rotation, attempt) = (*rotation, step.attempt);
                    let step = StepRef {
                        rotation,
                        step: step.no,
                    };
                    self.called_by.insert((step, attempt), *no);
                }
            }
            self.waiting_facts.extend(facts.iter().cloned());
            return;
        }
        if let RotationEffect::Call {
            after,
            step,
            attempt,
            ..
        } = &effect
        {
            let written = self.called_by.get(&(*step, *attempt));
            assert_eq!(written, Some(after), "InProgress is what a call waits for");
        }
        match effect.after() {
            Some(after) if after > 0 => {
                assert!(after >= self.highest_gate, "gates come in order");
                assert!(after <= self.last, "a gate is a write");
                self.highest_gate = after;
                if after > self.durable {
                    self.gated.push_back(effect);
                } else {
                    self.perform(effect);
                }
            }
            _ => self.perform(effect),
        }
    }

    fn perform(&mut self, effect: RotationEffect) {
        match effect {
            RotationEffect::Reply {
                ticket,
                reply: Ok(Reply::Joined { incarnation, .. }),
                ..
            } => {
                let worker = usize::try_from(ticket).expect("small");
                self.lives.insert(worker, incarnation);
            }
            RotationEffect::Snapshot { rotation, .. } => self.snapshots.push(rotation),
            RotationEffect::Prepare { step, ahead, .. } => {
                let known = self.ahead.insert(step, ahead);
                assert!(
                    known.is_none() || known == Some(true) && !ahead,
                    "prepared twice"
                );
                if known.is_none() {
                    self.preparing.push(step);
                }
            }
            RotationEffect::Release { step } => {
                self.ahead.remove(&step);
                self.preparing.retain(|other| *other != step);
            }
            RotationEffect::Withdraw { step } => self.proposals.retain(|other| *other != step),
            RotationEffect::Call { step, attempt, .. } => {
                assert!(self.ahead.remove(&step).is_some(), "called unprepared");
                let calls = self.calls.iter();
                let twice =
                    calls.filter(|(other, _)| self.worker_of(*other) == self.worker_of(step));
                assert_eq!(
                    twice.count(),
                    0,
                    "a worker's steps of a rotation keep their order"
                );
                self.calls.push((step, attempt));
            }
            RotationEffect::Propose { step, .. } => self.proposals.push(step),
            RotationEffect::Write { .. }
            | RotationEffect::Defined { .. }
            | RotationEffect::Joined { .. }
            | RotationEffect::Connected { .. }
            | RotationEffect::Gone { .. }
            | RotationEffect::Give { .. }
            | RotationEffect::Heard { .. }
            | RotationEffect::CatchUp { .. }
            | RotationEffect::LeftOut { .. }
            | RotationEffect::Registered { .. }
            | RotationEffect::Left { .. }
            | RotationEffect::Removed { .. }
            | RotationEffect::Accepted { .. }
            | RotationEffect::Reply { .. }
            | RotationEffect::Search { .. }
            | RotationEffect::FindOld { .. }
            | RotationEffect::Adopt { .. }
            | RotationEffect::TakeValues { .. }
            | RotationEffect::VersionsChanged { .. }
            | RotationEffect::Versions { .. }
            | RotationEffect::AskLastWritten { .. }
            | RotationEffect::Supersede { .. }
            | RotationEffect::Stopped { .. }
            | RotationEffect::Waits { .. }
            | RotationEffect::Settled { .. } => {}
        }
    }

    fn worker_of(&self, step: StepRef) -> Option<(RotationId, String)> {
        let report = self.coordinator.machine.report(step.rotation)?;
        let mut steps = report.steps.into_iter();
        let found = steps.find(|s| s.no == step.step)?;
        Some((step.rotation, found.worker.to_string()))
    }

    fn check_turns(&self) {
        for name in KEYS {
            let reports = self.coordinator.machine.reports();
            let running =
                |r: &&RotationReport| r.key.as_str() == name && r.state == RotationState::Running;
            assert!(reports.iter().filter(running).count() <= 1, "one at a time");
        }
    }

    pub fn write(&mut self) -> bool {
        if self.writing.is_some() || self.waiting_facts.is_empty() {
            return false;
        }
        self.writing = Some((self.last, std::mem::take(&mut self.waiting_facts)));
        true
    }

    pub fn written(&mut self) -> bool {
        let Some((no, facts)) = self.writing.take() else {
            return false;
        };
        facts
            .iter()
            .for_each(|fact| self.coordinator.journal.write(fact));
        self.durable = no;
        while self.gated.front().is_some_and(|e| e.after() <= Some(no)) {
            let effect = self.gated.pop_front().expect("there is one");
            self.perform(effect);
        }
        if self.waiting_facts.is_empty() {
            self.check_replay();
        }
        true
    }

    /// With everything durable, a new life would find what this one has.
    fn check_replay(&self) {
        let facts = self.coordinator.journal.facts();
        let next = RotationMachine::replay(config(), facts);
        let listing = |machine: &RotationMachine| {
            let mut reports = machine.reports();
            for report in &mut reports {
                report.waits_for.clear();
                report.steps.iter_mut().for_each(interrupt);
            }
            reports
        };
        assert_eq!(listing(&self.coordinator.machine), listing(&next));
    }

    /// The process ends: what is not durable is lost, a batch under way may or may not be.
    pub fn crash(&mut self, batch_survives: bool) {
        if let Some((_, facts)) = self.writing.take()
            && batch_survives
        {
            facts
                .iter()
                .for_each(|fact| self.coordinator.journal.write(fact));
        }
        let journal = std::mem::take(&mut self.coordinator.journal);
        let rotations = self.rotations;
        let (told, jumped_ms) = (self.told.take(), self.coordinator.jumped_ms);
        let behaviours = self.behaviours.clone();
        let [first, second] = behaviours.clone().map(|b| b.error_strategy);
        *self = Self::new([first, second]);
        self.behaviours = behaviours;
        self.rotations = rotations;
        (self.told, self.coordinator.jumped_ms) = (told, jumped_ms);
        self.coordinator.machine = RotationMachine::replay(config(), journal.facts());
        self.coordinator.journal = journal;
    }

    pub fn flush(&mut self) {
        while self.write() || self.written() {}
    }

    pub fn register(&mut self, w: usize, k: usize, c: usize) {
        if let Some(incarnation) = self.lives.get(&w).copied() {
            self.step(Event::Register {
                ticket: 1000,
                worker: worker(WORKERS[w]),
                incarnation,
                key: key(KEYS[k]),
                callback: callback(CALLBACKS[c]),
                of: CallbackOf::Data,
            });
        }
    }

    pub fn open(&self, which: usize) -> Option<RotationReport> {
        let reports = self.coordinator.machine.reports();
        let at = which.checked_rem(reports.len())?;
        reports.into_iter().nth(at)
    }

    pub fn prepared(&mut self, which: usize) -> bool {
        let Some(at) = which.checked_rem(self.preparing.len()) else {
            return false;
        };
        let step = self.preparing.remove(at);
        self.step(Event::Prepared { step });
        true
    }

    pub fn ended(&mut self, which: usize, how: u8) -> bool {
        let Some(at) = which.checked_rem(self.calls.len()) else {
            return false;
        };
        let (step, attempt) = self.calls.remove(at);
        let outcome = match how {
            0 => done(Effect::Reencrypted),
            1 => done(Effect::Decrypted),
            2 => failed(),
            3 => StepOutcome::Done {
                effect: Effect::Nothing,
                staged: true,
            },
            _ => done(Effect::Nothing),
        };
        self.step(Event::Ended {
            step,
            attempt,
            outcome,
        });
        true
    }

    pub fn proposed(&mut self, applies: bool) -> bool {
        if self.proposals.is_empty() {
            return false;
        }
        let step = self.proposals.remove(0);
        self.step(Event::Proposed { step, applies });
        true
    }

    pub fn snapped(&mut self) -> bool {
        if self.snapshots.is_empty() {
            return false;
        }
        let rotation = self.snapshots.remove(0);
        self.step(Event::Snapped { rotation });
        true
    }
}

/// A step as a new life finds it.
fn interrupt(step: &mut Step) {
    if let Some(status) = StatusEvent::Interrupt.apply_to(step.status) {
        step.status = status;
        step.crashes += 1;
    }
}

impl Coordinator {
    /// The effects, without writing them: the world has a journal that takes its time.
    fn effects_only(&mut self, event: Event) -> Vec<RotationEffect> {
        let now = self.now();
        self.machine.step(event, now)
    }
}
