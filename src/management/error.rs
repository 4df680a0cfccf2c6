//! Why a manager could not be started.

use std::io;

use rustix::io::Errno;

use crate::crypto::error::CryptoError;
use crate::guard::fault::Fault;
use crate::guard::forked::Forked;
use crate::guard::this_thread::MustNotBlock;
use crate::journal::error::JournalError;
use crate::key::event::FetchFailure;
use crate::repo::error::RepoError;
use crate::rotation::error::RotationError;
use crate::secret::value::InvalidKey;
use crate::secret::visible::debug_with_code;

/// Why a manager could not be started. Nothing that was there was changed, and the data folder is
/// free; one that was missing may have been made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Neither a data folder nor a state repo was named. There is no default folder.
    #[error("no data folder: name one with data_folder(path), or give a state_repo")]
    NoDataFolder,
    /// No master key was named. There is no default master key.
    #[error("no master key: name its store with master_key(store), or give a crypto_tool")]
    NoMasterKey,
    /// The store of the master key failed.
    #[error("the store of the master key failed: {why}")]
    MasterKeyStore {
        /// What it said.
        why: String,
    },
    /// The store of the master key answered what no key can be.
    #[error("the master key is invalid: {why}")]
    InvalidMasterKey {
        /// What is wrong with it.
        why: InvalidKey,
    },
    /// The master key is too short, or the crypto tool failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The data folder or the state repo cannot be used.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The journal cannot be used; with another master key than the one that it was made with,
    /// for example.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system refuses a thread. Raise what limits them, or run fewer programs.
    #[error(
        "a thread could not be started: {0}; raise the limit of threads (`ulimit -u`, TasksMax of systemd, pids.max of a cgroup)"
    )]
    Thread(io::Error),
    /// The process, or the whole system, has as many files open as it may. Raise what limits them.
    #[error(
        "no file descriptor is left for what keyward needs: {0}; raise the limit of open files (`ulimit -n`, LimitNOFILE of systemd)"
    )]
    Descriptor(io::Error),
    /// The state repo or the crypto tool panicked or took too long.
    #[error("the state repo or the crypto tool failed: {0}")]
    Plugin(Fault),
    /// The worker `main` could not join.
    #[error("the worker main could not join: {0}")]
    Roster(RotationError),
    /// The process is a child of `fork()` from one that used keyward. Start keyward after the fork and
    /// not before it.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// A bound is zero.
    #[error("{what} is zero; give it more")]
    ZeroBound {
        /// Which setting.
        what: &'static str,
    },
    /// [`block_on`](crate::guard::this_thread::block_on) of a start on a thread that must not block. Use `await` there.
    #[error("a blocking start on a thread of an actor or an async plug-in; use start().await")]
    MustNotBlock,
}

debug_with_code!(StartError);

impl StartError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDataFolder => "no_data_folder",
            Self::NoMasterKey => "no_master_key",
            Self::MasterKeyStore { .. } => "store_failed",
            Self::InvalidMasterKey { why } => why.code(),
            Self::Crypto(error) => error.code(),
            Self::Repo(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::Thread(_) => "no_thread",
            Self::Descriptor(_) => "no_descriptor",
            Self::Plugin(fault) => fault.code(),
            Self::Roster(error) => error.code(),
            Self::Forked(error) => error.code(),
            Self::ZeroBound { .. } => "zero_bound",
            Self::MustNotBlock => "must_not_block",
        }
    }
}

/// What the system refuses at the start of threads and runtimes.
impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Plugin(fault)
    }
}

impl From<io::Error> for StartError {
    fn from(refused: io::Error) -> Self {
        match refused.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE) => Self::Descriptor(refused),
            _ => Self::Thread(refused),
        }
    }
}

impl From<MustNotBlock> for StartError {
    fn from(MustNotBlock: MustNotBlock) -> Self {
        Self::MustNotBlock
    }
}

impl StartError {
    /// Why the store of the master key gave none.
    pub(super) fn of_master_key(failure: FetchFailure) -> Self {
        match failure {
            FetchFailure::Failed { why } => Self::MasterKeyStore { why },
            FetchFailure::Invalid(why) => Self::InvalidMasterKey { why },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn the_source_of_an_error_does_not_say_its_text_again() {
        let errors = [
            StartError::from(RepoError::LooseFolder {
                folder: "/data".into(),
                mode: 0o755,
            }),
            StartError::from(Forked),
            StartError::from(io::Error::from(io::ErrorKind::WouldBlock)),
            StartError::from(CryptoError::MasterKeyTooShort { bytes: 3 }),
            StartError::from(JournalError::Fenced),
        ];
        for error in errors {
            let source = error.source().map(ToString::to_string);
            assert_eq!(source, None, "{error}");
        }
        let loose = StartError::from(RepoError::LooseFolder {
            folder: "/data".into(),
            mode: 0o755,
        });
        let said = format!("{loose:?}");
        assert!(
            said.starts_with("loose_folder: ") && said.contains("mode 755"),
            "{said}"
        );
    }
}
