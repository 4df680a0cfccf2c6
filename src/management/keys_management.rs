//! The manager.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::WorkerName;
use crate::management::builder::KeysManagementBuilder;
use crate::management::error::StartError;
use crate::management::inner::Inner;
use crate::management::local_membership::LocalMembership;
use crate::rotation::act::By;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::worker::callback::IntoCallback;
use crate::worker::change::Change;
use crate::worker::join::Join;
use crate::worker::joined::{Worker, unless_raised};
use crate::worker::membership::Membership;

/// The manager: defines keys, hands them out, and takes declared changes through every worker's
/// callbacks.
///
/// A clone is the same manager. It is usable from any thread and any async runtime; a thread without
/// one waits for a call with [`block_on`](crate::guard::this_thread::block_on). Dropping the last handle is a
/// [`shutdown`](Self::shutdown) without a wait for its end.
#[derive(Clone)]
pub struct KeysManagement {
    pub(crate) inner: Arc<Inner>,
    pub(crate) main: Arc<LocalMembership>,
    /// By whom this handle does what it does, and why.
    by: By,
}

impl fmt::Debug for KeysManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeysManagement")
    }
}

impl KeysManagement {
    /// What a manager needs: a data folder or a state repo, and a master key or a crypto tool.
    pub fn builder() -> KeysManagementBuilder {
        KeysManagementBuilder::default()
    }

    pub(crate) async fn begin(inner: Inner) -> Result<Self, StartError> {
        let inner = Arc::new(inner);
        let main = LocalMembership::join_named(Arc::clone(&inner), WorkerName::main()).await;
        match main {
            Ok(main) => {
                inner.unreadable.keep_replaced(false);
                Ok(Self {
                    by: inner.declarer.own.clone(),
                    inner,
                    main: Arc::new(main),
                })
            }
            // Dropped, what was begun is asked for its end.
            Err(error) => Err(StartError::Roster(error)),
        }
    }

    /// The same manager. What is declared, resumed, aborted, dismissed and removed by this handle is so for this reason,
    /// of at most 1,024 bytes: it stands in the listing and in the history.
    ///
    /// ```no_run
    /// # async fn example(keys: keyward::KeysManagement, id: keyward::RotationId) -> Result<(), keyward::RotationError> {
    /// keys.because("the disk has been replaced")?.resume(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `invalid_reason` for a longer one, and for one with control characters.
    pub fn because(&self, reason: &str) -> Result<Self, RotationError> {
        Ok(self.by(self.by.clone().because(reason)?))
    }

    /// The same manager; what is done by this handle is done so by another process.
    pub(crate) fn by(&self, by: By) -> Self {
        Self { by, ..self.clone() }
    }

    /// By whom this handle does what it does, and why.
    pub(super) fn who(&self) -> By {
        self.by.clone()
    }

