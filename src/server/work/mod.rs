//! The streams of instances: each is one process that has joined under a worker's name, is called for changes
//! and answers.
//!
//! Never in here: when an instance is called, and what an end comes to; the coordinator says both.

mod calls;
mod joining;
mod link;
mod out;
pub(super) mod registry;
mod requests;
mod session;

use std::sync::{Arc, Weak};

use tonic::{Request, Response, Status, Streaming};

use crate::server::caller::caller;
use crate::server::keeper::Keeper;
use crate::server::work::out::{Outgoing, out};
use crate::server::work::registry::Registry;
use crate::server::work::session::InstanceStream;
use crate::wire::generated::ToKeeper;
use crate::wire::generated::work_server::Work;

/// The streams of instances.
pub(super) struct WorkService {
    keeper: Weak<Keeper>,
    registry: Arc<Registry>,
}

impl WorkService {
    pub(super) fn new(keeper: &Arc<Keeper>) -> Self {
        Self {
            keeper: Arc::downgrade(keeper),
            registry: Arc::default(),
        }
    }

    /// The instances that its streams are of.
    pub(super) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }
}

#[tonic::async_trait]
impl Work for WorkService {
    type JoinStream = Outgoing;

    /// The answer begins at once: a worker may have to wait for its name.
    async fn join(
        &self,
        request: Request<Streaming<ToKeeper>>,
    ) -> Result<Response<Outgoing>, Status> {
        let connection = caller(&request)?;
        let keeper = self.keeper.upgrade();
        let keeper = keeper.ok_or_else(|| Status::unavailable("the keeper has ended"))?;
        let (to, messages) = out();
        let stream = InstanceStream {
            keeper,
            registry: Arc::clone(&self.registry),
            connection,
            from: request.into_inner(),
            to,
        };
        drop(tokio::spawn(stream.run()));
        Ok(Response::new(messages))
    }
}
