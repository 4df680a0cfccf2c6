//! The way to the coordinator: admission, the request, and its answer.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actors::admission::{Permit, Permits};
use crate::actors::coordinator::message::{
    Cancellable, CoordinatorMessage, CoordinatorRequest, With,
};
use crate::actors::directory::Directory;
use crate::actors::post::Post;
use crate::guard::fork;
use crate::key::event::Ticket;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::rotation::id::RotationId;

/// How many requests the coordinator admits at once.
pub const MAX_COORDINATOR_REQUESTS: usize = 16_384;

/// How many may wait for rotations at once.
const MAX_WAITS: usize = 65_536;

/// How many requests may lie in its inbox.
const MAX_IN_INBOX: usize = 16_384;

/// How many listings it may be asked for at once.
const MAX_LISTINGS: usize = 64;

/// The way to the coordinator, with admission on it.
#[derive(Clone)]
pub struct CoordinatorDoor {
    coordinator: Arc<dyn Post<CoordinatorMessage>>,
    directory: Arc<Directory>,
    permits: Arc<Permits>,
    waits: Arc<Permits>,
    in_inbox: Arc<Permits>,
    listings: Arc<Permits>,
}

impl CoordinatorDoor {
    /// The way to this coordinator.
    pub fn new(coordinator: Arc<dyn Post<CoordinatorMessage>>, directory: Arc<Directory>) -> Self {
        Self {
            coordinator,
            directory,
            permits: Permits::new(MAX_COORDINATOR_REQUESTS),
            waits: Permits::new(MAX_WAITS),
            in_inbox: Permits::new(MAX_IN_INBOX),
            listings: Permits::new(MAX_LISTINGS),
        }
    }

    /// Tells the coordinator something.
    pub fn post(&self, message: CoordinatorMessage) {
        self.coordinator.post(message);
    }

    /// Why the coordinator has not answered.
    pub fn gone(&self) -> RotationError {
        let id = None;
        if self.directory.is_closed() {
            return RotationError::ShutDown { id };
        }
        match self.coordinator.failure() {
            Some(why) => RotationError::CoordinatorFailed { why },
            None => RotationError::Unavailable { id },
        }
    }

    /// A permit for a listing, which goes with its message.
    ///
    /// # Errors
    /// `busy`.
    pub fn listing(&self) -> Result<Permit, RotationError> {
        take(&self.listings)
    }

    /// Asks the coordinator, if a permit is free.
    ///
    /// # Errors
    /// `busy`, `shut_down`, `unavailable`, `coordinator_failed`, and what the coordinator answers.
    pub async fn ask(
        &self,
        with: With,
        make: impl FnOnce(Ticket) -> Event + Send + 'static,
    ) -> Result<Reply, RotationError> {
        let _permit = self.permit()?;
        self.send(with, make).await
    }

    /// A permit for a request to do something.
    ///
    /// # Errors
    /// `busy`.
    pub fn permit(&self) -> Result<Permit, RotationError> {
        take(&self.permits)
    }

    /// A permit for a wait.
    ///
    /// # Errors
    /// `busy`.
    pub fn permit_to_wait(&self) -> Result<Permit, RotationError> {
        take(&self.waits)
    }

    /// Waits for a rotation: such requests take long, and have permits of their own.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn wait(&self, id: RotationId) -> Result<Reply, RotationError> {
        self.send(With::Nothing, move |ticket| Event::Wait { ticket, id })
            .await
    }

    pub(in super::super) async fn send(
        &self,
        with: With,
        make: impl FnOnce(Ticket) -> Event + Send + 'static,
    ) -> Result<Reply, RotationError> {
        let permit = take(&self.in_inbox)?;
        let (reply, answer) = oneshot::channel();
        let request = Cancellable::new(CoordinatorRequest {
            make: Box::new(make),
            with,
        });
        let mut asking = PendingCall {
            coordinator: &*self.coordinator,
            request: request.clone(),
            answer,
        };
        self.coordinator.post(CoordinatorMessage::Ticket {
            request,
            reply,
            permit,
        });
        let answered = (&mut asking.answer).await;
        answered.unwrap_or_else(|_| Err(self.gone()))
    }
}

fn take(permits: &Arc<Permits>) -> Result<Permit, RotationError> {
    fork::refuse_child()?;
    let bound = permits.bound();
    permits.take().ok_or(RotationError::Busy { bound })
}

/// When the caller waits no more, nothing is left of its request: neither what it asked for, nor a
/// worker that joined, whose name is free then.
struct PendingCall<'a> {
    coordinator: &'a dyn Post<CoordinatorMessage>,
    request: Cancellable,
    answer: oneshot::Receiver<Result<Reply, RotationError>>,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        drop(self.request.take());
        self.answer.close();
        // An answer that was taken is not here any more.
        if let Ok(Ok(Reply::Joined {
            worker,
            incarnation,
        })) = self.answer.try_recv()
        {
            let died = Event::Died {
                worker,
                incarnation,
            };
            self.coordinator
                .post(CoordinatorMessage::Happened(Box::new(died)));
        }
    }
}
