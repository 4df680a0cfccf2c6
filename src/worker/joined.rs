//! A worker's handle: the same one in the keeper's process and in another.

use std::fmt;

use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::secret::value::SecretKeyValue;
use crate::worker::callback::IntoCallback;
use crate::worker::candidates::{CandidatesError, try_each};
use crate::worker::caught_up::CaughtUp;
use crate::worker::change::Change;
use crate::worker::membership::Membership;

/// A worker that has joined: it asks for keys, registers callbacks, and may leave.
///
/// It is the same type in the process that keeps the keys (`KeysManagement::join`) and in another one
/// (`Client::join`): a function that takes a `&Worker` runs in both. The order is: join, register the
/// callbacks, [`ready`](Self::ready), then get keys.
///
/// Dropping the handle is a death and not a leave: the name is free at once, the worker stays on
/// the roster with its callbacks, and a worker that joins under the name takes up its steps.
pub struct Worker {
    joined: Box<dyn Membership>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", self.joined.name())
            .finish_non_exhaustive()
    }
}

impl Worker {
    #[cfg(any(feature = "client", feature = "embedded"))]
    pub(crate) fn new(joined: impl Membership) -> Self {
        Self {
            joined: Box::new(joined),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.joined.name().as_str()
    }

    /// A key on the flow that it finds by itself: forward first, then back, in turn.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`, `state_unreadable`,
    /// `repo_unavailable`, `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.joined.get(key, None).await
    }

    /// A key on this flow.
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_key_on(&self, key: &str, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        self.joined.get(key, Some(flow)).await
    }

