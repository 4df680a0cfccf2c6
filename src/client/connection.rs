//! One connection of a client, and the calls about keys over it.

use std::mem;
use std::sync::Arc;

use tonic::transport::Channel;

use crate::client::session::{MAX_MESSAGE, Session};
use crate::client::translated;
use crate::key::answer::KeyAnswer;
use crate::key::flow::SecretKeyFlow;
use crate::key::keeper_error::KeeperError;
use crate::key::name::KeyName;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::secret::value::{SecretKeyValue, SecretKeys};
use crate::wire::generated::keys_client::KeysClient;
use crate::wire::generated::{
    CandidatesRequest, DeclareRequest, GetRequest, LookRequest, SaveStateRequest,
    SaveStatesRequest, declare_request,
};
use crate::worker::change::{Change, New, Old};

/// One connection: it is made when it is first used, and anew when it has ended.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) session: Arc<Session>,
    pub(super) channel: Channel,
}

impl Connection {
    /// A connection that is not made yet.
    pub(super) fn new(session: Arc<Session>) -> Self {
        let channel = session.channel();
        Self { session, channel }
    }

    pub(super) fn keys(&self) -> KeysClient<Channel> {
        KeysClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    /// Asks, within the limit that requests have.
    pub(super) async fn ask<T>(
        &self,
        request: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, KeeperError> {
        let answer = async {
            let answer = request.await;
            answer.map_err(|status| self.session.failure(&status))
        };
        Ok(self.session.within(answer).await?.into_inner())
    }

    pub(super) async fn get(
        &self,
        key: &str,
        flow: Option<SecretKeyFlow>,
    ) -> Result<KeyAnswer, KeeperError> {
        let request = GetRequest {
            key: key.to_owned(),
            flow: translated::to_flow(flow).into(),
        };
        let answer = self.ask(self.keys().get(request)).await?;
        let flow = translated::flow(answer.flow()).ok_or("no flow");
        let answer = translated::value(answer.value)
            .and_then(|value| flow.map(|flow| KeyAnswer { value, flow }));
        answer.map_err(|what| self.session.not_understood(what))
    }

    /// What the key's store answers now.
    pub(super) async fn look(&self, key: &str) -> Result<SecretKeys, KeeperError> {
        let key = key.to_owned();
        let answer = self.ask(self.keys().look(LookRequest { key })).await?;
        translated::keys(answer.values).map_err(|what| self.session.not_understood(what))
    }

    pub(super) async fn candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeeperError> {
        let request = CandidatesRequest {
            key: key.to_owned(),
        };
        let all = async {
            let failed = |status| self.session.failure(&status);
            let mut answered = self
                .keys()
                .candidates(request)
                .await
                .map_err(failed)?
                .into_inner();
            let mut all = Vec::new();
            while let Some(candidate) = answered.message().await.map_err(failed)? {
                let candidate = translated::value(candidate.value);
                all.push(candidate.map_err(|what| self.session.not_understood(what))?);
            }
            Ok(all)
        };
        self.session.within(all).await
    }

    pub(super) async fn save_state(&self, key: &str) -> Result<(), KeeperError> {
        let request = SaveStateRequest {
            key: key.to_owned(),
        };
        self.ask(self.keys().save_state(request)).await.map(drop)
    }

    pub(super) async fn save_states(&self) -> Result<(), KeeperError> {
        self.ask(self.keys().save_states(SaveStatesRequest {}))
            .await
            .map(drop)
    }

    pub(super) async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        let request = declaration(change, String::new())?;
        let answer = self.ask(self.keys().declare(request)).await?;
        self.id(&answer.id)
    }

    /// The id of a rotation that came.
    pub(super) fn id(&self, id: &str) -> Result<RotationId, RotationError> {
        let id = id.parse();
        id.map_err(|_| self.session.not_understood("no id of a rotation").into())
    }
}

/// A change as it is declared to the keeper.
///
/// # Errors
/// `invalid_name`; `invalid_declaration` of a change whose new keys a store of this process is to give.
pub(super) fn declaration(change: Change, reason: String) -> Result<DeclareRequest, RotationError> {
    let key = KeyName::new(&change.key)?;
    let old = match &change.old {
        Old::Undeclared => None,
        Old::Given(keys) => Some(declare_request::Old::OldKeys(translated::to_keys(keys))),
        Old::OfStore => Some(declare_request::Old::OldFromStore(true)),
    };
    let new_keys = match &change.new {
        New::Undeclared => None,
        New::Given(keys) => Some(translated::to_keys(keys)),
        #[cfg(feature = "embedded")]
        New::From(_) => {
            let text = format!(
                "key {key}: a store of this process cannot give the new keys of a change that another process \
                 keeps; give the keys themselves, with Change::new_keys"
            );
            let refused = KeeperError::new("invalid_declaration", false, text);
            return Err(refused.into());
        }
    };
    Ok(DeclareRequest {
        key: key.as_str().to_owned(),
        old,
        new_keys,
        id: change.id.map(|id| id.to_string()).unwrap_or_default(),
        reason,
    })
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.session.refuse_child().is_err() {
            // What runs it is the parent's, and may hold its locks.
            mem::forget(self.channel.clone());
        }
    }
}
