//! Taking rotations through their plans: which rotation has the turn of its key, and which step is next.

use crate::key::name::{KeyName, WorkerName};
use crate::key::time::Time;
use crate::rotation::effect::{Fact, RotationEffect};
use crate::rotation::event::{Lacks, Moment, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::{RotationMachine, SUSPECT_CRASHES};
use crate::rotation::plan::{Header, Step};
use crate::rotation::prepare::Called;
use crate::rotation::roster::WorkerEntry;
use crate::rotation::rotations::{Active, KeyQueue, Live};
use crate::rotation::state::{RotationEvent, RotationState};
use crate::rotation::status::StatusEvent;

/// What came of trying to call a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// Something is being done about it.
    Begun,
    /// It waits.
    Waits,
    /// It has ended, or may be tried once more in another way: the candidates are others now.
    Ended,
}

impl RotationMachine {
    /// Gives the turn to the next rotation of the key, if no other has it.
    pub(crate) fn advance_key(&mut self, key: &KeyName, now: Moment) {
        let first = self.rotations.queue(key).and_then(KeyQueue::first);
        let Some(id) = first.filter(|id| {
            let live = self.rotations.get(*id);
            live.is_some_and(|live| self.may_run(&live.header))
        }) else {
            return;
        };
        self.rotations.queue_mut(key).turn = Some(id);
        let Some(live) = self.rotations.get_mut(id) else {
            return;
        };
        if !live.header.begun {
            if !live.snapping {
                live.snapping = true;
                let key = key.clone();
                let between = live.header.versions.is_some();
                self.effects
                    .push(RotationEffect::Snapshot { rotation: id, key });
                if !between {
                    self.prepare_ahead(id);
                }
            }
            return;
        }
        self.begin(id);
        self.advance(id, now);
    }

    /// Whether a rotation may run when it is its turn: its key is defined as it was when it was accepted,
    /// and no rotation of the key is unreadable.
    pub(crate) fn may_run(&self, header: &Header) -> bool {
        let queue = self.rotations.queue(&header.key);
        self.goes_on()
            && queue
                .is_some_and(|queue| queue.unreadable.is_empty() && queue.is_defined_for(header))
    }

    /// Goes on with the rotation that has the turn of the key.
    pub(crate) fn advance_turn(&mut self, key: &KeyName, now: Moment) {
        if let Some(id) = self.rotations.queue(key).and_then(|queue| queue.turn) {
            self.advance(id, now);
        }
    }

    pub(crate) fn snapped(&mut self, id: RotationId, now: Moment) {
        let Some(live) = self.rotations.get_mut(id).filter(|live| live.snapping) else {
            return;
        };
        live.snapping = false;
        if self.closed || self.paused.is_some() {
            return;
        }
        live.header.begun = true;
        self.facts.push(Fact::Snapshot(id));
        self.begin(id);
        self.advance(id, now);
    }

    fn begin(&mut self, id: RotationId) {
        let Some(live) = self.rotations.get_mut(id) else {
            return;
        };
        if let Some(state) = RotationEvent::Begin.apply_to(live.header.state) {
            live.header.state = state;
            let header = live.header.clone();
            self.rotations
                .queue_mut(&header.key)
                .waiting
                .remove(&header.place);
            self.facts.push(Fact::Rotation(header));
        }
    }

    /// Calls what is due of a running rotation, and ends it where nothing is left to do.
    pub(crate) fn advance(&mut self, id: RotationId, now: Moment) {
        let live = self.rotations.get(id);
        let Some(live) = live.filter(|live| self.may_run(&live.header)) else {
            return;
        };
        if live.header.versions.is_some() && !self.may_begin_steps(id, now) {
            return;
        }
        self.gather_all(id, now);
        while let Some(candidates) = self.candidates(id) {
            let mut ended = false;
            for no in candidates {
                let step = StepRef {
                    rotation: id,
                    step: no,
                };
                match self.start(step, now) {
                    Start::Begun | Start::Waits => {}
                    Start::Ended => {
                        ended = true;
                        break;
                    }
                }
            }
            if !ended {
                break;
            }
        }
        self.release_if_stopping(id, now);
        self.prepare_ahead(id);
        self.finish_if_done(id, now);
    }

