//! A worker's handle.

use std::fmt;
use std::sync::Arc;

use crate::actors::admission::{Permit, Permits};
use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::actors::declare::Declarer;
use crate::actors::directory::KeyEntry;
use crate::actors::journal_thread::JournalThread;
use crate::guard::fork;
use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::{CallbackName, WorkerName};
use crate::key::time::Time;
use crate::management::answer::find;
use crate::management::inner::Inner;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::worker::callback::IntoCallback;

/// A worker that has joined: it asks for keys, registers callbacks, and may leave.
///
/// Dropping the handle is a death and not a leave: the name is free at once, the worker stays on
/// the roster with its callbacks, and a worker that joins under the name takes up its steps.
pub struct Worker {
    inner: Arc<Inner>,
    name: WorkerName,
    incarnation: u64,
    permits: Option<Arc<Permits>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl Worker {
    pub(crate) async fn join(inner: Arc<Inner>, name: &str) -> Result<Self, RotationError> {
        let name = WorkerName::new(name)?;
        Self::join_named(inner, name).await
    }

    pub(crate) async fn join_main(inner: Arc<Inner>) -> Result<Self, RotationError> {
        Self::join_named(inner, WorkerName::main()).await
    }

    async fn join_named(inner: Arc<Inner>, name: WorkerName) -> Result<Self, RotationError> {
        fork::refuse_child()?;
        if inner.declarer.directory.is_closed() {
            return Err(RotationError::ShutDown { id: None });
        }
        let worker = name.clone();
        let join = move |ticket| Event::Join { ticket, worker };
        match inner.declarer.ask(With::Nothing, join).await? {
            Reply::Joined { incarnation, .. } => Ok(Self {
                permits: inner.worker_permits(&name),
                inner,
                name,
                incarnation,
            }),
            Reply::Done
            | Reply::AskStores { .. }
            | Reply::Accepted { .. }
            | Reply::Report(_)
            | Reply::NotLive { .. } => Err(RotationError::UnknownWorker { worker: name }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// As `KeysManagement::get_key`, asked by this worker.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`, `state_unreadable`,
    /// `repo_unavailable`, `timed_out`, `busy`, `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get(&*self.inner.declarer.directory.find(key)?, None)
            .await
    }

    /// As `KeysManagement::get_key_on`, asked by this worker.
    ///
    /// # Errors
    /// `invalid_flow`, `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `timed_out`, `busy`, `unavailable`, `key_failed`,
    /// `shut_down`, `forked`.
    pub async fn get_key_on(&self, key: &str, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        self.get(&*self.inner.declarer.directory.find(key)?, Some(flow))
            .await
    }

    /// As `KeysManagement::get_forward_path_key`, asked by this worker.
    ///
    /// # Errors
    /// `invalid_flow`, `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `timed_out`, `busy`, `unavailable`, `key_failed`,
    /// `shut_down`, `forked`.
    pub async fn get_forward_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::ForwardPath).await
    }

    /// As `KeysManagement::get_back_path_key`, asked by this worker.
    ///
    /// # Errors
    /// `invalid_flow`, `key_not_defined`, `invalid_name`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `timed_out`, `busy`, `unavailable`, `key_failed`,
    /// `shut_down`, `forked`.
    pub async fn get_back_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::BackPath).await
    }

    /// As `KeysManagement::save_state`, asked by this worker.
    ///
    /// # Errors
    /// `key_not_defined`, `invalid_name`, `stateless_key`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `write_unknown`, `timed_out`, `busy`, `unavailable`,
    /// `key_failed`, `shut_down`, `forked`.
    pub async fn save_state(&self, key: &str) -> Result<(), KeyError> {
        let entry = self.inner.declarer.directory.find(key)?;
        self.save(&entry, entry.deadline()).await
    }

    pub(crate) async fn get(
        &self,
        entry: &KeyEntry,
        flow: Option<SecretKeyFlow>,
    ) -> Result<KeyAnswer, KeyError> {
        let _permit = self.permit()?;
        entry.get(flow).await
    }

    pub(crate) async fn save(&self, entry: &KeyEntry, deadline: Time) -> Result<(), KeyError> {
        let _permit = self.permit()?;
        entry.ask_by(Request::Save, deadline).await.map(drop)
    }

    pub(super) fn journal(&self) -> &JournalThread {
        &self.inner.journal
    }

    pub(super) fn declarer(&self) -> &Declarer {
        &self.inner.declarer
    }

    pub(super) fn find(&self, key: &str) -> Result<Arc<KeyEntry>, KeyError> {
        fork::refuse_child()?;
        self.inner.declarer.directory.find(key)
    }

    pub(super) fn permit(&self) -> Result<Option<Permit<&Permits>>, KeyError> {
        let Some(permits) = &self.permits else {
            return Ok(None);
        };
        let busy = || KeyError::WorkerBusy {
            worker: self.name.clone(),
            bound: permits.bound(),
        };
        permits.lend().map(Some).ok_or_else(busy)
    }

    /// Registers a callback under a name that is the same in every life of the program. It is on
    /// the roster durably, and in the plan of every rotation of the key that waits, runs or is
    /// stopped, when this answers.
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
        #[cfg(feature = "testing")]
        let call = self.inner.settings.panics.callback(call);
        let entry = find(&self.inner, key)?;
        let callback = CallbackName::new(callback)?;
        let with = With::Callback(call);
        let (worker, incarnation) = (self.name.clone(), self.incarnation);
        let key = entry.name().clone();
        let register = move |ticket| Event::Register {
            ticket,
            worker,
            incarnation,
            key,
            callback,
        };
        self.inner.declarer.ask(with, register).await.map(drop)
    }

    /// Leaves for good: the worker's callbacks are off the roster, and its remaining steps are
    /// taken out of every plan. Where it is refused, the worker stays.
    ///
    /// # Errors
    /// `callback_runs` while one of its steps runs; `unknown_worker` if an operator removed it;
    /// `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`, `coordinator_failed`,
    /// `shut_down`, `forked`.
    pub async fn leave(&self) -> Result<(), RotationError> {
        let (worker, incarnation) = (self.name.clone(), Some(self.incarnation));
        let leave = move |ticket| Event::Leave {
            ticket,
            worker,
            incarnation,
        };
        self.inner
            .declarer
            .ask(With::Nothing, leave)
            .await
            .map(drop)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // `main` lives as long as its manager, whichever of its handles are left.
        if self.name == WorkerName::main() {
            return;
        }
        let event = Event::Died {
            worker: self.name.clone(),
            incarnation: self.incarnation,
        };
        let coordinator = &self.inner.declarer.coordinator;
        coordinator.post(CoordinatorMessage::Happened(Box::new(event)));
    }
}
