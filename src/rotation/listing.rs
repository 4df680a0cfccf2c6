//! What the coordinator's machine tells of itself: reports, and for whom each rotation waits.

use crate::key::name::KeyName;
use crate::rotation::event::{Lacks, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
use crate::rotation::roster::Roster;
use crate::rotation::rotations::{Active, KeyQueue, Live};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;

impl RotationMachine {
    /// Whether a callback runs, or its end is being taken into account.
    pub fn has_running(&self) -> bool {
        self.find_running(|_| true).is_some()
    }

    /// Whether this attempt of a step is to be called, or under way.
    pub fn is_called(&self, step: StepRef, attempt: u32) -> bool {
        let live = self.rotations.get(step.rotation);
        let active = live.and_then(|live| live.active.get(&step.step));
        active == Some(&Active::Running { attempt })
    }

    /// Whether a key is defined in this life.
    pub fn is_defined(&self, key: &KeyName) -> bool {
        let queue = self.rotations.queue(key);
        queue.is_some_and(|queue| queue.defined.is_some())
    }

    /// The rotations of a key that have not ended.
    pub fn live_of(&self, key: &KeyName) -> Vec<RotationId> {
        self.rotations.of_key(key)
    }

    /// The key of a rotation that has not ended.
    pub fn key_of(&self, id: RotationId) -> Option<KeyName> {
        self.rotations.get(id).map(|live| live.header.key.clone())
    }

    /// Whether a rotation has been accepted and has not ended.
    pub fn is_live(&self, id: RotationId) -> bool {
        self.rotations.get(id).is_some()
    }

    /// Why rotations are paused, if they are.
    pub fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The reports of every rotation that has not ended, in the order of their declarations.
    pub fn reports(&self) -> Vec<RotationReport> {
        let mut reports: Vec<RotationReport> = self
            .rotations
            .iter()
            .map(|live| self.report_of(live))
            .collect();
        reports.sort_by_key(|report| report.sequence);
        reports
    }

    /// The rotations that had not ended and cannot be read.
    pub fn unreadable(&self) -> Vec<UnreadableRotation> {
        let of_queue = |(key, queue): (&KeyName, &KeyQueue)| {
            let unreadable = |(id, why): (&RotationId, &String)| UnreadableRotation {
                id: *id,
                key: key.clone(),
                unfinished: true,
                why: why.clone(),
            };
            queue.unreadable.iter().map(unreadable).collect::<Vec<_>>()
        };
        self.rotations.queues().flat_map(of_queue).collect()
    }

    /// The report of a rotation that has not ended.
    pub fn report(&self, id: RotationId) -> Option<RotationReport> {
        self.rotations.get(id).map(|live| self.report_of(live))
    }

    fn report_of(&self, live: &Live) -> RotationReport {
        let mut report = RotationReport::new(&live.header, live.steps.iter().cloned().collect());
        report.waits_for = self.waits_for(live);
        report
    }

    fn waits_for(&self, live: &Live) -> Vec<WaitsFor> {
        if !live.header.state.goes_on() {
            return Vec::new();
        }
        if self.paused.is_some() {
            return vec![WaitsFor::Journal];
        }
        let Some(queue) = self.rotations.queue(&live.header.key) else {
            return Vec::new();
        };
        if queue.defined.is_none() {
            return vec![WaitsFor::Definition];
        }
        if let Some((id, _)) = queue.unreadable.first_key_value() {
            return vec![WaitsFor::Unreadable { id: *id }];
        }
        if live.header.state == RotationState::Waiting {
            let earlier = queue.turn.filter(|turn| *turn != live.header.id);
            return earlier
                .map(|id| WaitsFor::Rotation { id })
                .into_iter()
                .collect();
        }
        let at_once = queue
            .defined
            .as_ref()
            .map_or(1, |(b, _)| b.workers_at_once.max(1));
        let due = if live.is_stopping() {
            Vec::new()
        } else {
            live.candidates(at_once)
        };
        let mut waits = Vec::new();
        for step in live.steps.iter() {
            let (worker, callback) = (step.worker.clone(), step.callback.clone());
            if step.status == CallbackStatus::InProgress {
                waits.push(WaitsFor::Callback { worker, callback });
                continue;
            }
            waits.extend(match live.preparing(step.no) {
                Some(Some(Lacks::Thread)) => Some(WaitsFor::Thread { worker, callback }),
                Some(Some(Lacks::Turn)) => Some(WaitsFor::EarlierCall { worker, callback }),
                Some(None) => Some(WaitsFor::Worker { worker, callback }),
                None if due.contains(&step.no) => Some(WaitsFor::Worker { worker, callback }),
                None => None,
            });
        }
        waits
    }
}
