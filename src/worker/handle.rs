//! The handle that a callback gets: the key's definition, what the key had when the rotation
//! began, and staged changes of its state.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::key::definition::KeyBehaviour;
use crate::key::error::KeyError;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::{KeyName, WorkerName};
use crate::key::state::{Snapshot, Staged};
use crate::key::versions::id::VersionId;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::outcome::StepRef;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};
#[cfg(any(feature = "client", feature = "embedded"))]
use crate::worker::call::Call;
use crate::worker::call_versions::CallVersions;
use crate::worker::change::Change;

/// A future of a link's answer.
pub type LinkFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a handle asks of the rest of keyward; in one process the actors answer.
pub trait KeyLink: Send + Sync + 'static {
    /// What saving a key's state would have to ask of the store, after these staged changes.
    fn stage_save(
        &self,
        key: &KeyName,
        staged: Vec<Staged>,
    ) -> LinkFuture<Result<Option<SecretKeyValue>, KeyError>>;
    /// The back half of a version of a key.
    fn get_version(
        &self,
        key: &KeyName,
        id: VersionId,
    ) -> LinkFuture<Result<SecretKeyValue, KeyError>>;
    /// Fails in a child of `fork()`.
    ///
    /// # Errors
    /// `forked`.
    fn refuse_child(&self) -> Result<(), KeyError>;
    /// Declares a change.
    fn declare(&self, change: Change) -> LinkFuture<Result<RotationId, RotationError>>;
}

/// What the handle and the caller of the callback share.
pub struct Staging {
    open: AtomicBool,
    staged: Mutex<Vec<Staged>>,
}

#[cfg(any(feature = "client", feature = "embedded"))]
impl Staging {
    /// A call that has just begun.
    pub fn open() -> Arc<Self> {
        Arc::new(Self {
            open: AtomicBool::new(true),
            staged: Mutex::new(Vec::new()),
        })
    }

    /// Ends the call: from now on the handle answers no more. Answers what it staged.
    pub fn close(&self) -> Vec<Staged> {
        let mut staged = self.lock();
        self.open.store(false, Ordering::SeqCst);
        std::mem::take(&mut staged)
    }
}

