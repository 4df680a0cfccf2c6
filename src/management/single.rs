//! The handle on one key.

use std::fmt;
use std::sync::Arc;

use crate::actors::directory::KeyEntry;
use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::WorkerName;
use crate::management::keys_management::KeysManagement;
use crate::rotation::error::RotationError;
use crate::worker::callback::IntoCallback;
use crate::worker::change::Change;

/// A handle on one key.
#[derive(Clone)]
pub struct SingleKeyManagement {
    pub(crate) manager: KeysManagement,
    pub(crate) entry: Arc<KeyEntry>,
}

impl fmt::Debug for SingleKeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SingleKeyManagement")
            .field(self.entry.name())
            .finish()
    }
}

impl KeysManagement {
    /// A handle on one key.
    ///
    /// # Errors
    /// `invalid_name`, `key_not_defined`, `forked`.
    pub fn get_single_management(&self, key: &str) -> Result<SingleKeyManagement, KeyError> {
        let entry = self.inner.declarer.directory.find(key)?;
        Ok(SingleKeyManagement {
            manager: self.clone(),
            entry,
        })
    }
}

impl SingleKeyManagement {
    /// The key's name.
    pub fn name(&self) -> &str {
        self.entry.name().as_str()
    }

    /// The manager.
    pub fn manager(&self) -> &KeysManagement {
        &self.manager
    }

    /// As [`KeysManagement::get_key`].
    ///
    /// # Errors
    /// `invalid_key`, `store_failed`, `state_unreadable`, `repo_unavailable`, `timed_out`, `busy`,
    /// `unavailable`, `key_failed`, `shut_down`, `forked`.
    pub async fn get_key(&self) -> Result<KeyAnswer, KeyError> {
        self.entry.get(None, &WorkerName::main()).await
    }

    /// As [`KeysManagement::get_key_on`].
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_key_on(&self, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        self.entry.get(Some(flow), &WorkerName::main()).await
    }

    /// As [`KeysManagement::get_forward_path_key`].
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_forward_path_key(&self) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(SecretKeyFlow::ForwardPath).await
    }

    /// As [`KeysManagement::get_back_path_key`].
    ///
    /// # Errors
    /// `invalid_flow`, and those of [`get_key`](Self::get_key).
    pub async fn get_back_path_key(&self) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(SecretKeyFlow::BackPath).await
    }

    /// As [`KeysManagement::save_state`].
    ///
    /// # Errors
    /// `stateless_key`, `invalid_key`, `store_failed`,
    /// `state_unreadable`, `repo_unavailable`, `write_unknown`, `timed_out`, `busy`, `unavailable`,
    /// `key_failed`, `shut_down`, `forked`.
    pub async fn save_state(&self) -> Result<(), KeyError> {
        self.manager
            .main
            .save(&self.entry, self.entry.deadline())
            .await
    }

    /// As [`KeysManagement::register_on_change`].
    ///
    /// # Errors
    /// `invalid_name`, `callback_taken`, `too_many_callbacks`, `unknown_worker` if an operator removed the
    /// worker, `timed_out`, `busy`, `repo_unavailable`, `write_unknown`, `unavailable`,
    /// `coordinator_failed`, `shut_down`, `forked`.
    pub async fn register_on_change<M>(
        &self,
        callback: &str,
        call: impl IntoCallback<M>,
    ) -> Result<(), RotationError> {
        let key = self.entry.name().as_str();
        self.manager.register_on_change(key, callback, call).await
    }

    /// A change of this key, to be completed and given to
    /// [`key_changed`](KeysManagement::key_changed) or [`declare`](KeysManagement::declare).
    pub fn change(&self) -> Change {
        Change::of(self.entry.name().as_str())
    }
}
