//! The standard health service: SERVING while rotations can run.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::time::sleep;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::management::phase::Phase;
use crate::server::caller::caller;
use crate::server::connection::Connection;
use crate::server::keeper::Keeper;

/// How often it is looked for a caller that watches.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// The services that are asked for by name; the empty name is all of them.
const NAMES: [&str; 4] = [
    "",
    "keyward.v1.Keys",
    "keyward.v1.Work",
    "keyward.v1.Operate",
];

/// The standard health service.
pub(super) struct HealthService {
    keeper: Arc<Keeper>,
}

impl HealthService {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper }
    }

    /// Each user with a grant may ask.
    fn demand(&self, caller: &Connection) -> Result<(), Status> {
        let asked = || "the keeper's health".to_owned();
        let known = self
            .keeper
            .demand(caller, &[], asked, |grants, asker| grants.know(asker));
        Ok(known?)
    }
}

/// How it is now. While so many look that one more is refused, nothing is known to stand still.
async fn status_now(keeper: &Keeper) -> ServingStatus {
    if keeper.phases.now() > Phase::Open {
        return ServingStatus::NotServing;
    }
    match keeper.keys.standstill().await {
        Ok(None) => ServingStatus::Serving,
        Ok(Some(_)) => ServingStatus::NotServing,
        Err(error) if error.code() == "busy" => ServingStatus::Serving,
        Err(_) => ServingStatus::NotServing,
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.demand(&*caller(&request)?)?;
        let service = request.into_inner().service;
        if !NAMES.contains(&service.as_str()) {
            return Err(Status::not_found("no service of this name is served"));
        }
        Ok(Response::new(answer(status_now(&self.keeper).await)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.demand(&*caller(&request)?)?;
        let is_known = NAMES.contains(&request.into_inner().service.as_str());
        let keeper = Arc::clone(&self.keeper);
        let changes = stream::unfold((keeper, None), move |(keeper, before)| async move {
            loop {
                let now = match is_known {
                    true => status_now(&keeper).await,
                    false => ServingStatus::ServiceUnknown,
                };
                if before != Some(now) {
                    return Some((Ok(answer(now)), (keeper, Some(now))));
                }
                sleep(LOOKS_EVERY).await;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
