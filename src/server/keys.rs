//! What any process that is let in may ask about keys.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::key::flow::SecretKeyFlow;
use crate::key::name::{KeyName, WorkerName};
use crate::secret::visible::Visible;
use crate::server::caller::caller;
use crate::server::connection::Connection;
use crate::server::grants::right::Right;
use crate::server::grants::{Asker, Grants};
use crate::server::keeper::Keeper;
use crate::server::replies::{Pieces, invalid, of_key, of_rotation, pieces};
use crate::wire::generated::keys_server::Keys;
use crate::wire::generated::{
    Candidate, CandidatesRequest, DeclareAnswer, DeclareRequest, GetAnswer, GetRequest,
    GetVersionRequest, ListingPart, LookAnswer, LookRequest, SaveStateAnswer, SaveStateRequest,
    SaveStatesAnswer, SaveStatesRequest, WaitRequest,
};
use crate::wire::invalid::id;
use crate::wire::keys::flow;
use crate::wire::parts::report_parts;
use crate::wire::versions::version_id;
use crate::worker::change::Change;

/// What any process that is let in may ask about keys.
pub(super) struct KeysService {
    keeper: Arc<Keeper>,
}

impl KeysService {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper }
    }

    /// Refuses what the grants do not give on a key. A name that no key can have is told as such first: it
    /// says nothing of what is there.
    fn demand(
        &self,
        connection: &Connection,
        rights: &[Right],
        key: &str,
        call: &'static str,
    ) -> Result<(), Status> {
        self.keeper.demand_on(connection, rights, key, call)?;
        KeyName::new(key).map_err(|error| of_key(error.into()))?;
        Ok(())
    }
}

impl KeysService {
    /// The worker that a version is owed to which a get answers: the one that is named, else the one that has joined over
    /// the connection.
    fn who_writes(&self, connection: &Connection, named: &str) -> Result<WorkerName, Status> {
        let joined = connection.by().worker;
        if named.is_empty() {
            return Ok(joined.unwrap_or_else(WorkerName::main));
        }
        if let Some(joined) = joined.filter(|joined| joined.as_str() == named) {
            return Ok(joined);
        }
        let asked = || format!("get for worker {}", Visible(named));
        let give = |grants: &Grants, asker: Asker<'_>| grants.allow_join(asker, named);
        self.keeper
            .demand(connection, &[Right::Work], asked, give)?;
        WorkerName::new(named).map_err(|error| of_key(error.into()))
    }
}

#[tonic::async_trait]
impl Keys for KeysService {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetAnswer>, Status> {
        let caller = caller(&request)?;
        let GetRequest {
            key,
            flow: asked,
            worker,
        } = request.into_inner();
        let asked = flow("flow", asked).map_err(invalid)?;
        let rights: &[Right] = match asked {
            Some(SecretKeyFlow::Default | SecretKeyFlow::ForwardPath) => &[Right::Forward],
            Some(SecretKeyFlow::BackPath) => &[Right::Back],
            None => &[Right::Forward, Right::Back],
        };
        self.demand(&caller, rights, &key, "get")?;
        let worker = self.who_writes(&caller, &worker)?;
        let answer = self.keeper.keys.get_for(&key, asked, &worker).await;
        Ok(Response::new((&answer.map_err(of_key)?).into()))
    }

    async fn get_version(
        &self,
        request: Request<GetVersionRequest>,
    ) -> Result<Response<GetAnswer>, Status> {
        let caller = caller(&request)?;
        let GetVersionRequest { key, id } = request.into_inner();
        self.demand(&caller, &[Right::Back], &key, "get_version")?;
        let id = version_id("id", &id).map_err(invalid)?;
        let answer = self.keeper.keys.get_version(&key, id).await;
        Ok(Response::new((&answer.map_err(of_key)?).into()))
    }

    async fn look(&self, request: Request<LookRequest>) -> Result<Response<LookAnswer>, Status> {
        let caller = caller(&request)?;
        let key = request.into_inner().key;
        self.demand(&caller, &[Right::Forward, Right::Back], &key, "look")?;
        let keys = self.keeper.keys.look(&key).await.map_err(of_key)?;
        let values = Some((&keys).into());
        Ok(Response::new(LookAnswer { values }))
    }

    type CandidatesStream = Pieces<Candidate>;

    async fn candidates(
        &self,
        request: Request<CandidatesRequest>,
    ) -> Result<Response<Self::CandidatesStream>, Status> {
        let caller = caller(&request)?;
        let key = request.into_inner().key;
        self.demand(&caller, &[Right::Back], &key, "candidates")?;
        let values = self.keeper.keys.back_path_candidates(&key).await;
        let values = values.map_err(of_key)?.into_iter();
        Ok(pieces(values.map(|value| Candidate {
            value: Some((&value).into()),
        })))
    }

    async fn save_state(
        &self,
        request: Request<SaveStateRequest>,
    ) -> Result<Response<SaveStateAnswer>, Status> {
        let caller = caller(&request)?;
        let key = request.into_inner().key;
        self.demand(&caller, &[Right::Forward], &key, "save_state")?;
        self.keeper.keys.save_state(&key).await.map_err(of_key)?;
        Ok(Response::new(SaveStateAnswer {}))
    }

    async fn save_states(
        &self,
        request: Request<SaveStatesRequest>,
    ) -> Result<Response<SaveStatesAnswer>, Status> {
        let caller = caller(&request)?;
        let asked = || "save_states".to_owned();
        self.keeper
            .demand(&caller, &[Right::Forward], asked, |grants, asker| {
                grants.allow_any(asker, Right::Forward)
            })?;
        let grants = self.keeper.grants();
        let granted = |key: &KeyName| grants.allow(caller.asker(), Right::Forward, key.as_str());
        let saved = self.keeper.keys.main.save_states_of(granted).await;
        saved.map_err(of_key)?;
        Ok(Response::new(SaveStatesAnswer {}))
    }

    async fn declare(
        &self,
        request: Request<DeclareRequest>,
    ) -> Result<Response<DeclareAnswer>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        self.demand(&caller, &[Right::Declare], &request.key, "declare")?;
        let change = Change::try_from(request).map_err(invalid)?;
        let id = self.keeper.keys.by(caller.by()).declare(change).await;
        let id = id.map_err(of_rotation)?.to_string();
        Ok(Response::new(DeclareAnswer { id }))
    }

    type WaitStream = Pieces<ListingPart>;

    async fn wait(
        &self,
        request: Request<WaitRequest>,
    ) -> Result<Response<Self::WaitStream>, Status> {
        let caller = caller(&request)?;
        let id = id("id", &request.into_inner().id).map_err(invalid)?;
        let keeper = &self.keeper;
        keeper
            .demand_of_rotation(&caller, Right::Declare, id, "wait")
            .await?;
        let report = keeper.keys.wait(id).await.map_err(of_rotation)?;
        Ok(pieces(report_parts(&report)))
    }
}
