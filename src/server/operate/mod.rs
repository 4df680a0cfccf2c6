//! The operator's calls over the socket.

mod events;
mod shown;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tonic::{Request, Response, Status};

use crate::management::backup::BackupError;
use crate::management::keys_management::KeysManagement;
use crate::operator::actor::ActorName;
use crate::operator::status::HistoryListing;
use crate::rotation::id::RotationId;
use crate::secret::visible::Visible;
use crate::server::caller::caller;
use crate::server::connection::Connection;
use crate::server::grants::right::Right;
use crate::server::keeper::Keeper;
use crate::server::operate::shown::Sight;
use crate::server::reload::ReloadError;
use crate::server::replies::{Pieces, invalid, of_key, of_rotation, pieces};
use crate::wire::generated::operate_server::Operate;
use crate::wire::generated::{
    AbortAnswer, AbortRequest, BackupAnswer, BackupRequest, DismissAnswer, DismissRequest, Event,
    EventsRequest, HistoryRequest, Level, ListingPart, PlanRequest, RecoverKeysAnswer,
    RecoverKeysRequest, Refusal, ReloadAnswer, ReloadRequest, RemoveAnswer, RemoveRequest,
    RestartAnswer, RestartRequest, ResumeAnswer, ResumeRequest, RotationRequest, RotationsRequest,
    StatusRequest, VersionsRequest, WorkersRequest, remove_request,
};
use crate::wire::invalid::{enumerated, id, needed};
use crate::wire::parts::{
    history_parts, plan_parts, report_parts, status_parts, version_parts, worker_parts,
};

/// How many rotations a page has that does not say it.
const PAGE: usize = 100;

/// The operator's calls over the socket.
pub(super) struct OperateService {
    keeper: Arc<Keeper>,
}

impl OperateService {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper }
    }

    /// Lets a caller see listings if it may operate any key; it is shown what its grants name.
    fn demand_sight(&self, caller: &Connection, call: &'static str) -> Result<(), Status> {
        let right = Right::Operate;
        let asked = || call.to_owned();
        let demanded = self
            .keeper
            .demand(caller, &[right], asked, |grants, asker| {
                grants.allow_any(asker, right)
            });
        Ok(demanded?)
    }

    /// The manager by which the caller does something, for this reason.
    fn keys_of(&self, caller: &Connection, reason: &str) -> Result<KeysManagement, Status> {
        let by = caller.by().because(reason);
        let by = by.map_err(|error| of_rotation(error.into()))?;
        Ok(self.keeper.keys.by(by))
    }

    /// Lets a caller act on a rotation if it may operate its key.
    async fn demand_of(
        &self,
        caller: &Connection,
        rotation: &str,
        call: &'static str,
    ) -> Result<RotationId, Status> {
        let id = id("id", rotation).map_err(invalid)?;
        let keeper = &self.keeper;
        keeper
            .demand_of_rotation(caller, Right::Operate, id, call)
            .await?;
        Ok(id)
    }
}

#[tonic::async_trait]
impl Operate for OperateService {
    type PlanStream = Pieces<ListingPart>;

    async fn plan(
        &self,
        request: Request<PlanRequest>,
    ) -> Result<Response<Self::PlanStream>, Status> {
        let caller = caller(&request)?;
        let key = request.into_inner().key;
        let keeper = &self.keeper;
        keeper.demand_on(&caller, &[Right::Operate], &key, "plan")?;
        let plan = keeper.keys.plan(&key).await.map_err(of_rotation)?;
        Ok(pieces(plan_parts(&plan)))
    }

    type StatusStream = Pieces<ListingPart>;

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<Self::StatusStream>, Status> {
        let caller = caller(&request)?;
        self.demand_sight(&caller, "status")?;
        let mut status = self.keeper.keys.status().await.map_err(of_rotation)?;
        Sight::of(&self.keeper.grants(), caller.asker()).status(&mut status);
        Ok(pieces(status_parts(&status).collect::<Vec<_>>()))
    }

    type VersionsStream = Pieces<ListingPart>;

    async fn versions(
        &self,
        request: Request<VersionsRequest>,
    ) -> Result<Response<Self::VersionsStream>, Status> {
        let caller = caller(&request)?;
        let key = request.into_inner().key;
        let keeper = &self.keeper;
        keeper.demand_on(&caller, &[Right::Operate], &key, "versions")?;
        let versions = keeper.keys.versions(&key).await.map_err(of_key)?;
        Ok(pieces(version_parts(&versions)))
    }

