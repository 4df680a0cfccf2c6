//! The engine of all rotations: the machine, the outbox in front of the journal, and what is done
//! when a write fails or the coordinator's actor dies. What it wants done comes out as actions, in
//! order; the shell performs them and tells how they ended.

use std::collections::{BTreeMap, VecDeque};

use crate::key::event::{Ticket, WriteFailure};
use crate::key::journal_down::JournalDown;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::time::Time;
use crate::rotation::durable::DurableFacts;
use crate::rotation::effect::{Fact, RotationEffect};
use crate::rotation::event::{Event, Moment, Recovery, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::CallbackOf;
use crate::rotation::machine::RotationMachine;
use crate::rotation::outbox::Outbox;
use crate::rotation::phase::Phase;
use crate::rotation::roster::WorkerEntry;

/// What the engine wants done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every action is an effect, and none is kept"
)]
pub enum Action {
    /// Write this as one batch; the end comes back through [`RotationEngine::written`].
    Write(Vec<Fact>),
    /// Reopen the journal where it is in doubt, and read it anew, after every write that was asked
    /// for; the end comes back through [`RotationEngine::reopened`].
    Reopen,
    /// Perform an effect: what it waits for is durable.
    Perform(RotationEffect),
}

/// What a journal that was read anew has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reread {
    /// What is durable.
    pub facts: DurableFacts,
    /// Whether the batch with the unknown outcome was made.
    pub batch_was_made: bool,
}

/// The machine of all rotations behind its outbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationEngine {
    pub(crate) machine: RotationMachine,
    pub(crate) outbox: Outbox,
    pub(crate) phase: Phase,
    /// Why rotations paused at first.
    pub(crate) first_cause: String,
    pub(crate) last_read: Option<Time>,
    /// The effects that wait for a batch with an unknown outcome.
    pub(crate) held: Vec<RotationEffect>,
    /// The callbacks under way, with their attempts.
    pub(crate) running: BTreeMap<StepRef, u32>,
    /// The ends of callbacks that are not durable yet, with their attempts.
    pub(crate) results: BTreeMap<StepRef, (u32, StepOutcome)>,
    /// The steps with an end of a callback in the batch under way.
    pub(crate) settling: Vec<StepRef>,
    /// The askers that wait for a rotation.
    pub(crate) waits: BTreeMap<Ticket, RotationId>,
    /// The askers that wait again once the journal was read.
    pub(crate) wait_again: Vec<Ticket>,
    /// The callbacks that are being registered, with their worker and its incarnation or instance.
    pub(crate) registering: BTreeMap<Ticket, (WorkerName, u64, KeyName, CallbackName)>,
    /// The workers that leave or are removed, as they were before: that may turn out not to be made.
    pub(crate) leaving: BTreeMap<Ticket, (WorkerName, WorkerEntry)>,
    /// What instances of other processes told that is not durable yet, with the writes that it waits for.
    pub(crate) told: VecDeque<(u64, Event)>,
    /// The callbacks that are removed, with their worker and its incarnation.
    pub(crate) removing: BTreeMap<Ticket, (u64, WorkerName, KeyName, CallbackName)>,
}

impl RotationEngine {
    /// The engine of a machine that the journal left.
    pub fn new(machine: RotationMachine) -> Self {
        let running = machine.run_elsewhere();
        Self {
            machine,
            outbox: Outbox::default(),
            phase: Phase::Going,
            first_cause: String::new(),
            last_read: None,
            held: Vec::new(),
            running,
            results: BTreeMap::new(),
            settling: Vec::new(),
            waits: BTreeMap::new(),
            wait_again: Vec::new(),
            registering: BTreeMap::new(),
            leaving: BTreeMap::new(),
            told: VecDeque::new(),
            removing: BTreeMap::new(),
        }
    }

    /// The machine.
    pub fn machine(&self) -> &RotationMachine {
        &self.machine
    }

    /// Takes one event in.
    pub fn step(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let event = self.of_instance(event);
        self.note(&event, now);
        let read_again = matches!(event, Event::Tick) && self.is_time_to_read(now.time);
        let ends = matches!(event, Event::Interrupt);
        let tells = event.is_told_once().then(|| event.clone());
        let effects = self.machine.step(event, now);
        self.keep(tells);
        let mut actions = self.take_in(effects);
        if ends {
            actions.extend(self.send_away());
        }
        if read_again {
            actions.push(self.read(now.time));
        }
        actions
    }

