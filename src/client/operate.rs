//! The operator's calls. They answer what those of the manager answer.

use std::path::PathBuf;

use tonic::transport::Channel;

use crate::client::connection::KeeperConnection;
use crate::client::event_stream::EventStream;
use crate::client::handle::Client;
use crate::key::keeper_error::KeeperError;
use crate::operator::actor::ActorName;
use crate::operator::event::{EventLevel, ReloadReport};
use crate::operator::plan::ChangePlan;
use crate::operator::status::{HistoryListing, RecoveredKeys, Status, WorkerStatus};
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::wire::generated::operate_client::OperateClient;
use crate::wire::generated::remove_request::What;
use crate::wire::generated::{
    AbortRequest, BackupRequest, DismissRequest, EventsRequest, HistoryRequest, KeysCallback,
    Level, PlanRequest, RecoverKeysRequest, ReloadRequest, RemoveRequest, RestartRequest,
    ResumeRequest, RotationRequest, RotationsRequest, StatusRequest, WorkersRequest,
};

/// How many rotations a page of the history has at most.
const MAX_PAGE: usize = 1_000;

impl KeeperConnection {
    pub(super) fn operate(&self) -> OperateClient<Channel> {
        OperateClient::new(self.channel.clone())
    }

    async fn history(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<HistoryListing, KeeperError> {
        if limit == 0 {
            // Nothing is asked for; the keeper would take it for its default.
            return Ok(HistoryListing {
                rotations: Vec::new(),
                unreadable: Vec::new(),
                acts: Vec::new(),
                next: before,
            });
        }
        let limit = u32::try_from(limit.min(MAX_PAGE)).unwrap_or(u32::MAX);
        let mut operate = self.operate();
        let listing = self.listing(operate.history(HistoryRequest { before, limit }));
        let history = listing.await?.into_history();
        history.map_err(|why| self.session.not_understood(why))
    }

    async fn remove(
        &self,
        worker: &str,
        what: Option<What>,
        reason: Option<&str>,
    ) -> Result<(), RotationError> {
        let request = RemoveRequest {
            worker: worker.to_owned(),
            reason: said(reason),
            what,
        };
        let mut operate = self.operate();
        Ok(self.ask(operate.remove(request)).await.map(drop)?)
    }
}

/// A reason as it is sent.
fn said(reason: Option<&str>) -> String {
    reason.unwrap_or_default().to_owned()
}

/// The operator's calls. Each error is the one that the manager's call has in the keeper's own process, as
/// [`RotationError::Keeper`] with the same code, text and `is_retriable`. A reason of at most 1,024 bytes stands
/// in listing and history.
impl Client {
    /// Everything an operator may know: keys, workers, and every rotation that has not ended.
    ///
    /// # Errors
    /// Those of `KeysManagement::status`; `permission_denied`, `keeper_unavailable`, `invalid_answer`, `forked`.
    pub async fn status(&self) -> Result<Status, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let listing = connection.listing(operate.status(StatusRequest {})).await?;
        let status = listing.into_status();
        status.map_err(|why| connection.session.not_understood(why).into())
    }

