//! Which step is called, and how its callback ended.

use crate::key::state::Effect;
use crate::rotation::id::RotationId;

/// A callback that is called: which rotation, step and attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepRef {
    /// The rotation.
    pub rotation: RotationId,
    /// The step's number.
    pub step: u32,
}

/// How a callback ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// It did its work.
    Done {
        /// What it did to the data.
        effect: Effect,
        /// Whether it staged changes of the key's state; they stay with the shell.
        staged: bool,
    },
    /// It failed.
    Failed {
        /// Why, scrubbed.
        error: String,
    },
    /// It began, and what ran it is gone without an answer: its process, or what awaited its end in
    /// this one. It is to be called again, and that counts as a crash.
    Lost,
}

/// What a callback waits for that is due and has its worker here, before it can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lacks {
    /// An earlier call of the worker's callbacks for the key to return.
    Turn,
    /// A thread.
    Thread,
}
