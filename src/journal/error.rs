//! What can go wrong with the journal.

use crate::crypto::error::CryptoError;
use crate::key::journal_down::JournalDown;
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::secret::visible::debug_with_code;

/// Why the journal refused. No variant holds key bytes.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The check record does not open. The operator's fault: give the master key that the database
    /// was created with; or the record or the database's id was damaged: restore a backup.
    #[error(
        "the master key does not open this database: give the one it was created with (or its check record or id is damaged: restore the data folder from a backup)"
    )]
    WrongMasterKey {
        /// What the crypto tool said.
        #[source]
        source: CryptoError,
    },
    /// Another journal has opened the database since; nothing was written, nor ever will be. End this
    /// one; reading anew is of no use to it.
    #[error(
        "another manager has taken over this journal, where rotations go on; this one writes nothing more; shut it down, and let only one program use the data folder"
    )]
    Fenced,
    /// The repo refused, and has changed nothing. Its error says whose fault it is.
    #[error(transparent)]
    Repo {
        /// What the repo said.
        cause: RepoError,
    },
    /// A write failed, and it is unknown whether it was made. Reopen the journal, then load it:
    /// what is found is true.
    #[error("write {number} failed, and it is unknown whether it was made: {cause}")]
    WriteUnknown {
        /// The number of the batch, for `was_written`.
        number: u64,
        /// What the repo said.
        cause: RepoError,
    },
    /// The crypto tool failed for a reason that says nothing about the records. Retriable.
    #[error("{place}: {cause}")]
    Crypto {
        /// Which record it was about.
        place: String,
        /// What the tool said.
        cause: CryptoError,
    },
    /// A record that is needed cannot be read. It was left in place: use the keyward that wrote it,
    /// or restore a backup.
    #[error("{place} (space {space}) cannot be read and was left in place: {why}")]
    Unreadable {
        /// In which space it lies.
        space: Space,
        /// Which record.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// A record would be larger than the journal reads back; nothing was written.
    #[error(
        "{place} would have {bytes} bytes, and a record has at most {most}; nothing was written"
    )]
    TooLarge {
        /// Which record.
        place: String,
        /// How many bytes it would have.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// Facts that do not fit together were to be written; nothing was. A fault of keyward itself.
    #[error("the facts do not fit together, nothing was written: {what}; this is a bug in keyward")]
    Incomplete {
        /// What is missing or does not fit.
        what: String,
    },
}

debug_with_code!(JournalError);

impl JournalError {
    /// Whether a file of the repo is damaged; the error names it.
    pub fn is_damage(&self) -> bool {
        let damaged = |cause: &RepoError| matches!(cause, RepoError::Damaged { .. });
        match self {
            Self::Repo { cause } | Self::WriteUnknown { cause, .. } => damaged(cause),
            Self::WrongMasterKey { .. }
            | Self::Fenced
            | Self::Crypto { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Incomplete { .. } => false,
        }
    }

    /// The stable code of this error; where the repo or the crypto tool refused, theirs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongMasterKey { .. } => "wrong_master_key",
            Self::Fenced => "fenced",
            Self::Repo { cause } => cause.code(),
            Self::WriteUnknown { .. } => "write_unknown",
            Self::Crypto { cause, .. } => cause.code(),
            Self::Unreadable { .. } => "record_unreadable",
            Self::TooLarge { .. } => "record_too_large",
            Self::Incomplete { .. } => "incomplete_facts",
        }
    }
}

impl From<&JournalError> for JournalDown {
    fn from(error: &JournalError) -> Self {
        let for_good = match error {
            JournalError::Fenced => true,
            JournalError::Repo { cause } => cause.is_for_good(),
            JournalError::WrongMasterKey { .. }
            | JournalError::WriteUnknown { .. }
            | JournalError::Crypto { .. }
            | JournalError::Unreadable { .. }
            | JournalError::TooLarge { .. }
            | JournalError::Incomplete { .. } => false,
        };
        Self {
            why: error.to_string(),
            for_good: for_good.then(|| error.code()),
        }
    }
}

impl From<RepoError> for JournalError {
    fn from(cause: RepoError) -> Self {
        Self::Repo { cause }
    }
}
