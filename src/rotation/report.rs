//! What callers and operators are told of a rotation.

use crate::key::definition::OnKeyChangedCallbackErrorStrategy;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::act::Act;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{BetweenVersions, Header, Step};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;

/// What a rotation waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum WaitsFor {
    /// For its key to be defined in this life of the program, with the use case that it was accepted with.
    Definition,
    /// For an earlier rotation of the key.
    Rotation {
        /// Which one.
        id: RotationId,
    },
    /// For an operator to dismiss an unreadable rotation of the key.
    Unreadable {
        /// Which one.
        id: RotationId,
    },
    /// For a worker to join, or to register its callback.
    Worker {
        /// The worker.
        worker: WorkerName,
        /// The callback.
        callback: CallbackName,
    },
    /// For a process that has joined under the worker's name and registered the callback: it is not
    /// connected, or has not said that it is ready.
    Instance {
        /// The worker.
        worker: WorkerName,
        /// The callback.
        callback: CallbackName,
        /// The number of the instance.
        instance: u64,
    },
    /// For an earlier call of this worker's callbacks for the key, which passed its limit and has
    /// not returned.
    EarlierCall {
        /// The worker.
        worker: WorkerName,
        /// The callback that is due.
        callback: CallbackName,
    },
    /// For a thread that the callback can run on: all are taken, or the system refuses one.
    Thread {
        /// The worker.
        worker: WorkerName,
        /// The callback that is due.
        callback: CallbackName,
    },
    /// For a callback that runs.
    Callback {
        /// The worker.
        worker: WorkerName,
        /// The callback.
        callback: CallbackName,
    },
    /// For the journal, which cannot be written, or has yet to take the rotation's end.
    Journal,
    /// For copies of earlier versions of the key, which plain gets answered, to be out of use: its callbacks begin
    /// then.
    Drain {
        /// Until when, in milliseconds since 1970 by the wall clock.
        until_ms: u64,
    },
}

/// What is known of one rotation. It never holds keys.
///
/// Under the default strategy, `Halt`, a rotation with a failed callback is answered as `Ok` with this
/// report: `state` says [`RotationState::Stopped`], and the steps which callback failed and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[must_use = "a failed callback is no error: look at `state`"]
pub struct RotationReport {
    /// Its id.
    pub id: RotationId,
    /// The key that changes.
    pub key: KeyName,
    /// Orders it among rotations: one that was declared later has a higher number. Joins and registrations are counted
    /// too, so the first rotation is not number 1.
    pub sequence: u64,
    /// How far it is.
    pub state: RotationState,
    /// What a failed callback does to it.
    pub strategy: OnKeyChangedCallbackErrorStrategy,
    /// How often it was resumed.
    pub resumes: u32,
    /// When it was accepted, in milliseconds since 1970 by the wall clock.
    pub accepted_ms: u64,
    /// When it last stopped or ended, in milliseconds since 1970 by the wall clock.
    pub ended_ms: Option<u64>,
    /// The steps in the plan's order, removed ones too.
    pub steps: Vec<Step>,
    /// What it waits for, if it goes on by itself.
    pub waits_for: Vec<WaitsFor>,
    /// Who declared, resumed and aborted it, and why: the declaration and at most the 31 latest. Of a rotation that an earlier
    /// version accepted it is not known.
    pub acts: Vec<Act>,
    /// From which version to which it leads, and how far it is with that; none of a key without versions.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub versions: Option<BetweenVersions>,
}

impl Header {
    /// The report of a rotation that waits for nothing.
    pub fn report(&self, steps: Vec<Step>) -> RotationReport {
        RotationReport {
            id: self.id,
            key: self.key.clone(),
            sequence: self.seq,
            state: self.state,
            strategy: self.strategy,
            resumes: self.resumes,
            accepted_ms: self.accepted_ms,
            ended_ms: self.ended_ms,
            steps,
            waits_for: Vec::new(),
            acts: self.acts.all().to_vec(),
            versions: self.versions,
        }
    }
}

impl RotationReport {
    /// The steps that have Failed.
    pub fn failed(&self) -> impl Iterator<Item = &Step> {
        let failed = |s: &&Step| s.status == CallbackStatus::Failed && !s.removed;
        self.steps.iter().filter(failed)
    }

    /// The workers that may still hold data under the old key: those with a step that has not
    /// Succeeded, each once, in the plan's order.
    pub fn unsucceeded_workers(&self) -> Vec<WorkerName> {
        let mut workers: Vec<WorkerName> = Vec::new();
        for step in &self.steps {
            let open = step.status != CallbackStatus::Succeeded && !step.is_own();
            if open && !workers.contains(&step.worker) {
                workers.push(step.worker.clone());
            }
        }
        workers
    }

    /// Whether `key_changed` answers it as an error: a callback failed under a strategy that
    /// raises.
    pub fn raises(&self) -> bool {
        let failed = match self.state {
            RotationState::Stopped | RotationState::CompletedWithFailures => true,
            RotationState::Waiting
            | RotationState::Running
            | RotationState::Completed
            | RotationState::Aborted
            | RotationState::Obsolete => self.failed().next().is_some(),
        };
        failed && self.strategy.raises()
    }
}

/// A rotation with a record that cannot be read: what its place tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UnreadableRotation {
    /// Its id.
    pub id: RotationId,
    /// The key that changes.
    pub key: KeyName,
    /// Whether it had not ended.
    pub unfinished: bool,
    /// What is wrong with which record.
    pub why: String,
}

impl UnreadableRotation {
    /// What the place of an unreadable rotation's records tells, and what is wrong with them.
    pub fn new(id: RotationId, key: KeyName, unfinished: bool, why: String) -> Self {
        Self {
            id,
            key,
            unfinished,
            why,
        }
    }
}
