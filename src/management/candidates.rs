//! The keys that data may be under: while a rotation has begun and not ended, no single answer is right
//! for all of it.

use std::fmt;

use crate::actors::candidates::candidates;
use crate::actors::directory::KeyEntry;
use crate::guard::this_thread::MustNotBlock;
use crate::key::error::KeyError;
use crate::management::keys_management::KeysManagement;
use crate::management::single::SingleKeyManagement;
use crate::management::worker::Worker;
use crate::secret::value::SecretKeyValue;

/// Why no candidate did what was tried with it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidatesError<E> {
    /// The candidates could not be had.
    #[error(transparent)]
    Key(KeyError),
    /// With each of them it failed, or there are none. The data is under another key, or is damaged.
    #[error("none of {} keys that the data may be under works", errors.len())]
    NoneWorks {
        /// The error of each, the likeliest first. They are the program's own, so no text of keyward's shows them.
        errors: Vec<E>,
    },
}

impl<E> CandidatesError<E> {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::NoneWorks { .. } => "no_candidate",
        }
    }
}

impl<E> fmt::Debug for CandidatesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.code())
    }
}

impl<E> From<KeyError> for CandidatesError<E> {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl<E> From<MustNotBlock> for CandidatesError<E> {
    fn from(refused: MustNotBlock) -> Self {
        Self::Key(refused.into())
    }
}

/// Tries each until one works.
fn try_each<T, E>(
    candidates: &[SecretKeyValue],
    mut f: impl FnMut(&SecretKeyValue) -> Result<T, E>,
) -> Result<T, CandidatesError<E>> {
    let mut errors = Vec::new();
    for candidate in candidates {
        match f(candidate) {
            Ok(done) => return Ok(done),
            Err(error) => errors.push(error),
        }
    }
    Err(CandidatesError::NoneWorks { errors })
}

impl Worker {
    /// As [`KeysManagement::back_path_candidates`], asked by this worker.
    ///
    /// # Errors
    /// `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`, `unavailable`,
    /// `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn back_path_candidates(&self, key: &str) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.candidates(&*self.find(key)?).await
    }

    /// As [`KeysManagement::try_candidates`], asked by this worker.
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

    pub(crate) async fn candidates(
        &self,
        entry: &KeyEntry,
    ) -> Result<Vec<SecretKeyValue>, KeyError> {
        let _permit = self.permit()?;
        candidates(self.declarer(), self.journal(), entry).await
    }
}

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
        self.main.back_path_candidates(key).await
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
        self.main.try_candidates(key, f).await
    }
}

impl SingleKeyManagement {
    /// As [`KeysManagement::back_path_candidates`].
    ///
    /// # Errors
    /// `invalid_flow` for a one-way key; `key_not_defined`, `invalid_name`, `busy`, `unavailable`,
    /// `key_failed`, `coordinator_failed`, `shut_down`, `forked`.
    pub async fn back_path_candidates(&self) -> Result<Vec<SecretKeyValue>, KeyError> {
        self.manager.main.candidates(&self.entry).await
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
