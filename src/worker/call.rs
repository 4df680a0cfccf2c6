//! A call of a callback, as data: what a worker is given for it, and how it ended.

use std::sync::Arc;

use crate::key::definition::KeyBehaviour;
use crate::key::name::{CallbackName, KeyName};
use crate::key::state::{Effect, Snapshot, Staged};
use crate::rotation::outcome::{StepOutcome, StepRef};
use crate::secret::value::SecretKeyPair;
use crate::worker::call_versions::CallVersions;

/// A call of a callback, as data.
#[derive(Clone)]
pub struct Call {
    /// The step.
    pub step: StepRef,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The callback.
    pub callback: CallbackName,
    /// The key.
    pub key: KeyName,
    /// How the key behaves; the call's time limit is there.
    pub behaviour: Arc<KeyBehaviour>,
    /// The old keys, if any were declared or held.
    pub old_keys: Option<SecretKeyPair>,
    /// The new keys, if they were declared.
    pub new_keys: Option<SecretKeyPair>,
    /// What the key had when the rotation first began to run.
    pub snapshot: Snapshot,
    /// From which version to which the rotation leads; none of a key without versions.
    pub versions: Option<CallVersions>,
}

/// How a call ended, and what it staged.
#[derive(Debug)]
pub struct CallEnd {
    /// The outcome.
    pub outcome: StepOutcome,
    /// What the handle staged, if the callback succeeded.
    pub staged: Vec<Staged>,
}

impl CallEnd {
    /// A call that ended without a sign of how.
    #[cfg(feature = "embedded")]
    pub fn lost() -> Self {
        Self {
            outcome: StepOutcome::Lost,
            staged: Vec::new(),
        }
    }

    /// A call that failed, for a reason that quotes no foreign text.
    pub fn failed(why: impl Into<String>) -> Self {
        Self {
            outcome: StepOutcome::Failed { error: why.into() },
            staged: Vec::new(),
        }
    }

    /// The end of a callback of memory: one that touched data has failed.
    pub(crate) fn of_memory(self) -> Self {
        match self.outcome {
            StepOutcome::Done {
                effect: Effect::Nothing,
                staged: false,
            }
            | StepOutcome::Failed { .. }
            | StepOutcome::Lost => self,
            StepOutcome::Done { .. } => Self::failed(
                "a callback of memory has no effect and stages nothing; register it with \
                 `register_on_change` if it changes data",
            ),
        }
    }
}
