//! The link between the coordinator and a worker, wherever the worker is: what a worker is asked, as
//! data, and what happens there.

use std::sync::Arc;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::event::{Lacks, StepRef};
use crate::worker::call::{Call, CallEnd};
use crate::worker::callback::Callback;

/// The way to one worker: an actor of this process.
pub trait WorkerLink: Send + Sync + 'static {
    /// Asks the worker for something, and does not wait. What comes of it is told as a
    /// [`WorkerEvent`]; of each [`Call`](WorkerRequest::Call) one is told, whatever becomes of it.
    fn ask(&self, request: WorkerRequest);
}

/// The way back to the coordinator.
pub type TellEvent = Arc<dyn Fn(WorkerEvent) + Send + Sync>;

/// What a worker is asked.
pub enum WorkerRequest {
    /// Have this callback.
    Add {
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
        /// The callback.
        callback: Callback,
    },
    /// Do not have this callback any more.
    Remove {
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
    },
    /// Get ready to call a callback.
    Prepare {
        /// For which step.
        step: StepRef,
        /// The key.
        key: KeyName,
        /// The callback.
        callback: CallbackName,
        /// Whether it is not due yet.
        ahead: bool,
    },
    /// Give up what was prepared.
    Release {
        /// For which step.
        step: StepRef,
    },
    /// Call what was prepared.
    Call(Box<Call>),
    /// Call nothing more; what runs, runs on.
    Stop,
}

/// What happens at a worker.
pub enum WorkerEvent {
    /// A callback can be called.
    Prepared {
        /// For which step.
        step: StepRef,
    },
    /// A callback that is due cannot be called yet.
    Lacks {
        /// For which step.
        step: StepRef,
        /// What it waits for.
        lacks: Lacks,
    },
    /// The worker is dead.
    Died {
        /// Its name.
        worker: WorkerName,
        /// Which of its lives.
        incarnation: u64,
    },
    /// A callback that was to be called was not.
    Uncalled {
        /// For which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
    },
    /// A callback ended.
    Ended {
        /// For which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// How.
        end: CallEnd,
    },
}
