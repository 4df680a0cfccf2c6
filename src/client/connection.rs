//! One connection of a client, and the calls about keys over it.

use std::future::Future;
use std::mem;
use std::sync::Arc;

use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use crate::client::session::{ClientSession, MAX_MESSAGE};
use crate::key::answer::KeyAnswer;
use crate::key::flow::SecretKeyFlow;
use crate::key::keeper_error::KeeperError;
use crate::key::name::WorkerName;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::secret::value::{SecretKeyValue, SecretKeys};
use crate::wire::generated::keys_client::KeysClient;
use crate::wire::generated::{
    CandidatesRequest, DeclareRequest, Flow, GetRequest, GetVersionRequest, ListingPart,
    LookRequest, SaveStateRequest, SaveStatesRequest, VersionsRequest, WaitRequest,
};
use crate::wire::invalid::needed;
use crate::wire::listing::ListingParts;
use crate::worker::change::Change;

/// One connection: it is made when it is first used, and anew when it has ended.
#[derive(Clone)]
pub(super) struct KeeperConnection {
    pub(super) session: Arc<ClientSession>,
    pub(super) channel: Channel,
}

impl KeeperConnection {
    /// A connection that is not made yet.
    pub(super) fn new(session: Arc<ClientSession>) -> Self {
        let channel = session.channel();
        Self { session, channel }
    }

    fn keys(&self) -> KeysClient<Channel> {
        KeysClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// Asks, within the limit that requests have.
    pub(super) async fn ask<T>(
        &self,
        request: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, KeeperError> {
        let answer = async {
            let answer = request.await;
            answer.map_err(|status| self.session.failure(&status))
        };
        Ok(self.session.within(answer).await?.into_inner())
    }

    /// Asks for a listing, and puts its parts together. It has no limit but the caller's.
    pub(super) async fn listing(
        &self,
        request: impl Future<Output = Result<Response<Streaming<ListingPart>>, Status>>,
    ) -> Result<ListingParts, KeeperError> {
        self.session.refuse_child()?;
        let failed = |status| self.session.failure(&status);
        let mut parts = request.await.map_err(failed)?.into_inner();
        let mut listing = ListingParts::default();
        while let Some(part) = parts.message().await.map_err(failed)? {
            let taken = listing.take(part);
            taken.map_err(|why| self.session.not_understood(&why))?;
        }
        Ok(listing)
    }

    pub(super) async fn get(
        &self,
        key: &str,
        flow: Option<SecretKeyFlow>,
        worker: Option<&WorkerName>,
    ) -> Result<KeyAnswer, KeeperError> {
        let worker = worker.map(WorkerName::as_str).unwrap_or_default();
        let request = GetRequest {
            key: key.to_owned(),
            flow: Flow::from(flow).into(),
            worker: worker.to_owned(),
        };
        let answer = self.ask(self.keys().get(request)).await?.try_into();
        answer.map_err(|why| self.session.not_understood(&why))
    }

    pub(super) async fn get_version(
        &self,
        key: &str,
        id: VersionId,
    ) -> Result<KeyAnswer, KeeperError> {
        let (key, id) = (key.to_owned(), id.to_string());
        let request = GetVersionRequest { key, id };
        let answer = self.ask(self.keys().get_version(request)).await?.try_into();
        answer.map_err(|why| self.session.not_understood(&why))
    }

    /// The versions of a key, the newest first.
    pub(super) async fn versions(&self, key: &str) -> Result<Vec<VersionListing>, KeeperError> {
        let key = key.to_owned();
        let mut operate = self.operate();
        let listing = self.listing(operate.versions(VersionsRequest { key }));
        Ok(self.session.within(listing).await?.versions)
    }

    /// What the key's store answers now.
    pub(super) async fn look(&self, key: &str) -> Result<SecretKeys, KeeperError> {
        let key = key.to_owned();
        let answer = self.ask(self.keys().look(LookRequest { key })).await?;
        let keys = needed("values", answer.values).and_then(SecretKeys::try_from);
        keys.map_err(|why| self.session.not_understood(&why))
    }

    pub(super) async fn candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeeperError> {
        let key = key.to_owned();
        let all = async {
            let failed = |status| self.session.failure(&status);
            let asked = self.keys().candidates(CandidatesRequest { key }).await;
            let mut answered = asked.map_err(failed)?.into_inner();
            let mut all = Vec::new();
            while let Some(candidate) = answered.message().await.map_err(failed)? {
                let value = needed("value", candidate.value);
                let value = value.map_err(|why| self.session.not_understood(&why))?;
                all.push(value.into());
            }
            Ok(all)
        };
        self.session.within(all).await
    }

    pub(super) async fn save_state(&self, key: &str) -> Result<(), KeeperError> {
        let key = key.to_owned();
        let mut keys = self.keys();
        let saved = self.ask(keys.save_state(SaveStateRequest { key }));
        saved.await.map(drop)
    }

    pub(super) async fn save_states(&self) -> Result<(), KeeperError> {
        let mut keys = self.keys();
        let saved = self.ask(keys.save_states(SaveStatesRequest {}));
        saved.await.map(drop)
    }

    pub(super) async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        self.session.refuse_child()?;
        let request = DeclareRequest::try_from(&change)?;
        let answer = self.ask(self.keys().declare(request)).await?;
        self.session.id(&answer.id)
    }

    /// Waits for the end of a rotation as long as the caller does.
    pub(super) async fn wait(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        let id = id.to_string();
        let mut keys = self.keys();
        let listing = self.listing(keys.wait(WaitRequest { id })).await?;
        let report = listing.into_report();
        report.map_err(|why| self.session.not_understood(&why).into())
    }
}

impl Drop for KeeperConnection {
    fn drop(&mut self) {
        if self.session.refuse_child().is_err() {
            // What runs it is the parent's, and may hold its locks.
            mem::forget(self.channel.clone());
        }
    }
}