    type WorkersStream = Pieces<ListingPart>;

    async fn workers(
        &self,
        request: Request<WorkersRequest>,
    ) -> Result<Response<Self::WorkersStream>, Status> {
        let caller = caller(&request)?;
        self.demand_sight(&caller, "workers")?;
        let mut workers = self.keeper.keys.workers().await.map_err(of_rotation)?;
        Sight::of(&self.keeper.grants(), caller.asker()).workers(&mut workers);
        let parts: Vec<_> = workers.iter().flat_map(worker_parts).collect();
        Ok(pieces(parts))
    }

    type RotationsStream = Pieces<ListingPart>;

    async fn rotations(
        &self,
        request: Request<RotationsRequest>,
    ) -> Result<Response<Self::RotationsStream>, Status> {
        let caller = caller(&request)?;
        self.demand_sight(&caller, "rotations")?;
        let mut rotations = self.keeper.keys.rotations().await.map_err(of_rotation)?;
        Sight::of(&self.keeper.grants(), caller.asker()).rotations(&mut rotations);
        let parts: Vec<_> = rotations.iter().flat_map(report_parts).collect();
        Ok(pieces(parts))
    }

    type RotationStream = Pieces<ListingPart>;

    async fn rotation(
        &self,
        request: Request<RotationRequest>,
    ) -> Result<Response<Self::RotationStream>, Status> {
        let caller = caller(&request)?;
        let asked = request.into_inner().id;
        let id = self.demand_of(&caller, &asked, "show").await?;
        let report = self.keeper.keys.rotation(id).await.map_err(of_rotation)?;
        Ok(pieces(report_parts(&report)))
    }

    type HistoryStream = Pieces<ListingPart>;

    async fn history(
        &self,
        request: Request<HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        let caller = caller(&request)?;
        self.demand_sight(&caller, "history")?;
        let HistoryRequest { before, limit } = request.into_inner();
        let limit = match usize::try_from(limit) {
            Ok(0) | Err(_) => PAGE,
            Ok(limit) => limit,
        };
        let keys = &self.keeper.keys;
        let page = match before {
            Some(before) => keys.history_before(before, limit).await,
            None => keys.history(limit).await,
        };
        let mut page: HistoryListing = page.map_err(of_rotation)?;
        Sight::of(&self.keeper.grants(), caller.asker()).history(&mut page);
        Ok(pieces(history_parts(&page).collect::<Vec<_>>()))
    }

    type EventsStream = Pieces<Event>;

    async fn events(
        &self,
        request: Request<EventsRequest>,
    ) -> Result<Response<Self::EventsStream>, Status> {
        let caller = caller(&request)?;
        self.demand_sight(&caller, "events")?;
        let level: Level = enumerated("level", request.into_inner().level).map_err(invalid)?;
        Ok(events::watch(&self.keeper, caller, level))
    }

    async fn resume(
        &self,
        request: Request<ResumeRequest>,
    ) -> Result<Response<ResumeAnswer>, Status> {
        let caller = caller(&request)?;
        let ResumeRequest { id, reason } = request.into_inner();
        let id = self.demand_of(&caller, &id, "resume").await?;
        let keys = self.keys_of(&caller, &reason)?;
        keys.resume(id).await.map_err(of_rotation)?;
        Ok(Response::new(ResumeAnswer {}))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortAnswer>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = self.demand_of(&caller, &request.id, "abort").await?;
        let keys = self.keys_of(&caller, &request.reason)?;
        let confirmed: Vec<&str> = request.confirmed.iter().map(String::as_str).collect();
        let aborted = keys.abort(id, &confirmed).await;
        aborted.map_err(of_rotation)?;
        Ok(Response::new(AbortAnswer {}))
    }

    async fn recover_keys(
        &self,
        request: Request<RecoverKeysRequest>,
    ) -> Result<Response<RecoverKeysAnswer>, Status> {
        let caller = caller(&request)?;
        let id = id("id", &request.into_inner().id).map_err(invalid)?;
        let keeper = &self.keeper;
        keeper
            .demand_of_rotation(&caller, Right::Recover, id, "recover_keys")
            .await?;
        let keys = keeper.keys.recover_keys(id).await.map_err(of_rotation)?;
        let (user, process) = (caller.peer.user, caller.peer.pid);
        keeper.events().tell(move || {
            tracing::warn!(rotation = %id, user, process, "the keys of a rotation were given over the socket");
        });
        Ok(Response::new((&keys).into()))
    }