    /// A key on the forward path: a fresh value from its store.
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_forward_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::ForwardPath).await
    }

    /// A key on the back path: the value that belongs to what the forward path had.
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_back_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::BackPath).await
    }

    /// The version of this id of a key that has versions: the half that data under it is read with. Nothing but
    /// memory is asked.
    ///
    /// # Errors
    /// `version_unknown` for an id that the key does not have, also one of another key; `version_withdrawn`,
    /// `version_destroyed`, `version_unreadable`; `not_versioned` for a key without versions; `key_not_defined`,
    /// `invalid_name`, `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_version(&self, key: &str, id: VersionId) -> Result<KeyAnswer, KeyError> {
        self.joined.get_version(key, id).await
    }

    /// The versions of a key, the newest first: their states, and what each owes to whom.
    ///
    /// # Errors
    /// `not_versioned` for a key without versions; `version_unreadable`; `key_not_defined`, `invalid_name`,
    /// `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn versions(&self, key: &str) -> Result<Vec<VersionListing>, KeyError> {
        self.joined.versions(key).await
    }

    /// All keys that data of a key may be under which carries no id of a version, each once, the likeliest first:
    /// of a key with versions, the back halves of all that are read, the current one first. Another name of
    /// [`back_path_candidates`](Self::back_path_candidates).
    ///
    /// # Errors
    /// As there.
    pub async fn candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.back_path_candidates(key).await
    }

    /// Every back half that data of a round-trip key may be under, each once, the likeliest first: what
    /// a back-path get would answer now, what is held, then the new and the old half of each rotation
    /// that has begun and holds its keys. It changes nothing.
    ///
    /// # Errors
    /// `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`, `unavailable`,
    /// `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn back_path_candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.joined.candidates(key).await
    }

    /// Calls `f` with each of the [`back_path_candidates`](Self::back_path_candidates) until one answers
    /// `Ok`.
    ///
    /// # Errors
    /// [`CandidatesError::NoneWorks`] (`no_candidate`) with the errors of `f`; [`CandidatesError::Key`]
    /// with a [`KeyError`]: `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`,
    /// `unavailable`, `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
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
    /// `key_not_defined`, `invalid_name`, `stateless_key`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `write_unknown`, `timed_out`, `busy`, `unavailable`,
    /// `key_failed`, `shut_down`, `forked`.
    pub async fn save_state(&self, key: &str) -> Result<(), KeyError> {
        self.joined.save_state(key).await
    }

    /// Writes the state of every stated key. All are tried; the first error is answered.
    ///
    /// # Errors
    /// The first error of a key: `invalid_key`, `store_failed`, `state_unreadable`, `repo_unavailable`,
    /// `write_unknown`, `timed_out`, `busy`, `unavailable`, `key_failed`; `shut_down`, `forked`.
    pub async fn save_states(&self) -> Result<(), KeyError> {
        self.joined.save_states().await
    }

    /// Registers a callback of data, which outlives this process: files, a table. Its name is the same in
    /// every life of the program. It is on the roster durably, and in the plan of every rotation of the
    /// key that waits, runs or is stopped, when this answers.
    ///
    /// The callback is any sync closure, which runs on a thread set apart, or async closure, which
    /// runs on keyward's runtime. It may run more than once for the same rotation.
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
        let call = call.into_callback();
        self.joined.register(key, callback, call).await.map(drop)
    }

    /// Registers a callback of memory: what it changes ends with this process, a loaded key for
    /// example. Every instance of a shared worker is called. It has no effect on data and stages
    /// nothing; where it does either, it has failed.
    ///
    /// In another process than the keeper's it is called, before this answers, with each change of the key that
    /// has begun and has called the worker's other instances: register first, then get.
    ///
    /// # Errors
    /// Those of [`register_on_change`](Self::register_on_change).
    pub async fn register_in_memory<M>(
        &self,
        key: &str,
        callback: &str,
        call: impl IntoCallback<M>,
    ) -> Result<CaughtUp, RotationError> {
        let call = call.into_callback().of_memory();
        self.joined.register(key, callback, call).await
    }

    /// Says that all callbacks are registered: from now on they are called. In the keeper's own process
    /// this does nothing.
    ///
    /// # Errors
    /// `unknown_worker` if an operator removed the worker, `timed_out`, `busy`, `repo_unavailable`,
    /// `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn ready(&self) -> Result<(), RotationError> {
        self.joined.ready().await
    }

    /// Waits until the keeper takes it for a worker no more, and answers why: `unknown_worker` where an operator
    /// removed it, for example. A keeper that is away is waited for.
    pub async fn removed(&self) -> RotationError {
        self.joined.removed().await
    }

    /// Declares a change; answers the rotation's id as soon as it is durable.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `invalid_key`, `same_keys`, `store_failed`,
    /// `rotation_unfinished`, `other_declaration`, `rotation_unreadable`, `key_failed`, `timed_out`,
    /// `busy`, `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`, `shut_down`,
    /// `forked`.
    pub async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        self.joined.declare(change).await
    }

    /// Waits until a rotation neither waits nor runs, and answers its report.
    ///
    /// # Errors
    /// `unknown_rotation`, `rotation_unreadable`, `busy`, `write_unknown`, `unavailable`,
    /// `coordinator_failed`, `shut_down`, `forked`; `repo_unavailable` of a rotation that has ended, where
    /// the repo does not answer.
    pub async fn wait(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        self.joined.wait(id).await
    }

    /// [`declare`](Self::declare) and [`wait`](Self::wait).
    ///
    /// **A failed callback is no error here** under the default strategy, `Halt`, nor under `Skip`: the answer
    /// is `Ok` with a report whose `state` is not [`RotationState::Completed`]. Look at it.
    ///
    /// [`RotationState::Completed`]: crate::rotation::state::RotationState::Completed
    ///
    /// # Errors
    /// `callbacks_failed` with the report ([`RotationError::Raised`]) if callbacks failed under a strategy
    /// that raises; those of [`declare`](Self::declare) and [`wait`](Self::wait).
    pub async fn key_changed(&self, change: Change) -> Result<RotationReport, RotationError> {
        unless_raised(self.joined.change(change).await?)
    }

    /// Leaves for good: the worker's callbacks are off the roster, and its remaining steps are
    /// taken out of every plan. Where it is refused, the worker stays.
    ///
    /// # Errors
    /// `callback_runs` while one of its steps runs; `unknown_worker` if an operator removed it;
    /// `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`,
    /// `shut_down`, `forked`.
    pub async fn leave(&self) -> Result<(), RotationError> {
        self.joined.leave().await
    }
}

/// What a call answers that declared a change and waited for this end.
pub(crate) fn unless_raised(report: RotationReport) -> Result<RotationReport, RotationError> {
    if report.raises() {
        let report = Box::new(report);
        return Err(RotationError::Raised { report });
    }
    Ok(report)
}
