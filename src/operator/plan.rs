//! What would happen if a key changed now.

use std::time::Duration;

use crate::key::definition::OnKeyChangedCallbackErrorStrategy;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
#[cfg(feature = "serde")]
use crate::key::versions::rules::milliseconds;
use crate::rotation::instance::CallbackOf;
use crate::rotation::report::WaitsFor;

/// What would happen if a key changed now: which callbacks would be called, which are missing, what is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChangePlan {
    /// The key.
    pub key: KeyName,
    /// What a failed callback would do.
    pub strategy: OnKeyChangedCallbackErrorStrategy,
    /// Which callback would be called, in the plan's order.
    pub steps: Vec<PlannedStep>,
    /// What a rotation that was declared now would wait for.
    pub waits_for: Vec<WaitsFor>,
    /// What it would begin with, of a key with versions.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub versions: Option<PlannedVersions>,
}

/// What a change of a key with versions would begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlannedVersions {
    /// The current version, which a change leads away from.
    pub current: VersionId,
    /// Its number.
    pub number: u64,
    /// How long copies of it, which plain gets answered, would be waited for.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "drain_ms", serialize_with = "milliseconds")
    )]
    pub drain: Duration,
    /// The workers that were handed it for writing and have no callback of memory: a copy that one of them keeps
    /// for longer than `drain` is not covered.
    pub copies: Vec<WorkerName>,
}

/// What one worker would do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlannedStep {
    /// The worker.
    pub worker: WorkerName,
    /// Its callback.
    pub callback: CallbackName,
    /// What it changes.
    pub kind: CallbackOf,
    /// How many can be called with it now: the worker in the keeper's process, and instances that are connected
    /// and ready. Of data, one of them is; of memory, each.
    pub instances: u64,
}
