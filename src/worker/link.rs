//! The link between the coordinator and a worker, wherever the worker is: what a worker is asked, as
//! data, and what happens there.

use std::sync::Arc;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::Staged;
use crate::rotation::instance::InstanceEvent;
use crate::rotation::outcome::{Lacks, StepRef};
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
    /// Call what was prepared; of another process, call this.
    Call(Box<Call>),
    /// Call a callback of memory for a step that has Succeeded before it was registered.
    CatchUp(Box<Call>),
    /// To another process: how this call ended is durable, or counts no more.
    Heard {
        /// For which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
    },
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
    /// Something happens at an instance of another process; and of a worker of this process, it was caught up.
    Instance {
        /// Its worker.
        worker: WorkerName,
        /// Its number, or the worker's incarnation.
        number: u64,
        /// What.
        event: InstanceEvent,
        /// What the handle staged, if a callback ended that succeeded.
        staged: Vec<Staged>,
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
