//! A rotation's durable facts: its header and the steps of its plan.

use std::fmt;

use crate::key::definition::OnKeyChangedCallbackErrorStrategy;
use crate::key::flow::SecretKeyUseCase;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::Effect;
use crate::key::versions::id::VersionId;
use crate::rotation::act::Acts;
use crate::rotation::id::RotationId;
use crate::rotation::instance::CallbackOf;
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;

pub use crate::key::declared::Declared;

/// A keyed fingerprint of one half of a key: it tells equality and outlives the key.
pub type Fingerprint = [u8; 32];

/// What is durable of a rotation, apart from its steps and its sealed keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Header {
    /// Its id.
    pub id: RotationId,
    /// The key that changes.
    pub key: KeyName,
    /// Its number in the order of the declarations.
    pub seq: u64,
    /// Its number in the queue; a resume takes a new one.
    pub place: u64,
    /// The use case of the key at acceptance.
    pub use_case: SecretKeyUseCase,
    /// The strategy, fixed at acceptance.
    pub strategy: OnKeyChangedCallbackErrorStrategy,
    /// How far it is.
    pub state: RotationState,
    /// The declaration as it was made: what the caller said, or a store that it named.
    pub declared: Declared,
    /// Under which random id the old keys lie in the journal; none if there are no old keys.
    pub old_keys: Option<u128>,
    /// Under which random id the new keys lie in the journal; none if there are no new keys.
    pub new_keys: Option<u128>,
    /// Whether it has begun to run: what the key had then lies in the journal.
    pub begun: bool,
    /// How often it was resumed.
    pub resumes: u32,
    /// Whether a rotation that was declared later has had an effect on the key's state.
    pub overtaken: bool,
    /// When it was accepted, in milliseconds since 1970 by the wall clock.
    pub accepted_ms: u64,
    /// When it last stopped or ended, in milliseconds since 1970 by the wall clock.
    pub ended_ms: Option<u64>,
    /// Who declared, resumed and aborted it, and why.
    pub acts: Acts,
    /// From which version to which it leads, and how far it is with that; none of a key without versions.
    pub versions: Option<BetweenVersions>,
}

/// From which version of a key to which a rotation leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BetweenVersions {
    /// The one that is to be written with.
    pub new: VersionId,
    /// The one that was current when it turned; none before that.
    pub old: Option<VersionId>,
    /// How far it is.
    pub phase: VersionPhase,
}

/// How far a rotation between versions is, before its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum VersionPhase {
    /// Its new version is pending.
    Accepted,
    /// Its new version is current; some may still write with another one.
    Turned,
    /// All write with the new version: its steps may begin.
    AllWrite,
}

impl fmt::Display for VersionPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "it has not turned",
            Self::Turned => "it has turned, and earlier versions may still be written with",
            Self::AllWrite => "all write with the new version",
        })
    }
}

impl BetweenVersions {
    /// A rotation to this version that is accepted.
    pub fn to(new: VersionId) -> Self {
        let phase = VersionPhase::Accepted;
        Self {
            new,
            old: None,
            phase,
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum StepKind {
    /// It calls a worker's callback of data.
    #[default]
    Callback,
    /// It calls a callback of memory of every instance of its worker.
    Memory,
    /// It puts the new key in the place of the old one in the key's store: the last step of a rotation of a key
    /// with versions.
    Switch,
}

impl From<CallbackOf> for StepKind {
    fn from(of: CallbackOf) -> Self {
        match of {
            CallbackOf::Data => Self::Callback,
            CallbackOf::Memory => Self::Memory,
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Callback => "callback",
            Self::Memory => "memory",
            Self::Switch => "switch",
        })
    }
}

/// One step of a rotation's plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Step {
    /// Its number, which stays its own whatever becomes of the plan.
    pub no: u32,
    /// What it does.
    pub kind: StepKind,
    /// The worker.
    pub worker: WorkerName,
    /// The worker's callback.
    pub callback: CallbackName,
    /// How far it is.
    pub status: CallbackStatus,
    /// How often it was called.
    pub attempt: u32,
    /// How many calls in a row ended in a crash.
    pub crashes: u32,
    /// When it was last called, in milliseconds since 1970 by the wall clock.
    pub started_ms: Option<u64>,
    /// When it last ended, in milliseconds since 1970 by the wall clock.
    pub ended_ms: Option<u64>,
    /// Why it failed last, scrubbed.
    pub error: Option<String>,
    /// What it did to the data.
    pub effect: Effect,
    /// Whether it was taken out of the plan, because its worker or callback is gone for good.
    pub removed: bool,
}

impl Step {
    /// A step of a callback that has not been called.
    pub fn new(no: u32, worker: WorkerName, callback: CallbackName) -> Self {
        Self {
            no,
            kind: StepKind::Callback,
            worker,
            callback,
            status: CallbackStatus::Pending,
            attempt: 0,
            crashes: 0,
            started_ms: None,
            ended_ms: None,
            error: None,
            effect: Effect::Nothing,
            removed: false,
        }
    }

    /// The same, of a callback that changes this.
    pub fn of(self, of: CallbackOf) -> Self {
        let kind = of.into();
        Self { kind, ..self }
    }

    /// Whether it calls a callback of memory.
    pub fn is_of_memory(&self) -> bool {
        match self.kind {
            StepKind::Callback | StepKind::Switch => false,
            StepKind::Memory => true,
        }
    }

    /// The step that puts the new key into the key's store: keyward's own.
    pub fn switch(no: u32) -> Self {
        let (worker, callback) = (WorkerName::keyward(), CallbackName::switch());
        let kind = StepKind::Switch;
        Self {
            kind,
            ..Self::new(no, worker, callback)
        }
    }

    /// Whether it calls this worker.
    pub fn is_of(&self, worker: &WorkerName) -> bool {
        self.worker == *worker && !self.is_own()
    }

    /// Whether it is keyward's own, and calls no worker.
    pub fn is_own(&self) -> bool {
        self.kind == StepKind::Switch
    }

    /// Whether it calls a callback of data.
    pub fn is_of_data(&self) -> bool {
        self.kind == StepKind::Callback
    }

    /// Whether it is still to be called.
    pub fn is_due(&self) -> bool {
        !self.removed && self.status == CallbackStatus::Pending
    }

    /// Whether nothing is left to be done about it in this run.
    pub fn is_settled(&self) -> bool {
        self.removed
            || matches!(
                self.status,
                CallbackStatus::Succeeded | CallbackStatus::Failed
            )
    }
}
