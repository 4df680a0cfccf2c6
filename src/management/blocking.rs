//! The calls for threads that may block: those of a program without an async runtime, and those of
//! blocking stores and callbacks.

use std::future::Future;
use std::time::Duration;

use crate::guard::place;
use crate::key::error::KeyError;
use crate::key::flow::SecretKeyFlow;
use crate::management::answer::KeyAnswer;
use crate::management::definition::SecretKeyDefinition;
use crate::management::keys_management::KeysManagement;
use crate::management::single::SingleKeyManagement;
use crate::management::worker::Worker;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::worker::callback::IntoCallback;
use crate::worker::change::Change;

/// The manager's calls, blocking. They work on any thread, also inside somebody's async runtime,
/// which they hold up; on the threads of actors and of async plug-ins they answer
/// `must_not_block`.
#[derive(Debug, Clone)]
pub struct Blocking {
    pub(super) manager: KeysManagement,
}

pub(super) fn wait<T>(
    call: impl Future<Output = Result<T, RotationError>>,
) -> Result<T, RotationError> {
    place::wait(call).unwrap_or(Err(RotationError::MustNotBlock))
}

pub(super) fn wait_key<T>(call: impl Future<Output = Result<T, KeyError>>) -> Result<T, KeyError> {
    place::wait(call).unwrap_or(Err(KeyError::MustNotBlock))
}

impl Blocking {
    pub(crate) fn new(manager: KeysManagement) -> Self {
        Self { manager }
    }

    /// As [`KeysManagement::define_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn define_key(&self, definition: SecretKeyDefinition) -> Result<(), RotationError> {
        wait(self.manager.define_key(definition))
    }

    /// As [`KeysManagement::get_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        wait_key(self.manager.get_key(key))
    }

    /// As [`KeysManagement::get_key_on`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_key_on(&self, key: &str, flow: SecretKeyFlow) -> Result<KeyAnswer, KeyError> {
        wait_key(self.manager.get_key_on(key, flow))
    }

    /// As [`KeysManagement::get_forward_path_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_forward_path_key(&self, key: &str) -> Result<KeyAnswer, KeyError> {
        self.get_key_on(key, SecretKeyFlow::ForwardPath)
    }

    /// As [`KeysManagement::get_back_path_key`].
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

    /// As [`KeysManagement::save_state`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn save_state(&self, key: &str) -> Result<(), KeyError> {
        wait_key(self.manager.save_state(key))
    }

    /// As [`KeysManagement::save_states`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn save_states(&self) -> Result<(), KeyError> {
        wait_key(self.manager.save_states())
    }

    /// As [`KeysManagement::key_changed`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn key_changed(&self, change: Change) -> Result<RotationReport, RotationError> {
        wait(self.manager.key_changed(change))
    }

    /// As [`KeysManagement::declare`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn declare(&self, change: Change) -> Result<RotationId, RotationError> {
        wait(self.manager.declare(change))
    }

    /// As [`KeysManagement::wait`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn wait(&self, id: RotationId) -> Result<RotationReport, RotationError> {
        wait(self.manager.wait(id))
    }

    /// As [`KeysManagement::register_on_change`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn register_on_change<M>(
        &self,
        key: &str,
        callback: &str,
        call: impl IntoCallback<M>,
    ) -> Result<(), RotationError> {
        wait(self.manager.register_on_change(key, callback, call))
    }

    /// As [`KeysManagement::join`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn join(&self, worker: &str) -> Result<Worker, RotationError> {
        wait(self.manager.join(worker))
    }

    /// As [`KeysManagement::shutdown`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn shutdown(&self) -> Result<(), RotationError> {
        wait(self.manager.shutdown())
    }

    /// As [`KeysManagement::shutdown_within`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn shutdown_within(&self, grace: Duration) -> Result<(), RotationError> {
        wait(self.manager.shutdown_within(grace))
    }
}

/// One key's calls, blocking; see [`Blocking`].
#[derive(Debug, Clone)]
pub struct BlockingSingle {
    pub(super) single: SingleKeyManagement,
}

impl BlockingSingle {
    pub(crate) fn new(single: SingleKeyManagement) -> Self {
        Self { single }
    }

    /// As [`SingleKeyManagement::get_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_key(&self) -> Result<KeyAnswer, KeyError> {
        wait_key(self.single.get_key())
    }

    /// As [`SingleKeyManagement::get_forward_path_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_forward_path_key(&self) -> Result<KeyAnswer, KeyError> {
        wait_key(self.single.get_forward_path_key())
    }

    /// As [`SingleKeyManagement::get_back_path_key`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn get_back_path_key(&self) -> Result<KeyAnswer, KeyError> {
        wait_key(self.single.get_back_path_key())
    }

    /// Another name of [`get_forward_path_key`](Self::get_forward_path_key).
    ///
    /// # Errors
    /// As there.
    pub fn get_encrypt_key(&self) -> Result<KeyAnswer, KeyError> {
        self.get_forward_path_key()
    }

    /// Another name of [`get_back_path_key`](Self::get_back_path_key).
    ///
    /// # Errors
    /// As there.
    pub fn get_decrypt_key(&self) -> Result<KeyAnswer, KeyError> {
        self.get_back_path_key()
    }

    /// As [`SingleKeyManagement::save_state`].
    ///
    /// # Errors
    /// As there, and `must_not_block`.
    pub fn save_state(&self) -> Result<(), KeyError> {
        wait_key(self.single.save_state())
    }
}