    fn candidates(&self, id: RotationId) -> Option<Vec<u32>> {
        let at_once = self.at_once(id)?;
        let live = self.rotations.get(id)?;
        let runs = live.header.state == RotationState::Running;
        (runs && !live.is_stopping()).then(|| live.candidates(at_once))
    }

    /// How many workers may run at once.
    pub(crate) fn at_once(&self, id: RotationId) -> Option<usize> {
        let key = &self.rotations.get(id)?.header.key;
        let (behaviour, _) = self.rotations.queue(key)?.defined.as_ref()?;
        Some(behaviour.workers_at_once.max(1))
    }

    /// Since when the callback of a step is missing at its worker; none if it is there.
    pub(crate) fn missing_since(
        &self,
        key: &KeyName,
        due: &Step,
        entry: Option<&WorkerEntry>,
    ) -> Option<Time> {
        if due.is_own() {
            return None;
        }
        if entry.is_some_and(|entry| entry.has_attached(key, &due.callback)) {
            return None;
        }
        let defined = self
            .rotations
            .queue(key)?
            .defined
            .as_ref()
            .map(|(_, since)| *since);
        let died = entry.and_then(|entry| entry.died());
        died.max(defined)
    }

    fn start(&mut self, step: StepRef, now: Moment) -> Start {
        let Some(live) = self.rotations.get(step.rotation) else {
            return Start::Waits;
        };
        let Some(due) = live.steps.get(step.step) else {
            return Start::Waits;
        };
        if due.crashes >= self.config.max_crashes {
            self.fail(step, too_many_attempts(due.crashes), now);
            return Start::Ended;
        }
        let key = live.header.key.clone();
        let entry = self.roster.get(&due.worker).filter(|_| !due.is_own());
        let missing = self.missing_since(&key, due, entry);
        let is_here = missing.is_none();
        if due.is_of_memory() && !is_here {
            return self.gather(step, now);
        }
        if entry.is_some_and(|entry| entry.is_elsewhere()) {
            return self.start_elsewhere(step, now);
        }
        if entry.is_some_and(|entry| is_here && entry.runs_data(&key)) {
            // Its name was that of another process, which may still run a callback of it.
            let since = self.missing(step, now).since;
            return self.keep_waiting(step, since, now);
        }
        if let Some(since) = missing {
            self.waits(step, now);
            return self.wait_for_worker(step, since, now);
        }
        if due.crashes >= SUSPECT_CRASHES && self.suspect.is_some_and(|other| other != step) {
            self.after_suspect.insert(step.rotation);
            return Start::Waits;
        }
        let Some(called) = Called::of(due, entry) else {
            return Start::Waits;
        };
        if due.crashes >= SUSPECT_CRASHES {
            self.suspect = Some(step);
        }
        if live.active.get(&step.step) == Some(&Active::Ahead { ready: true }) {
            self.call(step, now);
            return Start::Begun;
        }
        let since = now.time;
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            let lacks = None;
            live.active
                .insert(step.step, Active::Preparing { since, lacks });
        }
        self.waits(step, now);
        if let Some(wait) = self.config.worker_wait {
            self.wait_until(step, Some(since.after(wait)));
        }
        self.prepare(step, &key, called, false);
        Start::Begun
    }

    pub(crate) fn wait_for_worker(&mut self, step: StepRef, since: Time, now: Moment) -> Start {
        let Some(wait) = self.config.worker_wait else {
            return Start::Waits;
        };
        let end = since.after(wait);
        if end > now.time {
            self.wait_until(step, Some(end));
            return Start::Waits;
        }
        let error = self.worker_gone(step, wait);
        self.fail(step, error, now);
        Start::Ended
    }

    pub(crate) fn lacks(&mut self, step: StepRef, what: Lacks) {
        let live = self.rotations.get_mut(step.rotation);
        if let Some(Active::Preparing { lacks, .. }) =
            live.and_then(|live| live.active.get_mut(&step.step))
        {
            *lacks = Some(what);
        }
    }

    pub(crate) fn prepared(&mut self, step: StepRef, now: Moment) {
        let live = self.rotations.get_mut(step.rotation);
        match live.and_then(|live| live.active.get_mut(&step.step)) {
            Some(Active::Ahead { ready }) => {
                *ready = true;
                return;
            }
            Some(Active::Preparing { .. }) => {}
            None
            | Some(Active::Running { .. } | Active::Gathering { .. } | Active::Settling { .. }) => {
                self.effects.push(RotationEffect::Release { step });
                return;
            }
        }
        self.wait_until(step, None);
        let live = self.rotations.get(step.rotation);
        let is_here = |live: &Live| {
            let due = live.steps.get(step.step)?;
            let entry = self.roster.get(&due.worker);
            let missing = self.missing_since(&live.header.key, due, entry);
            (missing.is_none() && !live.is_stopping()).then_some(())
        };
        if self.goes_on() && live.and_then(is_here).is_some() {
            self.call(step, now);
            self.prepare_ahead(step.rotation);
            return;
        }
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            live.active.remove(&step.step);
        }
        self.effects.push(RotationEffect::Release { step });
        self.suspect_ended(step, now);
        self.advance(step.rotation, now);
    }

    /// Calls what is ready: its InProgress is made durable first.
    fn call(&mut self, step: StepRef, now: Moment) {
        let Some(attempt) = self.begin_call(step, now) else {
            return;
        };
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        let key = live.header.key.clone();
        live.missing.remove(&step.step);
        live.active.insert(step.step, Active::Running { attempt });
        let after = self.this_write();
        self.effects.push(RotationEffect::Call {
            after,
            step,
            attempt,
            key,
        });
    }

    /// What was to be called was not: it is to be called again, and that was no crash.
    pub(crate) fn uncalled(&mut self, step: StepRef, attempt: u32, now: Moment) {
        if self.is_called(step, attempt) {
            self.call_again(step, 0, now);
        }
    }

    /// A step that was called, or was to be, is to be called again, after so many crashes more.
    pub(crate) fn call_again(&mut self, step: StepRef, crashes: u32, now: Moment) {
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        live.active.remove(&step.step);
        live.answered.remove(&step.step);
        let key = live.header.key.clone();
        let again = |due: &mut Step| due.crashes = due.crashes.saturating_add(crashes);
        let due = live.steps.happen(step.step, StatusEvent::Interrupt, again);
        if let Some(due) = due.filter(|_| self.paused.is_none()) {
            let fact = Fact::Step(step.rotation, key, due.clone());
            self.facts.push(fact);
        }
        // Its worker's next step may have the turn that it needs once more.
        self.release_all(step.rotation, now);
        self.suspect_ended(step, now);
        self.advance(step.rotation, now);
    }

    /// Lets the next step that crashes followed have its turn.
    pub(crate) fn suspect_ended(&mut self, step: StepRef, now: Moment) {
        if self.suspect != Some(step) {
            return;
        }
        self.suspect = None;
        for id in std::mem::take(&mut self.after_suspect) {
            if id != step.rotation {
                self.advance(id, now);
            }
        }
    }

    pub(crate) fn died(&mut self, worker: &WorkerName, incarnation: u64, now: Moment) {
        if self.roster.die(worker, incarnation, now.time) {
            self.release_preparing(now, |step| step.is_of(worker));
        }
    }
}

/// Why a step has Failed after too many crashes.
pub(crate) fn too_many_attempts(crashes: u32) -> String {
    format!("too many attempts: {crashes} calls ended in a crash")
}
