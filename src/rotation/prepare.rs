//! Getting steps ready: ahead of their turn, when they are due, and giving up what got ready.

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::effect::RotationEffect;
use crate::rotation::event::{Moment, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::{RotationMachine, SUSPECT_CRASHES};
use crate::rotation::plan::{Step, VersionPhase};
use crate::rotation::roster::WorkerEntry;
use crate::rotation::rotations::{Active, Live};

/// What a step calls.
pub(crate) struct Called {
    worker: WorkerName,
    incarnation: u64,
    callback: CallbackName,
}

impl Called {
    /// What a step calls in the keeper's process; none if its worker is not there. A step of keyward's own calls no
    /// worker.
    pub(crate) fn of(step: &Step, entry: Option<&WorkerEntry>) -> Option<Self> {
        let incarnation = match step.is_own() {
            true => 0,
            false => entry?.incarnation()?,
        };
        Some(Self {
            worker: step.worker.clone(),
            incarnation,
            callback: step.callback.clone(),
        })
    }
}

impl RotationMachine {
    /// Lets the steps get ready that are due next, so that a step's end and the beginning of the
    /// next one are one write. A step that is suspected of crashes is not among them: it
    /// may have to wait for others.
    pub(crate) fn prepare_ahead(&mut self, id: RotationId) {
        let (Some(live), Some(at_once)) = (self.rotations.get(id), self.at_once(id)) else {
            return;
        };
        let key = live.header.key.clone();
        let turn = self.rotations.queue(&key).and_then(|queue| queue.turn);
        let early = live
            .header
            .versions
            .is_some_and(|of| of.phase != VersionPhase::AllWrite);
        if turn != Some(id) || early || live.is_stopping() || !self.may_run(&live.header) {
            return;
        }
        let next = live.next_candidates(at_once);
        for no in next {
            let step = StepRef {
                rotation: id,
                step: no,
            };
            let Some(next) = self.may_prepare_ahead(step) else {
                continue;
            };
            self.prepare(step, &key, next, true);
            if let Some(live) = self.rotations.get_mut(id) {
                live.active.insert(no, Active::Ahead { ready: false });
            }
        }
    }

    /// What is to be called for a step about which nothing is being done and nothing is wrong.
    fn may_prepare_ahead(&self, step: StepRef) -> Option<Called> {
        let live = self.rotations.get(step.rotation)?;
        let next = live.steps.get(step.step)?;
        let entry = self.roster.get(&next.worker).filter(|_| !next.is_own());
        if entry.is_some_and(|entry| entry.is_elsewhere() || entry.runs_data(&live.header.key)) {
            return None;
        }
        let idle = !live.active.contains_key(&step.step) && next.is_due();
        let missing = || self.missing_since(&live.header.key, next, entry);
        if !idle || next.crashes >= SUSPECT_CRASHES || missing().is_some() {
            return None;
        }
        Called::of(next, entry)
    }

    pub(crate) fn prepare(&mut self, step: StepRef, key: &KeyName, called: Called, ahead: bool) {
        self.effects.push(RotationEffect::Prepare {
            step,
            key: key.clone(),
            worker: called.worker,
            incarnation: called.incarnation,
            callback: called.callback,
            ahead,
        });
    }

    /// Gives up what is prepared for these steps, and looks again at their rotations.
    pub(crate) fn release_preparing(&mut self, now: Moment, of: impl Fn(&Step) -> bool) {
        let mut released = Vec::new();
        for live in self.rotations.iter_mut() {
            let id = live.header.id;
            let steps = &live.steps;
            live.active.retain(|no, active| {
                let mine = active.is_preparation() && steps.get(*no).is_some_and(&of);
                if mine {
                    released.push(StepRef {
                        rotation: id,
                        step: *no,
                    });
                }
                !mine
            });
        }
        for step in released {
            self.wait_until(step, None);
            self.effects.push(RotationEffect::Release { step });
            self.suspect_ended(step, now);
            self.advance(step.rotation, now);
        }
    }

    /// Gives up what is prepared for a rotation that a failed step stops: no further step runs.
    pub(crate) fn release_if_stopping(&mut self, id: RotationId, now: Moment) {
        if self.rotations.get(id).is_some_and(Live::is_stopping) {
            self.release_all(id, now);
        }
    }

    /// Gives up whatever is prepared for a rotation.
    pub(crate) fn release_all(&mut self, id: RotationId, now: Moment) {
        let Some(live) = self.rotations.get_mut(id) else {
            return;
        };
        let given_up = live.active.extract_if(.., |_, a| a.is_preparation());
        let given_up: Vec<u32> = given_up.map(|(no, _)| no).collect();
        for step in given_up {
            let step = StepRef { rotation: id, step };
            self.wait_until(step, None);
            self.effects.push(RotationEffect::Release { step });
            self.suspect_ended(step, now);
        }
    }
}
