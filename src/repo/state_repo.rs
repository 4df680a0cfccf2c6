//! The trait of what keeps states and journal.

use std::ops::ControlFlow;
use std::path::Path;

use crate::repo::batch::Batch;
use crate::repo::error::RepoError;
use crate::repo::space::Space;

/// What a scan shows keys and values to, until it breaks.
pub type Visitor<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Ordered bytes that survive: the small common ground of RocksDB and a clustered store.
///
/// The calls block and may come from several threads; keyward runs them on threads set apart, and a
/// panic in one is an error of that one request. [`crate::repo::conformance`] checks an adapter.
///
/// Keys are ordered as bytes, are any bytes (the empty key too), and are separate in each
/// [`Space`]. Values are any bytes; expect a few of 2 MiB.
pub trait StateRepo: Send + Sync + 'static {
    /// The value under a key, if there is one.
    ///
    /// # Errors
    /// [`RepoError::Closed`], [`RepoError::Unavailable`], [`RepoError::Damaged`] or [`RepoError::Failed`]. None of
    /// them is ever to be read as "nothing there".
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError>;

    /// Shows `visit` every key that starts with `prefix`, and its value, in ascending order of
    /// bytes, until it breaks or there are no more. All of it is of one moment. `visit` must not
    /// call the repo.
    ///
    /// # Errors
    /// [`RepoError::Closed`], [`RepoError::Unavailable`], [`RepoError::Damaged`] or [`RepoError::Failed`]; then
    /// something may be missing from what was shown.
    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError>;

    /// As [`scan`](Self::scan), of the keys that are above `after`, if it is given.
    ///
    /// Without an implementation of its own it reads all that comes before as well, which a long
    /// history makes slow.
    ///
    /// # Errors
    /// [`RepoError::Closed`], [`RepoError::Unavailable`], [`RepoError::Damaged`] or [`RepoError::Failed`]; then
    /// something may be missing from what was shown.
    fn scan_after(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        self.scan(space, prefix, &mut |key, value| match after {
            Some(after) if key <= after => ControlFlow::Continue(()),
            Some(_) | None => visit(key, value),
        })
    }

    /// Shows `visit` every key that starts with `prefix`, and, if it is given, is below `before`; and
    /// its value, in descending order of bytes, until it breaks or there are no more. All of it is of
    /// one moment. `visit` must not call the repo.
    ///
    /// Without an implementation of its own it reads everything with the prefix at each call, which
    /// a long history makes slow.
    ///
    /// # Errors
    /// [`RepoError::Closed`], [`RepoError::Unavailable`], [`RepoError::Damaged`] or [`RepoError::Failed`]; then
    /// something may be missing from what was shown.
    fn scan_back(
        &self,
        space: Space,
        prefix: &[u8],
        before: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        let mut found = Vec::new();
        self.scan(space, prefix, &mut |key, value| {
            if before.is_some_and(|before| key >= before) {
                return ControlFlow::Break(());
            }
            found.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        for (key, value) in found.iter().rev() {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Writes a batch: all of it or nothing, and only if its precondition holds, which no other
    /// write may come between. On return it is durable: no crash of the process or of the machine
    /// loses it.
    ///
    /// # Errors
    /// [`RepoError::PreconditionFailed`], [`RepoError::Closed`], [`RepoError::Unavailable`],
    /// [`RepoError::FolderLost`] and [`RepoError::Forked`] have changed nothing. After any other error the outcome is *unknown*: the whole batch may or may
    /// not be found later. The repo may then answer [`RepoError::Unavailable`] to everything until
    /// `reopen` has found out.
    fn apply(&self, batch: &Batch) -> Result<(), RepoError>;

    /// Lets go of what an error has left behind and opens again what was durable, without giving up
    /// what keeps others out meanwhile. What is read from then on is true: an unknown batch is
    /// either there, and durable, or never will be.
    ///
    /// # Errors
    /// [`RepoError::Unavailable`] or [`RepoError::Failed`]: the repo stays unavailable, and another attempt may
    /// succeed. [`RepoError::Closed`] after `close`.
    fn reopen(&self) -> Result<(), RepoError>;

    /// Puts a consistent copy of the repo into a folder that is missing or empty, while the repo is
    /// used: what was applied before this call is in it, and each later batch is in it whole or not
    /// at all. The copy opens as the repo does. On return it is durable, and the folder has mode 0700.
    ///
    /// Without an implementation of its own a repo makes no backups.
    ///
    /// # Errors
    /// Nothing lies under the folder's name then. [`RepoError::NoBackup`] where the repo makes none,
    /// [`RepoError::BackupTarget`] where the folder cannot be taken; [`RepoError::Closed`] also where
    /// the repo was closed meanwhile.
    fn backup(&self, folder: &Path) -> Result<(), RepoError> {
        let _is_not_made = folder;
        Err(RepoError::NoBackup)
    }

    /// Ends the use of the repo: makes its shut-down form complete (RocksDB: nothing lies only in
    /// the log), and frees what keeps others out. Every later call is [`RepoError::Closed`].
    ///
    /// # Errors
    /// [`RepoError::Failed`], or [`RepoError::Full`]: the repo is closed all the same, and no durable batch is lost.
    fn close(&self) -> Result<(), RepoError>;
}
