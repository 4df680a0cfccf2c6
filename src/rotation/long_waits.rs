//! Steps that are due and wait long: an operator is told, once a wait, before the wait is over.

use std::collections::btree_map::Entry;
use std::time::Duration;

use crate::key::time::Time;
use crate::rotation::effect::RotationEffect;
use crate::rotation::event::{Lacks, Moment, StepRef};
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::Step;
use crate::rotation::report::WaitsFor;

impl RotationMachine {
    /// A due step cannot be called yet. While it goes on waiting, this is one wait.
    pub(crate) fn waits(&mut self, step: StepRef, now: Moment) {
        let Some(after) = self.config.warn_after else {
            return;
        };
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        let due = now.time.after(after);
        if let Entry::Vacant(wait) = live.warned.entry(step.step) {
            wait.insert(due);
            self.warnings.insert((due, step));
        }
    }

    /// A wait is over.
    pub(crate) fn waits_no_more(&mut self, step: StepRef) {
        let live = self.rotations.get_mut(step.rotation);
        if let Some(due) = live.and_then(|live| live.warned.remove(&step.step)) {
            self.warnings.remove(&(due, step));
        }
    }

    /// Has operators told of the waits that have become long.
    pub(crate) fn warn(&mut self, now: Moment) {
        while let Some((at, step)) = self.warnings.first().copied() {
            if at > now.time {
                break;
            }
            self.warnings.pop_first();
            let Some(waits_for) = self.long_wait(step) else {
                // It waits anew once rotations go on.
                self.waits_no_more(step);
                continue;
            };
            if let Some(live) = self.rotations.get(step.rotation) {
                let key = live.header.key.clone();
                let rotation = step.rotation;
                self.effects.push(RotationEffect::Waits {
                    rotation,
                    key,
                    waits_for,
                });
            }
        }
    }

    fn long_wait(&self, step: StepRef) -> Option<WaitsFor> {
        let live = self.rotations.get(step.rotation)?;
        if !self.goes_on() || !live.warned.contains_key(&step.step) {
            return None;
        }
        let of = live.steps.get(step.step)?;
        self.waits_for(live).into_iter().find(|waits| match waits {
            WaitsFor::Worker { worker, callback }
            | WaitsFor::Instance {
                worker, callback, ..
            }
            | WaitsFor::EarlierCall { worker, callback }
            | WaitsFor::Thread { worker, callback } => {
                *worker == of.worker && *callback == of.callback
            }
            WaitsFor::Definition
            | WaitsFor::Rotation { .. }
            | WaitsFor::Unreadable { .. }
            | WaitsFor::Callback { .. }
            | WaitsFor::Drain { .. }
            | WaitsFor::Journal => false,
        })
    }

    /// Why a step has Failed: its worker or callback did not come back.
    pub(crate) fn worker_gone(&self, step: StepRef, wait: Duration) -> String {
        let live = self.rotations.get(step.rotation);
        let Some(of) = live.and_then(|live| live.steps.get(step.step)) else {
            return "worker gone".to_owned();
        };
        let (worker, callback) = (&of.worker, &of.callback);
        let is_here = self
            .roster
            .get(worker)
            .is_some_and(|e| e.incarnation().is_some());
        let missing = if is_here {
            format!("worker {worker} has not registered callback {callback}")
        } else {
            format!("worker {worker}, which has callback {callback}, was not here")
        };
        format!(
            "worker gone: {missing} for {wait:?}; bring it back and resume, or, if its data is gone, \
             remove it (remove_worker, remove_callback)"
        )
    }

    /// When the next wait becomes long.
    pub(crate) fn next_warning(&self) -> Option<Time> {
        self.warnings.first().map(|(at, _)| *at)
    }
}

/// Why a step has Failed that waited too long for its turn or its thread.
pub(super) fn kept_waiting(due: &Step, lacks: Option<Lacks>, wait: Duration) -> String {
    let (worker, callback) = (&due.worker, &due.callback);
    let why = match lacks {
        Some(Lacks::Thread) => {
            "no thread was free; see which callbacks hang and what the system allows"
        }
        Some(Lacks::Turn) => {
            "an earlier call of the worker's callbacks for the key has not returned"
        }
        None => {
            "an earlier call of the worker's callbacks for the key has not returned, or no thread \
             was free"
        }
    };
    format!(
        "still running: callback {callback} of worker {worker} could not be called for {wait:?}: {why}; \
         resume when it can"
    )
}
