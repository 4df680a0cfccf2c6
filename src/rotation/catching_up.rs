//! An instance that is being caught up with what a callback of memory has missed.

use std::collections::VecDeque;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::id::RotationId;
use crate::rotation::outcome::StepRef;

/// An instance that is being caught up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CatchingUp {
    pub(crate) worker: WorkerName,
    pub(crate) life: u64,
    pub(crate) key: KeyName,
    pub(crate) callback: CallbackName,
    /// The steps that are left, with their attempts, in the order of the rotations; the first is called.
    pub(crate) left: VecDeque<(StepRef, u32)>,
    pub(crate) failed: Vec<(RotationId, String)>,
    pub(crate) steps: usize,
}