    /// The batch under way ended.
    pub fn written(&mut self, result: Result<(), WriteFailure>, now: Moment) -> Vec<Action> {
        if !self.outbox.is_writing() {
            return Vec::new();
        }
        match result {
            Ok(()) => {
                for step in std::mem::take(&mut self.settling) {
                    self.results.remove(&step);
                }
                let free = self.outbox.written();
                let free = free.into_iter().filter_map(|effect| self.perform(effect));
                let mut actions: Vec<Action> = free.collect();
                self.forget_what_is_durable();
                match self.phase {
                    Phase::Draining => actions.extend(self.begin_to_read(now.time)),
                    Phase::Going | Phase::Reading | Phase::Waiting(_) | Phase::Lost => {
                        actions.extend(self.take_in(Vec::new()));
                    }
                }
                actions
            }
            Err(failure) => self.failed(failure, now),
        }
    }

    /// What is known may not be true any more, because a write of another part failed. Rotations pause
    /// until the journal was read anew; for good where it is lost.
    pub fn interrupted(&mut self, why: JournalDown, now: Moment) -> Vec<Action> {
        match self.phase {
            Phase::Lost => Vec::new(),
            Phase::Going => {
                let mut actions = self.pause(&why, now);
                if self.outbox.is_writing() && !why.is_for_good() {
                    self.phase = Phase::Draining;
                } else {
                    actions.extend(self.lose_or_read(why, now));
                }
                actions
            }
            Phase::Draining | Phase::Reading | Phase::Waiting(_) if why.is_for_good() => {
                self.lose(why, now)
            }
            Phase::Draining | Phase::Reading | Phase::Waiting(_) => Vec::new(),
        }
    }

    /// The actor that had the engine died, perhaps in the middle of a step. Rotations pause until the
    /// journal was read anew, at once.
    pub fn restarted(&mut self, why: String, now: Moment) -> Vec<Action> {
        self.machine.forget_half_a_step();
        if self.phase == Phase::Going {
            self.last_read = None;
        }
        self.interrupted(why.into(), now)
    }

    /// The journal was read anew, or could not be.
    pub fn reopened(&mut self, found: Result<Reread, JournalDown>, now: Moment) -> Vec<Action> {
        if self.phase != Phase::Reading {
            return Vec::new();
        }
        let reread = match found {
            Ok(reread) => reread,
            Err(why) if why.is_for_good() => return self.lose(why, now),
            Err(why) => {
                self.phase = Phase::Waiting(self.next_read(now.time));
                let why = format!("{}; and since then: {why}", self.first_cause);
                let paused = Event::Paused { why: why.into() };
                let effects = self.machine.step(paused, now);
                return self.take_in(effects);
            }
        };
        let recovery = Recovery {
            facts: reread.facts,
            running: self.running.clone(),
            results: self.results.clone(),
        };
        // If this panics, all is as it was, and the journal is read once more.
        let effects = self.machine.step(Event::Recovered(Box::new(recovery)), now);
        self.phase = Phase::Going;
        let mut actions = Vec::new();
        for effect in std::mem::take(&mut self.held) {
            actions.extend(match reread.batch_was_made {
                // It left and joined again in that write: it is here.
                true if self.is_of_one_here(&effect) => None,
                true => self.perform(effect),
                false => self.take_back(effect),
            });
        }
        self.outbox.reset();
        actions.extend(self.take_in(effects));
        for (_, event) in std::mem::take(&mut self.told) {
            actions.extend(self.step(event, now));
        }
        for ticket in std::mem::take(&mut self.wait_again) {
            if let Some(id) = self.waits.get(&ticket).copied() {
                actions.extend(self.step(Event::Wait { ticket, id }, now));
            }
        }
        actions
    }

    fn is_of_one_here(&self, effect: &RotationEffect) -> bool {
        let RotationEffect::Left { worker, .. } = effect else {
            return false;
        };
        let entry = self.machine.roster().get(worker);
        entry.is_some_and(WorkerEntry::is_here)
    }

