//! The keys that data may be under, asked of the manager.

use crate::key::error::KeyError;
use crate::management::keys_management::KeysManagement;
use crate::management::single::SingleKeyManagement;
use crate::secret::value::SecretKeyValue;
use crate::worker::candidates::{CandidatesError, try_each};
use crate::worker::membership::Membership;

impl KeysManagement {
    /// Every back half that data of a round-trip key may be under, each once, the likeliest first: what
    /// a back-path get would answer now, what is held, then the new and the old half of each rotation
    /// that has begun and holds its keys, the one that was declared last first.
    ///
    /// While a rotation has begun and not ended, some data is under the old key and some under the new
    /// one. This changes nothing: no flow, nothing held. A store or a record that fails hides nothing of
    /// the rest, and one that hangs is waited for within the request's limit. A key of an obsolete rotation among
    /// them is traced as a warning.
    ///
    /// # Errors
    /// `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`, `unavailable`,
    /// `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn back_path_candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.main.candidates(key).await
    }

    /// Calls `f` with each of the [`back_path_candidates`](Self::back_path_candidates) until one answers
    /// `Ok`.
    ///
    /// ```no_run
    /// # use keyward::{AeadCryptoTool, CryptoTool, KeysManagement};
    /// # async fn open(keys: KeysManagement, sealed: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    /// let text = keys
    ///     .try_candidates("documents", |key| AeadCryptoTool::derive(key, b"mine")?.open(&sealed, b""))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
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
}

impl SingleKeyManagement {
    /// As [`KeysManagement::back_path_candidates`].
    ///
    /// # Errors
    /// `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`, `unavailable`,
    /// `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn back_path_candidates(&self) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.manager.main.candidates_of(&self.entry).await
    }

    /// As [`KeysManagement::try_candidates`].
    ///
    /// # Errors
    /// [`CandidatesError::NoneWorks`] (`no_candidate`) with the errors of `f`; [`CandidatesError::Key`]
    /// with a [`KeyError`]: `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`,
    /// `unavailable`, `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn try_candidates<T, E>(
        &self,
        f: impl FnMut(&SecretKeyValue) -> Result<T, E>,
    ) -> Result<T, CandidatesError<E>> {
        try_each(&self.back_path_candidates().await?, f)
    }
}
