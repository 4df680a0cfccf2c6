//! Catching up: an instance that registers a callback of memory is called for the steps of it that have
//! Succeeded before, of rotations that may still go on, before its registration is answered.

use std::collections::VecDeque;

use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::catching_up::CatchingUp;
use crate::rotation::effect::{Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::StepRef;
use crate::rotation::machine::RotationMachine;
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;

/// After how many processes in a row that ended in it a callback is not caught up any more.
const MAX_ENDS: u32 = 5;

impl RotationMachine {
    /// Begins to catch an instance up that has registered a callback of memory; false where there is
    /// nothing to catch up with. Else its registration is answered at the end of it.
    pub(crate) fn catch_up(
        &mut self,
        ticket: Ticket,
        (worker, life): (&WorkerName, u64),
        key: &KeyName,
        callback: &CallbackName,
    ) -> bool {
        let left = self.behind(worker, key, callback);
        if left.is_empty() {
            return false;
        }
        let named = (worker.clone(), key.clone(), callback.clone());
        let ends = self.ends_in_catching_up.get(&named).copied();
        if let Some(ends) = ends.filter(|ends| *ends >= MAX_ENDS) {
            let (worker, key, callback) = named;
            self.effects.push(RotationEffect::LeftOut {
                worker,
                key,
                callback,
                ends,
            });
            return false;
        }
        let steps = left.len();
        let catching_up = CatchingUp {
            worker: worker.clone(),
            life,
            key: key.clone(),
            callback: callback.clone(),
            left,
            failed: Vec::new(),
            steps,
        };
        self.call_to_catch_up(&catching_up);
        self.catching_up.insert(ticket, catching_up);
        true
    }

    /// The steps of this callback that have Succeeded, of rotations that may still go on.
    fn behind(
        &self,
        worker: &WorkerName,
        key: &KeyName,
        callback: &CallbackName,
    ) -> VecDeque<(StepRef, u32)> {
        let of_key = self.rotations.of_key(key).into_iter();
        let live = of_key.filter_map(|id| self.rotations.get(id));
        let goes_on = live.filter(|live| {
            let header = &live.header;
            let over = header.state.has_ended() || header.state == RotationState::Obsolete;
            header.begun && !over
        });
        let mut found: Vec<(u64, StepRef, u32)> = Vec::new();
        for live in goes_on {
            let rotation = live.header.id;
            let done = live.steps.iter().filter(|step| {
                let this = step.is_of(worker) && step.callback == *callback;
                let done = step.status == CallbackStatus::Succeeded && !step.removed;
                this && done && step.is_of_memory()
            });
            found.extend(done.map(|done| {
                let step = StepRef {
                    rotation,
                    step: done.no,
                };
                (live.header.seq, step, done.attempt)
            }));
        }
        found.sort_unstable();
        let in_order = found.into_iter();
        in_order.map(|(_, step, attempt)| (step, attempt)).collect()
    }

    /// Whether an instance waits to be called for this step, to catch up.
    pub fn is_catching_up(&self, (worker, life): (&WorkerName, u64), step: StepRef) -> bool {
        self.catching_up.values().any(|one| {
            let first = one.left.front().map(|(step, _)| *step);
            one.worker == *worker && one.life == life && first == Some(step)
        })
    }

    fn call_to_catch_up(&mut self, of: &CatchingUp) {
        if let Some((step, attempt)) = of.left.front().copied() {
            self.effects.push(RotationEffect::CatchUp {
                step,
                attempt,
                key: of.key.clone(),
                worker: of.worker.clone(),
                life: of.life,
                callback: of.callback.clone(),
            });
        }
    }

    /// An instance was caught up with a step, however that ended.
    pub(crate) fn caught_up(
        &mut self,
        worker: &WorkerName,
        life: u64,
        step: StepRef,
        error: Option<String>,
    ) {
        let mut all = self.catching_up.iter();
        let this = all.find(|(_, one)| {
            let first = one.left.front().map(|(step, _)| *step);
            one.worker == *worker && one.life == life && first == Some(step)
        });
        let Some(ticket) = this.map(|(ticket, _)| *ticket) else {
            return;
        };
        let Some(mut one) = self.catching_up.remove(&ticket) else {
            return;
        };
        one.left.pop_front();
        one.failed.extend(error.map(|error| (step.rotation, error)));
        let named = (one.worker.clone(), one.key.clone(), one.callback.clone());
        self.ends_in_catching_up.remove(&named);
        if !one.left.is_empty() {
            self.call_to_catch_up(&one);
            self.catching_up.insert(ticket, one);
            return;
        }
        let (failed, steps) = (one.failed, one.steps);
        self.reply(ticket, Ok(Reply::CaughtUp { failed, steps }));
    }

    /// An instance is gone, perhaps because its process ended, while it was being caught up.
    pub(crate) fn catching_up_ended(
        &mut self,
        worker: &WorkerName,
        life: u64,
        process_ended: bool,
    ) {
        let of_it = self
            .catching_up
            .extract_if(.., |_, one| one.worker == *worker && one.life == life);
        for (ticket, one) in of_it.collect::<Vec<_>>() {
            if process_ended {
                let named = (one.worker.clone(), one.key, one.callback);
                let ends = self.ends_in_catching_up.entry(named).or_default();
                *ends = ends.saturating_add(1);
            }
            let worker = one.worker;
            self.reply(ticket, Err(RotationError::UnknownWorker { worker }));
        }
    }

    /// Nothing can be made durable: registrations that were not answered have not been made.
    pub(crate) fn stop_catching_up(&mut self, why: &JournalDown) {
        for (ticket, one) in std::mem::take(&mut self.catching_up) {
            self.roster
                .unregister((&one.worker, one.life), &one.key, &one.callback);
            let told = RotationError::of_journal(None, why.clone());
            self.reply(ticket, Err(told));
        }
    }
}