    /// When `Tick` is due next.
    pub fn next_deadline(&self) -> Option<Time> {
        let read = match self.phase {
            Phase::Waiting(at) => Some(at),
            Phase::Going | Phase::Draining | Phase::Reading | Phase::Lost => None,
        };
        let due = self.machine.next_deadline();
        read.into_iter().chain(due).min()
    }

    /// Whether a callback runs, or its end is being taken into account.
    pub fn has_running(&self) -> bool {
        match self.phase {
            Phase::Going => self.machine.has_running(),
            Phase::Draining | Phase::Reading | Phase::Waiting(_) | Phase::Lost => {
                !self.running.is_empty()
            }
        }
    }

    /// Whether everything that can be written is durable.
    pub fn is_settled(&self) -> bool {
        self.outbox.is_settled()
    }

    /// Whether how this step's callback ended is not durable yet.
    pub fn keeps(&self, step: StepRef) -> bool {
        self.results.contains_key(&step)
    }

    pub(crate) fn take_in(&mut self, effects: Vec<RotationEffect>) -> Vec<Action> {
        let free = self.outbox.take_in(effects);
        let free = free.into_iter().filter_map(|effect| self.perform(effect));
        let mut actions: Vec<Action> = free.collect();
        if let Some(batch) = self.outbox.next_batch() {
            self.settling = self.ends_in(&batch);
            actions.push(Action::Write(batch));
        }
        actions
    }

    /// What is done for an effect with a durable write; nothing where it is not true any more.
    pub(crate) fn perform(&mut self, effect: RotationEffect) -> Option<Action> {
        match &effect {
            RotationEffect::Call { step, attempt, .. } => {
                if !self.machine.is_called(*step, *attempt) {
                    let release = RotationEffect::Release { step: *step };
                    return Some(Action::Perform(release));
                }
                self.running.insert(*step, *attempt);
                self.results.remove(step);
            }
            RotationEffect::Give {
                step,
                attempt,
                worker,
                number,
                ..
            } => {
                let of = self.machine.hand_over(worker, *number, (*step, *attempt))?;
                if of == CallbackOf::Data {
                    self.running.insert(*step, *attempt);
                    self.results.remove(step);
                }
            }
            RotationEffect::Removed {
                worker,
                key,
                callback,
                ..
            } => {
                let entry = self.machine.roster().get(worker);
                if entry.is_some_and(|entry| entry.has_attached(key, callback)) {
                    return None;
                }
            }
            RotationEffect::Reply { ticket, .. } => self.forget(*ticket),
            RotationEffect::Settled { report, .. } => {
                self.results.retain(|step, _| step.rotation != report.id);
            }
            RotationEffect::Write { .. }
            | RotationEffect::Defined { .. }
            | RotationEffect::Joined { .. }
            | RotationEffect::Connected { .. }
            | RotationEffect::Gone { .. }
            | RotationEffect::Heard { .. }
            | RotationEffect::CatchUp { .. }
            | RotationEffect::LeftOut { .. }
            | RotationEffect::Registered { .. }
            | RotationEffect::Left { .. }
            | RotationEffect::Accepted { .. }
            | RotationEffect::Search { .. }
            | RotationEffect::FindOld { .. }
            | RotationEffect::Snapshot { .. }
            | RotationEffect::Prepare { .. }
            | RotationEffect::Release { .. }
            | RotationEffect::Propose { .. }
            | RotationEffect::Waits { .. }
            | RotationEffect::Withdraw { .. }
            | RotationEffect::Adopt { .. }
            | RotationEffect::TakeValues { .. }
            | RotationEffect::VersionsChanged { .. }
            | RotationEffect::Versions { .. }
            | RotationEffect::AskLastWritten { .. }
            | RotationEffect::Supersede { .. }
            | RotationEffect::Stopped { .. } => {}
        }
        Some(Action::Perform(effect))
    }

    fn forget(&mut self, ticket: Ticket) {
        self.waits.remove(&ticket);
        self.registering.remove(&ticket);
        self.leaving.remove(&ticket);
        self.removing.remove(&ticket);
    }
}
