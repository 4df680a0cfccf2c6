//! The client, as a program holds it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::client::builder::ClientBuilder;
use crate::client::connection::KeeperConnection;
use crate::client::instance::RemoteMembership;
use crate::client::place;
use crate::client::session::ClientSession;
use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::key::keeper_error::KeeperError;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::secret::value::{SecretKeyValue, SecretKeys};
use crate::worker::candidates::{CandidatesError, try_each};
use crate::worker::change::Change;
use crate::worker::join::Join;
use crate::worker::joined::{Worker, unless_raised};

/// A connection to a keeper in another process: keys, declarations, workers, and the operator's calls.
///
/// A clone is the same client. It is usable from any thread and any async runtime, for keyward's own runtime
/// does its work; a thread without one waits for a call with [`block_on`](crate::guard::this_thread::block_on). A
/// connection that has ended is made anew by the next call. A future of a call that is dropped
/// cancels the request.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use keyward::{Client, Join, KeyChange};
/// let client = Client::connect().await?;
/// let web = client.join(Join::shared("web")).await?;
/// let load = async |change: KeyChange| println!("rotation {}", change.key.rotation_id());
/// web.register_in_memory("documents", "load", load).await?;
/// web.ready().await?;
/// let key = web.get_forward_path_key("documents").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    connection: KeeperConnection,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("socket", &self.connection.session.connector.place())
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Connects.
    ///
    /// # Errors
    /// `invalid_socket`, `keeper_unavailable`, `permission_denied`, `untrusted_keeper`, `timed_out`;
    /// `no_thread` where the system refuses a thread.
    pub async fn connect(self) -> Result<Client, KeeperError> {
        let place = match &self.place {
            Some(place) => place::given(place)?,
            None => place::of_environment()?,
        };
        let session =
            ClientSession::start(&place, self.trust, self.request_time_limit, self.threads)?;
        session.try_to_connect().await?;
        Ok(Client::new(session))
    }
}

impl Client {
    pub(super) fn new(session: Arc<ClientSession>) -> Self {
        let connection = KeeperConnection::new(session);
        Self { connection }
    }

    pub(super) fn connection(&self) -> &KeeperConnection {
        &self.connection
    }

    /// Connects to the keeper whose socket the variable `KEYWARD_SOCKET` names, else to that of the host,
    /// `/run/keyward/keyward.sock`.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::connect`].
    pub async fn connect() -> Result<Self, KeeperError> {
        Self::builder().connect().await
    }

    /// Connects to the keeper at this socket: a path or a `unix:` address.
    ///
    /// # Errors
    /// Those of [`ClientBuilder::connect`].
    pub async fn at(socket: impl Into<PathBuf>) -> Result<Self, KeeperError> {
        Self::builder().socket(socket).connect().await
    }