    /// The roster, in the order of joining.
    ///
    /// # Errors
    /// Those of [`status`](Self::status).
    pub async fn workers(&self) -> Result<Vec<WorkerStatus>, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let listing = connection.listing(operate.workers(WorkersRequest {}));
        Ok(listing.await?.workers)
    }

    /// Every rotation that has not ended, in the order of the declarations.
    ///
    /// # Errors
    /// Those of `KeysManagement::rotations`; `permission_denied`, `keeper_unavailable`, `invalid_answer`, `forked`.
    pub async fn rotations(&self) -> Result<Vec<RotationReport>, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let listing = connection.listing(operate.rotations(RotationsRequest {}));
        Ok(listing.await?.rotations)
    }

    /// One rotation, whether it has ended or not.
    ///
    /// # Errors
    /// `unknown_rotation`, `rotation_unreadable`; those of [`rotations`](Self::rotations).
    pub async fn rotation(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let id = id.to_string();
        let listing = connection.listing(operate.rotation(RotationRequest { id }));
        let report = listing.await?.into_report();
        report.map_err(|why| connection.session.not_understood(why).into())
    }

    /// The last `limit` rotations that have ended, the latest declaration first: one page, of 1,000 rotations
    /// at most. `next` of the listing begins the next page.
    ///
    /// # Errors
    /// Those of `KeysManagement::history`; `permission_denied`, `keeper_unavailable`, `invalid_answer`, `forked`.
    pub async fn history(&self, limit: usize) -> Result<HistoryListing, RotationError> {
        Ok(self.connection().history(None, limit).await?)
    }

    /// As [`history`](Self::history), of the rotations whose sequence number is below `sequence`: `next` of the
    /// page before this one.
    ///
    /// # Errors
    /// Those of [`history`](Self::history).
    pub async fn history_before(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<HistoryListing, RotationError> {
        Ok(self.connection().history(Some(sequence), limit).await?)
    }

    /// What a change of the key would do now: who would be called, who is missing, what is in the way. It
    /// changes nothing.
    ///
    /// # Errors
    /// `key_not_defined`; those of [`status`](Self::status).
    pub async fn plan(&self, key: &str) -> Result<ChangePlan, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let key = key.to_owned();
        let listing = connection
            .listing(operate.plan(PlanRequest { key }))
            .await?;
        let plan = listing.into_plan();
        plan.map_err(|why| connection.session.not_understood(why).into())
    }

    /// What the keeper tells from now on, of this level and more serious ones.
    ///
    /// # Errors
    /// `permission_denied`, `keeper_unavailable`, `timed_out`, `forked`.
    pub async fn events(&self, level: EventLevel) -> Result<EventStream, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let level = Level::from(level).into();
        let events = connection
            .ask(operate.events(EventsRequest { level }))
            .await?;
        Ok(EventStream::new(self.clone(), events))
    }

    /// Has the keeper read its configuration again: keys are added and grants changed, all or nothing.
    ///
    /// # Errors
    /// Why the keeper did not take its configuration; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn reload(&self) -> Result<ReloadReport, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let answer = connection.ask(operate.reload(ReloadRequest {})).await?;
        Ok(ReloadReport {
            changed: answer.changed,
            needs_restart: answer.needs_restart,
        })
    }

    /// Takes a rotation up again that was stopped or completed with failures.
    ///
    /// # Errors
    /// Those of `KeysManagement::resume`; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn resume(&self, id: RotationId, reason: Option<&str>) -> Result<(), RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let request = ResumeRequest {
            id: id.to_string(),
            reason: said(reason),
        };
        Ok(connection.ask(operate.resume(request)).await.map(drop)?)
    }

    /// Ends a rotation for good. It undoes nothing, and its keys leave the journal. The workers whose steps
    /// have not Succeeded have to be named in `confirmed`.
    ///
    /// # Errors
    /// Those of `KeysManagement::abort`; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn abort(
        &self,
        id: RotationId,
        confirmed: &[&str],
        reason: Option<&str>,
    ) -> Result<(), RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let request = AbortRequest {
            id: id.to_string(),
            confirmed: confirmed.iter().map(|name| (*name).to_owned()).collect(),
            reason: said(reason),
        };
        Ok(connection.ask(operate.abort(request)).await.map(drop)?)
    }

    /// Moves the records of an unreadable rotation to quarantine, so that its key goes on without it.
    ///
    /// # Errors
    /// Those of `KeysManagement::dismiss`; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn dismiss(&self, id: RotationId, reason: Option<&str>) -> Result<(), RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let request = DismissRequest {
            id: id.to_string(),
            reason: said(reason),
        };
        Ok(connection.ask(operate.dismiss(request)).await.map(drop)?)
    }

    /// The keys of a rotation that still holds them. They may be the last copy of an old key that data is still
    /// under.
    ///
    /// # Errors
    /// Those of `KeysManagement::recover_keys`; `permission_denied`, `keeper_unavailable`, `invalid_answer`,
    /// `forked`.
    pub async fn recover_keys(&self, id: RotationId) -> Result<RecoveredKeys, RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let id = id.to_string();
        let keys = connection.ask(operate.recover_keys(RecoverKeysRequest { id }));
        let keys = RecoveredKeys::try_from(keys.await?);
        keys.map_err(|why| connection.session.not_understood(why).into())
    }

    /// Removes a worker for good, alive or dead, as if it had left.
    ///
    /// # Errors
    /// Those of `KeysManagement::remove_worker`; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn remove_worker(
        &self,
        worker: &str,
        reason: Option<&str>,
    ) -> Result<(), RotationError> {
        self.connection().remove(worker, None, reason).await
    }

    /// Removes a worker's callback for good: it is taken out of every plan.
    ///
    /// # Errors
    /// Those of `KeysManagement::remove_callback`; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn remove_callback(
        &self,
        worker: &str,
        key: &str,
        callback: &str,
        reason: Option<&str>,
    ) -> Result<(), RotationError> {
        let what = What::Callback(KeysCallback {
            key: key.to_owned(),
            callback: callback.to_owned(),
        });
        self.connection().remove(worker, Some(what), reason).await
    }

    /// Removes an instance of a worker for good: its process is not waited for any more.
    ///
    /// # Errors
    /// `unknown_instance`, `unknown_worker`, `invalid_name`, `timed_out`, `busy`, `repo_unavailable`,
    /// `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`; `permission_denied`,
    /// `keeper_unavailable`, `forked`.
    pub async fn remove_instance(
        &self,
        worker: &str,
        instance: u64,
        reason: Option<&str>,
    ) -> Result<(), RotationError> {
        let what = What::Instance(instance);
        self.connection().remove(worker, Some(what), reason).await
    }

    /// Starts an actor again that has failed, with what it knew when it died.
    ///
    /// # Errors
    /// Those of `KeysManagement::restart`; `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn restart(&self, actor: &ActorName) -> Result<(), RotationError> {
        let connection = self.connection();
        let mut operate = connection.operate();
        let actor = Some(actor.into());
        let restarted = connection.ask(operate.restart(RestartRequest { actor }));
        Ok(restarted.await.map(drop)?)
    }

    /// Makes a consistent copy of the data folder, in the keeper's folder of backups; answers where it is,
    /// on the keeper's host.
    ///
    /// # Errors
    /// `backup_target`, `no_backup`, `busy`, `repo_unavailable` and others of `KeysManagement::backup`;
    /// `permission_denied`, `keeper_unavailable`, `forked`.
    pub async fn backup(&self) -> Result<PathBuf, RotationError> {
        let connection = self.connection();
        connection.session.refuse_child()?;
        let mut operate = connection.operate();
        // It takes as long as the data is large.
        let made = operate.backup(BackupRequest {}).await;
        let made = made.map_err(|status| connection.session.failure(&status))?;
        Ok(PathBuf::from(made.into_inner().folder))
    }
}
