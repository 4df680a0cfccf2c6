//! A copy of the data folder while it is in use.

use std::io;
use std::path::{self, PathBuf};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::journal_thread::Refused;
use crate::guard::fault::{self, Fault};
use crate::guard::fork;
use crate::guard::forked::Forked;
use crate::guard::this_thread::MustNotBlock;
use crate::management::keys_management::KeysManagement;
use crate::repo::error::RepoError;
use crate::secret::visible::debug_with_code;

/// Why no backup was made. Nothing of it lies under the name that was given.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The state repo refused: it makes no backups, the folder cannot be taken, or there is no room.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The state repo was busy with something else all the time that a call may take. Ask again later.
    #[error("the state repo was busy with something else for {limit:?}; ask again later")]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
    /// Another backup of this manager is under way, or too many calls wait for the journal. Ask again later.
    #[error(
        "another backup of this manager is under way, or too many calls wait for the journal; ask \
         again later"
    )]
    Busy,
    /// A thread could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(io::Error),
    /// The state repo panicked.
    #[error("the state repo failed: {0}")]
    Plugin(Fault),
    /// The manager is shut down or shutting down; a backup that was under way is given up then.
    #[error(
        "the manager is shut down; copy the folder, which nobody changes then, or start it anew"
    )]
    ShutDown,
    /// The process is a child of `fork()`. Start keyward after the fork and not before it.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// [`block_on`](crate::guard::this_thread::block_on) on a thread that must not block. Use `await` there.
    #[error("a blocking call on a thread of an actor or an async plug-in; use the async call")]
    MustNotBlock,
}

debug_with_code!(BackupError);

impl From<Fault> for BackupError {
    fn from(fault: Fault) -> Self {
        Self::Plugin(fault)
    }
}

impl BackupError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Repo(error) => error.code(),
            Self::TimedOut { .. } => "timed_out",
            Self::Busy => "busy",
            Self::Thread(_) => "no_thread",
            Self::Plugin(fault) => fault.code(),
            Self::ShutDown => "shut_down",
            Self::Forked(error) => error.code(),
            Self::MustNotBlock => "must_not_block",
        }
    }
}

impl From<io::Error> for BackupError {
    fn from(refused: io::Error) -> Self {
        Self::Thread(refused)
    }
}

impl From<MustNotBlock> for BackupError {
    fn from(MustNotBlock: MustNotBlock) -> Self {
        Self::MustNotBlock
    }
}

impl KeysManagement {
    /// Puts a consistent copy of the whole data folder into a folder that is missing or empty, while
    /// keys are handed out and rotations run. Everything that was accepted or answered before the call
    /// is in it. It opens as the data folder does, with the same master key: as
    /// [`data_folder`](crate::management::builder::KeysManagementBuilder::data_folder), in place of
    /// the original and not beside it, for both would go on with the same rotations.
    ///
    /// The copy is made under another name beside the folder and renamed when it is whole, durable
    /// and was read once; after an error, or a crash in the middle, nothing lies under the folder's
    /// name. Missing parents are made. The copy has mode 0700. It is made to its end where this call
    /// is dropped; a shutdown gives it up.
    ///
    /// What it costs: writes wait while up to 4 MiB are moved from the log into a table. On the file
    /// system of the data folder the tables are second names of the same files: this takes hardly any
    /// time or room, and is no help against a failing disk. To another file system all is copied: time
    /// and room of the whole folder. Each record but those of the history is read once.
    ///
    /// # Errors
    /// `no_backup` for a state repo that makes none; `backup_target`, `not_writable`, `disk_full` for
    /// the folder; `busy` while another backup is under way, or too many calls wait for the journal; `timed_out`, `repo_unavailable`, `folder_lost`,
    /// `no_thread`, `shut_down`, `forked`.
    pub async fn backup(&self, folder: impl Into<PathBuf>) -> Result<(), BackupError> {
        fork::refuse_child()?;
        let folder = folder.into();
        // What is made by many steps is made where it was meant, whatever folder this process is in.
        let folder = path::absolute(&folder).unwrap_or(folder);
        let permit = self.inner.backup.take().ok_or(BackupError::Busy)?;
        let limit = self.inner.settings.call_time_limit;
        let repo = self.inner.journal.ask(|journal| journal.state_repo());
        let repo = self.inner.plugins.within(limit, repo).await;
        let repo = repo.ok_or(BackupError::TimedOut { limit })?;
        let repo = repo.map_err(|refused| match refused {
            Refused::Busy { .. } => BackupError::Busy,
            Refused::Closed => BackupError::ShutDown,
        })?;
        let (told, made) = oneshot::channel();
        thread::Builder::new()
            .name("keyward-backup".to_owned())
            .spawn(move || {
                let made = fault::catch(|| repo.backup(&folder));
                // After a shutdown it may be the last one that has the repo.
                drop(fault::catch(|| drop(repo)));
                drop(permit);
                drop(told.send(made));
            })?;
        match made.await.map_err(|_| Fault::Gone)?? {
            Err(RepoError::Closed) => Err(BackupError::ShutDown),
            made => Ok(made?),
        }
    }
}