    async fn remove(
        &self,
        request: Request<RemoveRequest>,
    ) -> Result<Response<RemoveAnswer>, Status> {
        let caller = caller(&request)?;
        let RemoveRequest {
            worker,
            what,
            reason,
        } = request.into_inner();
        let keeper = &self.keeper;
        let shown = Visible(&worker).to_string();
        match what {
            Some(remove_request::What::Callback(callback)) => {
                keeper.demand_on(
                    &caller,
                    &[Right::Operate],
                    &callback.key,
                    "remove a callback",
                )?;
                let keys = self.keys_of(&caller, &reason)?;
                let removed = keys.remove_callback(&worker, &callback.key, &callback.callback);
                removed.await.map_err(of_rotation)?;
            }
            Some(remove_request::What::Instance(instance)) => {
                let asked = || format!("remove instance {instance} of worker {shown}");
                keeper.demand_on_all(&caller, asked)?;
                let keys = self.keys_of(&caller, &reason)?;
                let removed = keys.remove_instance(&worker, instance).await;
                removed.map_err(of_rotation)?;
            }
            None => {
                keeper.demand_on_all(&caller, || format!("remove worker {shown}"))?;
                let keys = self.keys_of(&caller, &reason)?;
                let removed = keys.remove_worker(&worker).await;
                removed.map_err(of_rotation)?;
            }
        }
        Ok(Response::new(RemoveAnswer {}))
    }

    async fn dismiss(
        &self,
        request: Request<DismissRequest>,
    ) -> Result<Response<DismissAnswer>, Status> {
        let caller = caller(&request)?;
        let DismissRequest { id, reason } = request.into_inner();
        let id = self.demand_of(&caller, &id, "dismiss").await?;
        let keys = self.keys_of(&caller, &reason)?;
        keys.dismiss(id).await.map_err(of_rotation)?;
        Ok(Response::new(DismissAnswer {}))
    }

    async fn restart(
        &self,
        request: Request<RestartRequest>,
    ) -> Result<Response<RestartAnswer>, Status> {
        let caller = caller(&request)?;
        let actor = needed("actor", request.into_inner().actor);
        let actor = actor.and_then(ActorName::try_from).map_err(invalid)?;
        let asked = || format!("restart actor {actor}");
        self.keeper.demand_on_all(&caller, asked)?;
        self.keeper
            .keys
            .restart(&actor)
            .await
            .map_err(of_rotation)?;
        Ok(Response::new(RestartAnswer {}))
    }

    async fn reload(
        &self,
        request: Request<ReloadRequest>,
    ) -> Result<Response<ReloadAnswer>, Status> {
        let caller = caller(&request)?;
        self.keeper.demand_on_all(&caller, || "reload".to_owned())?;
        let read = self.keeper.read_again().await.map_err(not_reloaded)?;
        Ok(Response::new(ReloadAnswer {
            changed: read.changed,
            needs_restart: read.needs_restart,
        }))
    }

    async fn backup(
        &self,
        request: Request<BackupRequest>,
    ) -> Result<Response<BackupAnswer>, Status> {
        let caller = caller(&request)?;
        let keeper = &self.keeper;
        keeper.demand_on_all(&caller, || "backup".to_owned())?;
        let Some(folder) = &keeper.backups else {
            let text = "this keeper has no folder for backups; name one in its configuration";
            return Err(Refusal::new("no_backup_folder", false, text.to_owned()).into());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let name = format!("backup-{}", now.map_or(0, |now| now.as_millis()));
        let folder = folder.join(name);
        keeper.keys.backup(&folder).await.map_err(no_backup)?;
        let folder = folder.display().to_string();
        Ok(Response::new(BackupAnswer { folder }))
    }
}

fn not_reloaded(error: ReloadError) -> Status {
    Refusal::new(error.code(), false, error.to_string()).into()
}

fn no_backup(error: BackupError) -> Status {
    let retriable = matches!(
        error,
        BackupError::Busy | BackupError::TimedOut { .. } | BackupError::ShutDown
    );
    Refusal::new(error.code(), retriable, error.to_string()).into()
}
