//! The database of a folder as it lies there, to be looked at and not to be changed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocksdb::DB;

use crate::guard::fork;
use crate::repo::batch::{Batch, Operation};
use crate::repo::error::RepoError;
use crate::repo::folder::{self, FolderOptions};
use crate::repo::lock::ReadingLock;
use crate::repo::marker::{self, Marker};
use crate::repo::program_end::Use;
use crate::repo::rocks_calls;
use crate::repo::rocks_threads;
use crate::repo::space::Space;
use crate::repo::state_repo::{StateRepo, Visitor};

/// A database whose files are only read, by one that has the folder to itself. A manager that is started on
/// the folder meanwhile is told that it is open.
///
/// What is written is kept in memory, where [`get`](StateRepo::get) finds it, and ends with this; scans show what
/// the folder has. So a journal can be opened on it, which writes that it was.
pub struct RocksDbReader {
    db: DB,
    written: Mutex<Written>,
    /// After `db`, because fields are dropped in this order.
    _lock: ReadingLock,
}

/// What each place has that was written, or that it was deleted.
type Written = BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>;

impl RocksDbReader {
    /// Opens the database in a folder, as [`RocksDbRepo::open`](crate::repo::rocks::RocksDbRepo::open) finds it.
    ///
    /// # Errors
    /// As there, and where the folder has no database.
    pub fn open(options: &FolderOptions) -> Result<Self, RepoError> {
        fork::refuse_child()?;
        let folder = folder::find(options)?;
        let lock = ReadingLock::take(&folder)?;
        let Some(Marker::Ready(reached)) = marker::read(&folder)? else {
            return Err(RepoError::Failed {
                action: format!("looking for a database in {}", folder.display()),
                cause: Box::new(io::Error::from(io::ErrorKind::NotFound)),
            });
        };
        let db = open(&folder, |folder| {
            rocks_calls::verify(folder, reached)?;
            rocks_calls::open_to_read(folder)
        })?;
        Ok(Self {
            db,
            written: Mutex::default(),
            _lock: lock,
        })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(folder: &Path, open: impl FnOnce(&Path) -> Result<DB, RepoError>) -> Result<DB, RepoError> {
    rocks_threads::start()?;
    rocks_calls::before_the_first_use(folder)?;
    let _use = Use::begin()?;
    let opened = open(folder);
    rocks_calls::after_the_first_opening();
    opened
}

impl StateRepo for RocksDbReader {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        if let Some(written) = self.written().get(&(space, key.to_vec())) {
            return Ok(written.clone());
        }
        let _use = Use::begin()?;
        rocks_calls::read(&self.db, space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.scan_after(space, prefix, None, visit)
    }

    fn scan_after(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        let _use = Use::begin()?;
        rocks_calls::scan(&self.db, space, prefix, after, false, visit)
    }

    fn scan_back(
        &self,
        space: Space,
        prefix: &[u8],
        before: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        let _use = Use::begin()?;
        rocks_calls::scan_back(&self.db, space, prefix, before, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let mut written = self.written();
        for operation in batch.operations() {
            match operation {
                Operation::Put { space, key, value } => {
                    written.insert((*space, key.clone()), Some(value.clone()));
                }
                Operation::Delete { space, key } => {
                    written.insert((*space, key.clone()), None);
                }
            }
        }
        Ok(())
    }

    fn reopen(&self) -> Result<(), RepoError> {
        Ok(())
    }

    fn close(&self) -> Result<(), RepoError> {
        Ok(())
    }
}
