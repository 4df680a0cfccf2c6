//! The way from the coordinator to an instance: a queue that the instance's stream empties.

use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::mpsc::UnboundedSender;

use crate::rotation::instance::InstanceEvent;
use crate::server::keeper::Keeper;
use crate::server::work::registry::KnownInstance;
use crate::worker::link::{WorkerLink, WorkerRequest};

/// The way to an instance. The queue is not bounded, and need not be: what the coordinator asks is bounded by
/// the instance's callbacks and by what it says itself, and its stream waits for nothing.
pub(super) struct StreamLink {
    pub(super) queue: UnboundedSender<WorkerRequest>,
    /// Which instance, once that is known; nothing is asked before that has to be answered.
    pub(super) of: OnceLock<Arc<KnownInstance>>,
    pub(super) keeper: Weak<Keeper>,
}

impl StreamLink {
    /// What was asked is not handed over any more: a call never began there, and with what the instance is to
    /// be caught up, it is when it is connected again.
    pub(super) fn not_handed_over(&self, asked: WorkerRequest) {
        let Some(known) = self.of.get() else {
            return;
        };
        match asked {
            WorkerRequest::Call(call) => {
                let event = InstanceEvent::Uncalled {
                    step: call.step,
                    attempt: call.attempt,
                };
                if let Some(keeper) = self.keeper.upgrade() {
                    keeper.keys.tell_of_instance(&known.of, event, Vec::new());
                }
            }
            WorkerRequest::CatchUp(call) => known.calls.catch_up(*call),
            WorkerRequest::Add { .. }
            | WorkerRequest::Remove { .. }
            | WorkerRequest::Prepare { .. }
            | WorkerRequest::Release { .. }
            | WorkerRequest::Heard { .. }
            | WorkerRequest::Stop => {}
        }
    }
}

impl WorkerLink for StreamLink {
    fn ask(&self, request: WorkerRequest) {
        if let Err(refused) = self.queue.send(request) {
            self.not_handed_over(refused.0);
        }
    }
}
