//! The one limit of the calls that ask for no key. They run on any runtime or on none, so that the clock
//! of the plug-ins keeps it.

use crate::actors::coordinator::message::With;
use crate::actors::declarer::Declarer;
use crate::guard::fork;
use crate::key::event::Ticket;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::rotation::id::RotationId;

impl Declarer {
    /// Waits for a call that asks for no key, within the limit that all of these have.
    ///
    /// # Errors
    /// `forked`, `timed_out`, and those of the call.
    pub async fn within<T>(
        &self,
        id: Option<RotationId>,
        call: impl Future<Output = Result<T, RotationError>>,
    ) -> Result<T, RotationError> {
        fork::refuse_child()?;
        let limit = self.limit;
        let answer = self.plugins.within(limit, call).await;
        answer.unwrap_or(Err(RotationError::TimedOut { id, limit }))
    }

    /// Asks the coordinator for something, within that limit.
    ///
    /// # Errors
    /// `forked`, `timed_out`, and those of `CoordinatorDoor::ask`.
    pub async fn ask(
        &self,
        with: With,
        make: impl FnOnce(Ticket) -> Event + Send + 'static,
    ) -> Result<Reply, RotationError> {
        self.within(None, self.coordinator.ask(with, make)).await
    }
}