    /// What else a client can be made with.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A key on the flow that it finds by itself: forward first, then back, in turn.
    ///
    /// # Errors
    /// Those of `KeysManagement::get_key`, as [`KeyError::Keeper`] with the same code, text and `is_retriable`;
    /// `keeper_unavailable`, `permission_denied`, `untrusted_keeper`, `invalid_answer`, `forked`.
    pub async fn get_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        Ok(self.connection.get(key, None, None).await?)
    }

    /// A key on this flow.
    ///
    /// # Errors
    /// Those of [`get_key`](Self::get_key), and `invalid_flow`.
    pub async fn get_key_on(&self, key: &str, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        Ok(self.connection.get(key, Some(flow), None).await?)
    }

    /// A key on the forward path: a fresh value from its store.
    ///
    /// # Errors
    /// Those of [`get_key_on`](Self::get_key_on).
    pub async fn get_forward_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::ForwardPath).await
    }

    /// A key on the back path: the value that belongs to what the forward path had.
    ///
    /// # Errors
    /// Those of [`get_key_on`](Self::get_key_on).
    pub async fn get_back_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::BackPath).await
    }

    /// The version of this id of a key that has versions: the half that data under it is read with.
    ///
    /// # Errors
    /// Those of [`get_key`](Self::get_key); `version_unknown`, `version_withdrawn`, `version_destroyed`,
    /// `version_unreadable`, `not_versioned`.
    pub async fn get_version(&self, key: &str, id: VersionId) -> Result<KeyAnswer, KeyError> {
        Ok(self.connection.get_version(key, id).await?)
    }

    /// The versions of a key, the newest first: their states, and what each owes to whom. It needs the grant
    /// `operate`.
    ///
    /// # Errors
    /// Those of [`get_key`](Self::get_key); `not_versioned`, `version_unreadable`.
    pub async fn versions(&self, key: &str) -> Result<Vec<VersionListing>, KeyError> {
        Ok(self.connection.versions(key).await?)
    }

    /// What the key's store answers now. It changes nothing.
    ///
    /// # Errors
    /// Those of [`get_key`](Self::get_key).
    pub async fn look(&self, key: &str) -> Result<SecretKeys, KeyError> {
        Ok(self.connection.look(key).await?)
    }

    /// Every back half that data of a round-trip key may be under, each once, the likeliest first. It changes
    /// nothing.
    ///
    /// # Errors
    /// Those of [`get_key`](Self::get_key); `invalid_flow` for a one-way key.
    pub async fn back_path_candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeyError> {
        Ok(self.connection.candidates(key).await?)
    }

    /// Calls `f` with each of the [`back_path_candidates`](Self::back_path_candidates) until one answers
    /// `Ok`.
    ///
    /// # Errors
    /// [`CandidatesError::NoneWorks`] (`no_candidate`) with the errors of `f`; [`CandidatesError::Key`]
    /// with an error of [`back_path_candidates`](Self::back_path_candidates).
    pub async fn try_candidates<T, E>(
        &self,
        key: &str,
        f: impl FnMut(&SecretKeyValue) -> Result<T, E>,
    ) -> Result<T, CandidatesError<E>> {
        try_each(&self.back_path_candidates(key).await?, f)
    }

    /// Writes the state of a stated key, durably.
    ///
    /// # Errors
    /// Those of [`get_key`](Self::get_key); `stateless_key`, `write_unknown`.
    pub async fn save_state(&self, key: &str) -> Result<(), KeyError> {
        Ok(self.connection.save_state(key).await?)
    }

    /// Writes the state of every stated key that this user may save. All are tried; the first error is
    /// answered.
    ///
    /// # Errors
    /// Those of [`save_state`](Self::save_state).
    pub async fn save_states(&self) -> Result<(), KeyError> {
        Ok(self.connection.save_states().await?)
    }

    /// Declares a change; answers the rotation's id as soon as it is durable.
    ///
    /// # Errors
    /// Those of `KeysManagement::declare`, as [`RotationError::Keeper`] with the same code, text and
    /// `is_retriable`;
    /// `keeper_unavailable`, `permission_denied`, `untrusted_keeper`, `invalid_answer`, `forked`.
    pub async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        self.connection.declare(change).await
    }

    /// Waits until a rotation neither waits nor runs, and answers its report, as long as the caller does. Where
    /// the keeper ends meanwhile, that is an error, and the rotation can be waited for again.
    ///
    /// # Errors
    /// Those of `KeysManagement::wait`, as [`RotationError::Keeper`]; `keeper_unavailable`, `permission_denied`,
    /// `untrusted_keeper`, `invalid_answer`, `forked`.
    pub async fn wait(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        self.connection.wait(id).await
    }

    /// [`declare`](Self::declare) and [`wait`](Self::wait).
    ///
    /// **A failed callback is no error here** under the default strategy, `Halt`, nor under `Skip`: look at the
    /// report's `state`.
    ///
    /// # Errors
    /// `callbacks_failed` with the report ([`RotationError::Raised`]) if callbacks failed under a strategy
    /// that raises; those of [`declare`](Self::declare) and [`wait`](Self::wait).
    pub async fn key_changed(&self, change: Change) -> Result<RotationReport, RotationError> {
        let id = self.declare(change).await?;
        unless_raised(self.wait(id).await?)
    }

    /// Joins a worker: `"anna"`, or a [`Join`] that says more. It has a connection of its own, which is made
    /// again by itself when it has ended. Join first, register the callbacks, then call
    /// [`ready`](Worker::ready).
    ///
    /// # Errors
    /// `invalid_name`; those of `KeysManagement::join`, as [`RotationError::Keeper`]; `other_sharing` where the
    /// worker's instances that are there are not shared, or this one is not; `permission_denied`,
    /// `keeper_unavailable`, `untrusted_keeper`, `forked`.
    pub async fn join(&self, worker: impl Into<Join>) -> Result<Worker, RotationError> {
        let join = worker.into();
        let joined = RemoteMembership::join(&self.connection.session, join).await?;
        Ok(Worker::new(joined))
    }
}