    /// A key on the flow that it finds by itself: forward first, then back, in turn.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`, `state_unreadable`,
    /// `repo_unavailable`, `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_for(key, None, &WorkerName::main()).await
    }

    /// A key on this flow, or on the one that it finds by itself; for this worker to write with, if it has versions.
    pub(crate) async fn get_for(
        &self,
        key: &str,
        flow: Option<SecretKeyFlow>,
        worker: &WorkerName,
    ) -> Result<KeyAnswer, KeyError> {
        let entry = self.inner.declarer.directory.find(key)?;
        entry.get(flow, worker).await
    }

    /// A key on this flow.
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_key_on(&self, key: &str, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        self.get_for(key, Some(flow), &WorkerName::main()).await
    }

    /// A key on the forward path: a fresh value from its store.
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_forward_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::ForwardPath).await
    }

    /// Another name of [`get_forward_path_key`](Self::get_forward_path_key).
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_encrypt_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_forward_path_key(key).await
    }

    /// A key on the back path: the value that belongs to what the forward path had.
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_back_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::BackPath).await
    }

    /// Another name of [`get_back_path_key`](Self::get_back_path_key).
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_decrypt_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_back_path_key(key).await
    }

    /// Writes the state of a stated key, durably.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `stateless_key`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `write_unknown`, `timed_out`, `busy`, `unavailable`,
    /// `key_failed`, `shut_down`, `forked`.
    pub async fn save_state(&self, key: &str) -> Result<(), KeyError> {
        self.main.save_state(key).await
    }

    /// Writes the state of every stated key. All are tried, many at a time, so that few writes take
    /// them all; the first error is answered.
    ///
    /// # Errors
    /// The first error of a key: `invalid_key`, `store_failed`, `state_unreadable`, `repo_unavailable`,
    /// `write_unknown`, `timed_out`, `busy`, `unavailable`, `key_failed`; `shut_down`, `forked`.
    pub async fn save_states(&self) -> Result<(), KeyError> {
        self.main.save_states().await
    }

    /// Declares a change and waits for the end of its rotation: [`declare`](Self::declare) and
    /// [`wait`](Self::wait).
    ///
    /// **A failed callback is no error here** under the default strategy, `Halt`, nor under `Skip`: the answer is
    /// `Ok` with a report whose `state` is not [`RotationState::Completed`]. Look at it.
    ///
    /// [`RotationState::Completed`]: crate::rotation::state::RotationState::Completed
    ///
    /// # Errors
    /// `callbacks_failed` with the report ([`RotationError::Raised`]) if callbacks failed under a strategy
    /// that raises. From the declaration: `key_not_defined`, `invalid_name`, `invalid_key`, `same_keys`,
    /// `invalid_reason`, `store_failed`, `rotation_unfinished`, `other_declaration`, `rotation_unreadable`, `key_failed`,
    /// `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`,
    /// `shut_down`, `forked`. From the wait: `unknown_rotation`, `rotation_unreadable`.
    pub async fn key_changed(&self, change: Change) -> Result<RotationReport, RotationError> {
        unless_raised(self.inner.change(change, self.who()).await?)
    }

    /// Declares a change; answers the rotation's id as soon as it is durable.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `invalid_key`, `invalid_reason`, `same_keys`, `store_failed`,
    /// `rotation_unfinished`, `other_declaration`, `rotation_unreadable`, `key_failed`, `timed_out`,
    /// `busy`, `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`,
    /// `forked`.
    pub async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        self.inner.declarer.declare(change, self.who()).await
    }

    /// Waits until a rotation neither waits nor runs, and answers its report; at once if that is
    /// so already, also in a later life of the program.
    ///
    /// # Errors
    /// `unknown_rotation`, `rotation_unreadable`, `busy`, `write_unknown`, `unavailable`,
    /// `coordinator_failed`, `shut_down`, `forked`; `repo_unavailable` of a rotation that has ended, where
    /// the repo does not answer.
    pub async fn wait(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        self.inner.wait(id).await
    }

    /// Registers a callback of the worker `main`. It is on the roster durably, and in the plan of
    /// every rotation of the key that has not ended, when this answers.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `callback_taken`, `too_many_callbacks`, `unknown_worker` if an
    /// operator removed the worker, `timed_out`, `busy`, `repo_unavailable`, `write_unknown`,
    /// `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn register_on_change<M>(
        &self,
        key: &str,
        callback: &str,
        call: impl IntoCallback<M>,
    ) -> Result<(), RotationError> {
        self.main
            .register(key, callback, call.into_callback())
            .await
            .map(drop)
    }

    /// Joins a worker under a name that is the same in every life of the program: `"anna"`, or a [`Join`]
    /// that says more.
    ///
    /// # Errors
    /// `invalid_name`, `worker_name_taken`, `other_sharing` for a shared worker (those here are sole), `timed_out`, `busy`, `repo_unavailable`, `write_unknown`,
    /// `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn join(&self, worker: impl Into<Join>) -> Result<Worker, RotationError> {
        let member = LocalMembership::join(Arc::clone(&self.inner), worker.into()).await?;
        Ok(Worker::new(member))
    }

    /// Ends the manager: admits nothing more, gives running callbacks the time that was set at the
    /// start, leaves the rest in the journal for the next life, and frees the data folder.
    ///
    /// # Errors
    /// `inside_callback`; `shut_down` if another shutdown has begun; `forked`.
    pub async fn shutdown(&self) -> Result<(), RotationError> {
        self.inner.shutdown(None).await
    }

    /// [`shutdown`](Self::shutdown) with another time for running callbacks.
    ///
    /// # Errors
    /// `inside_callback`; `shut_down` if another shutdown has begun; `forked`.
    pub async fn shutdown_within(&self, grace: Duration) -> Result<(), RotationError> {
        self.inner.shutdown(Some(grace)).await
    }
}
