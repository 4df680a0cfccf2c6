//! Waiting for the end of a rotation, and its report also after that.

use crate::actors::admission::Permit;
use crate::actors::journal_thread::Refused;
use crate::journal::error::JournalError;
use crate::management::answer::about;
use crate::management::inner::Inner;
use crate::rotation::act::By;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::worker::change::Change;

impl Inner {
    /// Declares a change and waits for the end of its rotation.
    pub(super) async fn change(
        &self,
        change: Change,
        by: By,
    ) -> Result<RotationReport, RotationError> {
        let permit = self.declarer.coordinator.permit_to_wait()?;
        let id = self.declarer.declare(change, by).await?;
        self.wait_in(permit, id).await
    }

    /// Waits until a rotation neither waits nor runs.
    pub(super) async fn wait(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        let permit = self.declarer.coordinator.permit_to_wait()?;
        self.wait_in(permit, id).await
    }

    async fn wait_in(
        &self,
        _permit: Permit,
        id: RotationId,
    ) -> Result<RotationReport, RotationError> {
        let answer = self.declarer.coordinator.wait(id);
        match answer.await.map_err(|error| about(id, error))? {
            Reply::Report(report) => Ok(*report),
            Reply::NotLive { .. }
            | Reply::Done
            | Reply::CaughtUp { .. }
            | Reply::AskStores { .. }
            | Reply::WithoutVersions { .. }
            | Reply::Joined { .. }
            | Reply::Accepted { .. } => {
                let ended = self.ended(id);
                self.declarer.within(Some(id), ended).await
            }
        }
    }

    /// The report of a rotation that is in the history.
    pub(super) async fn ended(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        let found = self
            .journal
            .ask(move |journal| journal.find_ended(id))
            .await;
        match found {
            Ok(Ok(Some((header, steps)))) => Ok(header.report(steps)),
            Ok(Ok(None)) => Err(RotationError::Unknown { id }),
            Ok(Err(error)) => {
                // A repo that does not answer says nothing about the records.
                Err(match error {
                    JournalError::Unreadable { .. } => {
                        let why = error.to_string();
                        RotationError::Unreadable { id, why }
                    }
                    _ => RotationError::of_journal(Some(id), (&error).into()),
                })
            }
            Err(Refused::Busy { bound }) => Err(RotationError::Busy { bound }),
            Err(Refused::Closed) => Err(RotationError::ShutDown { id: Some(id) }),
        }
    }
}
