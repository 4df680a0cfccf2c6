//! Events of a keeper, one after the other.

use std::fmt;

use tonic::Streaming;

use crate::client::handle::Client;
use crate::operator::event::KeeperEvent;
use crate::rotation::error::RotationError;
use crate::wire::generated::Event;

/// What a keeper tells, from the call of [`Client::events`] on. Dropping it ends it.
pub struct EventStream {
    client: Client,
    events: Streaming<Event>,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(client: Client, events: Streaming<Event>) -> Self {
        Self { client, events }
    }

    /// The next event; none when the keeper has ended the stream.
    ///
    /// # Errors
    /// `keeper_unavailable`, `shut_down`.
    pub async fn next(&mut self) -> Result<Option<KeeperEvent>, RotationError> {
        let session = &self.client.connection().session;
        session.refuse_child()?;
        let event = self.events.message().await;
        let event = event.map_err(|status| session.failure(&status))?;
        Ok(event.map(KeeperEvent::from))
    }
}