impl Staging {
    fn lock(&self) -> MutexGuard<'_, Vec<Staged>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on the key that changes, for one call of one callback.
///
/// What the setters, [`clean_state`](Self::clean_state) and [`save_state`](Self::save_state) do is
/// staged: it takes effect together with the callback's success, in one durable write, and not at
/// all if the callback fails. A clone is the same handle. When the call is over, also because its
/// time has passed, the handle refuses everything with `handle_expired`.
#[derive(Clone)]
pub struct OnChangeKeyDefinition {
    name: KeyName,
    behaviour: Arc<KeyBehaviour>,
    worker: WorkerName,
    step: StepRef,
    attempt: u32,
    snapshot: Arc<Snapshot>,
    versions: Option<CallVersions>,
    staging: Arc<Staging>,
    link: Arc<dyn KeyLink>,
}

impl fmt::Debug for OnChangeKeyDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnChangeKeyDefinition")
            .field("name", &self.name)
            .field("worker", &self.worker)
            .field("step", &self.step)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl OnChangeKeyDefinition {
    /// The handle of this call, which is made by this worker.
    #[cfg(any(feature = "client", feature = "embedded"))]
    pub(crate) fn new(
        call: &Call,
        worker: WorkerName,
        staging: Arc<Staging>,
        link: Arc<dyn KeyLink>,
    ) -> Self {
        Self {
            name: call.key.clone(),
            behaviour: Arc::clone(&call.behaviour),
            worker,
            step: call.step,
            attempt: call.attempt,
            snapshot: Arc::new(call.snapshot.clone()),
            versions: call.versions,
            staging,
            link,
        }
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The key's use case.
    pub fn use_case(&self) -> SecretKeyUseCase {
        self.behaviour.use_case
    }

    /// Whether the key's state is not kept in the state repo.
    pub fn is_stateless(&self) -> bool {
        self.behaviour.stateless
    }

    /// Whether the key's state is kept in the state repo.
    pub fn is_stated(&self) -> bool {
        !self.behaviour.stateless
    }

    /// Whether the key's pair is kept in memory.
    pub fn is_keep_in_cache(&self) -> bool {
        self.behaviour.keep_in_cache
    }

    /// The worker that has the callback.
    pub fn worker(&self) -> &str {
        self.worker.as_str()
    }

    /// The rotation's id, the same in every attempt and every life of the program. A callback that
    /// keeps it beside its data can tell that its work is done already.
    pub fn rotation_id(&self) -> RotationId {
        self.step.rotation
    }

    /// Which attempt this is, from 1. A later one may follow a crash in the middle of the work.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// How long this call may take, as the key's definition says.
    pub fn time_limit(&self) -> Duration {
        self.behaviour.callback_time_limit
    }

    /// The id of the version that the old keys are; none of a key without versions.
    pub fn old_version(&self) -> Option<VersionId> {
        self.versions.map(|versions| versions.old)
    }

    /// The id of the version that the new keys are, with which data is written from now on; none of a key without
    /// versions. Data that carries it is left alone.
    pub fn new_version(&self) -> Option<VersionId> {
        self.versions.map(|versions| versions.new)
    }

    /// The back half of any version of the key that is read, for data that carries its id.
    ///
    /// # Errors
    /// `not_versioned`, `version_unknown`, `version_withdrawn`, `version_destroyed`, `version_unreadable`;
    /// `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`; `handle_expired` after the call; `forked`.
    pub async fn get_version(&self, id: VersionId) -> Result<SecretKeyValue, KeyError> {
        drop(self.open()?);
        self.link.get_version(&self.name, id).await
    }

    /// The last flow that the key had when the rotation first began to run.
    ///
    /// # Errors
    /// `state_unreadable` if none was known then and the key's record could not be read.
    pub fn last_flow(&self) -> Result<Option<SecretKeyFlow>, KeyError> {
        match &*self.snapshot {
            Snapshot::Known { flow, .. } => Ok(*flow),
            Snapshot::Unreadable { why } => Err(self.unreadable(why)),
        }
    }

    /// The keys that the key held when the rotation first began to run.
    ///
    /// # Errors
    /// `state_unreadable` if nothing was known then and the key's record could not be read.
    pub fn previous_keys(&self) -> Result<Option<SecretKeyPair>, KeyError> {
        match &*self.snapshot {
            Snapshot::Known { previous, .. } => Ok(previous.clone()),
            Snapshot::Unreadable { why } => Err(self.unreadable(why)),
        }
    }

    /// Sets the key's last flow.
    ///
    /// # Errors
    /// `invalid_flow` if it does not fit the use case, `handle_expired` after the call.
    pub fn set_last_flow(&self, flow: SecretKeyFlow) -> Result<(), KeyError> {
        if !flow.fits(self.behaviour.use_case) {
            return Err(KeyError::InvalidFlow {
                key: self.name.clone(),
                flow,
                use_case: self.behaviour.use_case,
            });
        }
        self.stage(Staged::LastFlow(flow))
    }

    /// Sets what the key holds for the back path, kept in cache or not.
    ///
    /// # Errors
    /// `invalid_key` for empty or oversized keys, or a pair for a one-way key; `handle_expired`
    /// after the call.
    pub fn set_previous_keys(
        &self,
        keys: impl Into<crate::secret::value::SecretKeys>,
    ) -> Result<(), KeyError> {
        let keys = keys.into();
        let one_way = self.behaviour.use_case == SecretKeyUseCase::OneWayTrip;
        let checked = match keys.check() {
            Ok(()) if one_way && keys.is_pair() => {
                Err(crate::secret::value::InvalidKey::PairForOneWay)
            }
            checked => checked,
        };
        checked.map_err(|why| KeyError::InvalidKey {
            key: self.name.clone(),
            why,
        })?;
        self.stage(Staged::PreviousKeys(keys.to_pair()))
    }

    /// Forgets the last flow and the previous keys, and deletes the key's record.
    ///
    /// # Errors
    /// `handle_expired` after the call.
    pub fn clean_state(&self) -> Result<(), KeyError> {
        self.stage(Staged::Clean)
    }

    /// Writes the state's record with the callback's success. Where that needs the store, the
    /// store is asked now.
    ///
    /// # Errors
    /// `stateless_key`, `invalid_key`, `store_failed`, `state_unreadable`, `repo_unavailable`, `timed_out`,
    /// `busy`, `unavailable`, `key_failed`, `shut_down`; `handle_expired` after the call; `forked`.
    pub async fn save_state(&self) -> Result<(), KeyError> {
        let staged = self.open()?.clone();
        let asked = self.link.stage_save(&self.name, staged).await?;
        self.stage(Staged::Save { asked })
    }

    /// Declares a change, of this key or of another one, without waiting for it: it runs when its
    /// turn comes.
    ///
    /// # Errors
    /// `handle_expired` after the call; `key_not_defined`, `invalid_name`, `invalid_key`, `same_keys`,
    /// `store_failed`, `rotation_unfinished`, `other_declaration`, `rotation_unreadable`, `key_failed`,
    /// `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`,
    /// `shut_down`, `forked`.
    pub async fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        // In a child of a fork the link refuses it.
        if let Err(KeyError::HandleExpired { .. }) = self.open() {
            return Err(RotationError::HandleExpired);
        }
        self.link.declare(change).await
    }

    fn stage(&self, change: Staged) -> Result<(), KeyError> {
        self.open()?.push(change);
        Ok(())
    }

    fn open(&self) -> Result<MutexGuard<'_, Vec<Staged>>, KeyError> {
        self.link.refuse_child()?;
        let staged = self.staging.lock();
        if self.staging.open.load(Ordering::SeqCst) {
            return Ok(staged);
        }
        Err(KeyError::HandleExpired {
            key: self.name.clone(),
        })
    }

    fn unreadable(&self, why: &str) -> KeyError {
        KeyError::StateUnreadable {
            key: self.name.clone(),
            why: why.to_owned(),
        }
    }
}
