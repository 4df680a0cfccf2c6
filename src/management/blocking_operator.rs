//! The calls of [`Blocking`] for operators, and a worker's calls for threads that may block.

use std::fmt;

use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::management::answer::KeyAnswer;
use crate::management::blocking::{Blocking, wait, wait_key};
use crate::management::operator::RecoveredKeys;
use crate::management::status::{HistoryListing, Status};
use crate::management::worker::Worker;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::worker::callback::IntoCallback;

impl Blocking {
    /// As `KeysManagement::status`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn status(&self) -> Result<Status, RotationError> {
        wait(self.manager.status())
    }

    /// As `KeysManagement::rotations`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn rotations(&self) -> Result<Vec<RotationReport>, RotationError> {
        wait(self.manager.rotations())
    }

    /// As `KeysManagement::history`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn history(&self, limit: usize) -> Result<HistoryListing, RotationError> {
        wait(self.manager.history(limit))
    }

    /// As [`KeysManagement::history_before`](crate::KeysManagement::history_before).
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn history_before(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<HistoryListing, RotationError> {
        wait(self.manager.history_before(sequence, limit))
    }

    /// As `KeysManagement::resume`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn resume(&self, id: RotationId) -> Result<(), RotationError> {
        wait(self.manager.resume(id))
    }

    /// As `KeysManagement::abort`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn abort(&self, id: RotationId, confirmed: &[&str]) -> Result<(), RotationError> {
        wait(self.manager.abort(id, confirmed))
    }

    /// As `KeysManagement::dismiss`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn dismiss(&self, id: RotationId) -> Result<(), RotationError> {
        wait(self.manager.dismiss(id))
    }

    /// As `KeysManagement::recover_keys`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn recover_keys(&self, id: RotationId) -> Result<RecoveredKeys, RotationError> {
        wait(self.manager.recover_keys(id))
    }

    /// As `KeysManagement::remove_worker`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn remove_worker(&self, worker: &str) -> Result<(), RotationError> {
        wait(self.manager.remove_worker(worker))
    }

    /// As `KeysManagement::remove_callback`.
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn remove_callback(
        &self,
        worker: &str,
        key: &str,
        callback: &str,
    ) -> Result<(), RotationError> {
        wait(self.manager.remove_callback(worker, key, callback))
    }
}

/// A worker's calls, blocking; see [`Blocking`].
pub struct BlockingWorker<'a> {
    pub(super) worker: &'a Worker,
}

impl fmt::Debug for BlockingWorker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockingWorker").field(self.worker).finish()
    }
}

impl<'a> BlockingWorker<'a> {
    pub(crate) fn new(worker: &'a Worker) -> Self {
        Self { worker }
    }

    /// As [`Worker::get_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        wait_key(self.worker.get_key(key))
    }

    /// As [`Worker::get_key_on`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_key_on(&self, key: &str, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        wait_key(self.worker.get_key_on(key, flow))
    }

    /// As [`Worker::get_forward_path_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_forward_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::ForwardPath)
    }

    /// As [`Worker::get_back_path_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_back_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::BackPath)
    }

    /// Another name of [`get_forward_path_key`](Self::get_forward_path_key).
    ///
    /// # Errors
    /// As there.
    pub fn get_encrypt_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_forward_path_key(key)
    }

    /// Another name of [`get_back_path_key`](Self::get_back_path_key).
    ///
    /// # Errors
    /// As there.
    pub fn get_decrypt_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_back_path_key(key)
    }

    /// As [`Worker::save_state`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn save_state(&self, key: &str) -> Result<(), KeyError> {
        wait_key(self.worker.save_state(key))
    }

    /// As [`Worker::register_on_change`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn register_on_change<M>(
        &self,
        key: &str,
        callback: &str,
        call: impl IntoCallback<M>,
    ) -> Result<(), RotationError> {
        wait(self.worker.register_on_change(key, callback, call))
    }

    /// As [`Worker::leave`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn leave(&self) -> Result<(), RotationError> {
        wait(self.worker.leave())
    }
}
