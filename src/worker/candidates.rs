//! The keys that data may be under: while a rotation has begun and not ended, no single answer is right
//! for all of it.

use std::fmt;

use crate::guard::this_thread::MustNotBlock;
use crate::key::error::KeyError;
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
pub(crate) fn try_each<T, E>(
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
