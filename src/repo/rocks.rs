//! The durable repo: RocksDB in a folder of its own.

use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rocksdb::{DB, WriteOptions};

use crate::guard::fork;
use crate::repo::backup_target::{self, Unfinished};
use crate::repo::batch::Batch;
use crate::repo::error::RepoError;
use crate::repo::failure::failure;
use crate::repo::file_size::NoSignal;
use crate::repo::files::{self, Manifest};
use crate::repo::folder::{self, FolderOptions};
use crate::repo::lock::FolderLock;
use crate::repo::marker::{self, Marker, Reached};
use crate::repo::paths::Paths;
use crate::repo::program_end::Use;
use crate::repo::rocks_calls;
use crate::repo::rocks_threads;
use crate::repo::space::Space;
use crate::repo::state_repo::{StateRepo, Visitor};

/// RocksDB in a data folder, one column family for each [`Space`], every write synced.
///
/// The folder has one holder: a second one, in this process or another, is told who that is. The
/// folder itself and the lock file `keyward.lock` in it are locked until `close` or drop, also while
/// RocksDB itself is closed. Before each write and each opening the repo looks whether the folder and
/// the lock file at its path are still these; if not, nothing more is written, for good
/// ([`RepoError::FolderLost`]). What RocksDB makes meanwhile lands in the folder that was opened,
/// wherever that was moved, and never in one that was put in its place (where `/proc` is mounted).
/// Dropping the repo without `close` is like a crash: nothing is lost, but what was written last
/// lies only in the log.
///
/// At opening, everything but the history is read once and checked, so that an opening takes no longer
/// the older a database is; of the history what is written is checked whenever it is read. Damage is
/// one error that names the file where that can be told, and changes nothing; only a last record that a
/// crash has cut is forgiven. Not noticed: the newest log cut at a record's end or removed, and a
/// whole older folder put back.
pub struct RocksDbRepo {
    paths: Paths,
    /// Held for the whole of each write, so that nothing comes between a precondition and its batch.
    writer: Mutex<Marked>,
    state: RwLock<RepoState>,
    /// Held while a backup is made.
    backup: Mutex<()>,
    /// Whether the repo is being closed: a backup under way ends then.
    ends: AtomicBool,
    /// After `state`, because fields are dropped in this order and RocksDB has to be closed first.
    lock: Mutex<Option<FolderLock>>,
}

/// The manifest that the marker tells of; none if that has to be found out.
type Marked = Option<Manifest>;

enum RepoState {
    Open(DB),
    Down {
        reason: String,
    },
    /// Another folder may lie at the path: nothing is read or written any more.
    Lost {
        folder: PathBuf,
        what: String,
    },
    Closed,
}

impl RepoState {
    fn db(&self) -> Result<&DB, RepoError> {
        match self {
            Self::Open(db) => Ok(db),
            Self::Down { reason } => Err(RepoError::Unavailable {
                reason: reason.clone(),
            }),
            Self::Lost { folder, what } => Err(RepoError::FolderLost {
                folder: folder.clone(),
                what: what.clone(),
            }),
            Self::Closed => Err(RepoError::Closed),
        }
    }

    fn may_reopen(&self) -> Result<(), RepoError> {
        match self {
            Self::Open(_) | Self::Down { .. } => Ok(()),
            Self::Lost { .. } | Self::Closed => self.db().map(drop),
        }
    }
}

impl RocksDbRepo {
    /// Opens the database in a folder, or creates it where the folder is empty or missing.
    ///
    /// # Errors
    /// Every variant of [`RepoError`] that names a folder or a file. Nothing in the folder was
    /// changed then, except that a missing folder and the lock file may have been created.
    pub fn open(options: &FolderOptions) -> Result<Self, RepoError> {
        fork::refuse_child()?;
        let _quiet = NoSignal::begin();
        rocks_threads::start()?;
        rocks_calls::before_the_first_use(options.path())?;
        let _use = Use::begin()?;
        let folder = folder::prepare(options)?;
        folder::refuse_foreign(&folder)?;
        let lock = FolderLock::take(&folder)?;
        let paths = lock.paths().clone();
        lock.check()?;
        let opened = open_or_create(&paths);
        rocks_calls::after_the_first_opening();
        let (db, marked) = opened?;
        backup_target::clean(&paths.lasting);
        Ok(Self {
            paths,
            writer: Mutex::new(marked),
            state: RwLock::new(RepoState::Open(db)),
            backup: Mutex::default(),
            ends: AtomicBool::new(false),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// The data folder, without links.
    #[cfg(feature = "testing")]
    pub fn folder(&self) -> &Path {
        &self.paths.named
    }

    /// The folder, if the repo cannot follow it wherever it is moved: `/proc` is not mounted.
    pub(crate) fn cannot_follow(&self) -> Option<&Path> {
        let Paths { named, lasting } = &self.paths;
        (lasting == named).then_some(named)
    }

    fn writer(&self) -> MutexGuard<'_, Marked> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading(&self) -> RwLockReadGuard<'_, RepoState> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changing(&self) -> RwLockWriteGuard<'_, RepoState> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Option<FolderLock>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the folder is still the one that was opened. If not, RocksDB is closed.
    fn check_folder(&self) -> Result<(), RepoError> {
        let checked = match &*self.lock() {
            Some(lock) => lock.check(),
            None => Ok(()),
        };
        if let Err(RepoError::FolderLost { folder, what }) = &checked {
            let (folder, what) = (folder.clone(), what.clone());
            *self.changing() = RepoState::Lost { folder, what };
        }
        checked
    }

    /// Puts the database as it is now into a folder on the same file system. Nothing is written
    /// meanwhile.
    fn checkpoint(&self, folder: &Path) -> Result<Reached, RepoError> {
        let _use = Use::begin()?;
        let _marked = self.writer();
        self.check_folder()?;
        let state = self.reading();
        let db = state.db()?;
        rocks_calls::checkpoint(db, folder)?;
        files::sync_manifest(folder, db.latest_sequence_number())
    }

    /// Says in the marker how far the database has come, whenever tables were added to it: what is
    /// in them is in no log any more. Only a floor: one that could not be written is made up for
    /// at the next write.
    fn mark(&self, db: &DB, marked: &mut Marked) {
        if !marked.as_ref().is_some_and(Manifest::is_as_it_was) {
            *marked = mark(&self.paths.lasting, db).unwrap_or_default();
        }
    }
}

/// Opens what the marker says is there. The caller holds the lock.
fn open_or_create(paths: &Paths) -> Result<(DB, Marked), RepoError> {
    open_or_create_at(&paths.lasting).map_err(|error| paths.named(error))
}

fn open_or_create_at(folder: &Path) -> Result<(DB, Marked), RepoError> {
    let db = match marker::read(folder)? {
        Some(Marker::Ready(reached)) => {
            rocks_calls::verify(folder, reached)?;
            rocks_calls::open(folder)?
        }
        Some(Marker::Creating) => rocks_calls::create(folder)?,
        None => {
            refuse_unmarked(folder)?;
            marker::write(folder, Marker::Creating)?;
            rocks_calls::create(folder)?
        }
    };
    let marked = mark(folder, &db)?;
    Ok((db, marked))
}

/// Says in the marker how far the database has come.
fn mark(folder: &Path, db: &DB) -> Result<Marked, RepoError> {
    let reached = rocks_calls::reached(db)?;
    marker::write(folder, Marker::Ready(reached))?;
    Ok(Manifest::of(folder, reached))
}

fn refuse_unmarked(folder: &Path) -> Result<(), RepoError> {
    let Some(entry) = folder::first_foreign(folder)? else {
        return Ok(());
    };
    if folder.join("CURRENT").exists() {
        return Err(RepoError::Damaged {
            file: folder.join(marker::MARKER_FILE),
            what: "it is missing, but a database lies beside it".to_owned(),
        });
    }
    Err(RepoError::ForeignContent {
        folder: folder.to_owned(),
        entry,
    })
}

impl StateRepo for RocksDbRepo {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        let _use = Use::begin()?;
        let state = self.reading();
        rocks_calls::read(state.db()?, space, key).map_err(|error| self.paths.named(error))
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
        let state = self.reading();
        let scanned = rocks_calls::scan(state.db()?, space, prefix, after, true, visit);
        scanned.map_err(|error| self.paths.named(error))
    }

    fn scan_back(
        &self,
        space: Space,
        prefix: &[u8],
        before: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        let _use = Use::begin()?;
        let state = self.reading();
        let scanned = rocks_calls::scan_back(state.db()?, space, prefix, before, visit);
        scanned.map_err(|error| self.paths.named(error))
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let _quiet = NoSignal::begin();
        let _use = Use::begin()?;
        let mut marked = self.writer();
        if !batch.is_empty() {
            self.reading().db()?;
            self.check_folder()?;
        }
        let state = self.reading();
        let db = state.db()?;
        let named = |error| self.paths.named(error);
        if let Some(wanted) = batch.precondition() {
            rocks_calls::check(db, wanted).map_err(named)?;
        }
        if batch.is_empty() {
            return Ok(());
        }
        let writes = rocks_calls::write_batch(db, batch)?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        let Err(error) = db.write_opt(writes, &synced) else {
            self.mark(db, &mut marked);
            return Ok(());
        };
        // RocksDB can still answer reads now, but of a state that a reopening may prove wrong.
        drop(state);
        let error = named(failure("writing", &self.paths.lasting, error));
        *self.changing() = RepoState::Down {
            reason: format!("a write failed ({error})"),
        };
        Err(error)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        let _quiet = NoSignal::begin();
        let _use = Use::begin()?;
        let mut marked = self.writer();
        self.reading().may_reopen()?;
        self.check_folder()?;
        let mut state = self.changing();
        let reason = "it is being reopened".to_owned();
        drop(mem::replace(&mut *state, RepoState::Down { reason }));
        match open_or_create(&self.paths) {
            Ok((db, now_marked)) => {
                *state = RepoState::Open(db);
                *marked = now_marked;
                Ok(())
            }
            Err(error) => {
                let reason = format!("reopening failed ({error})");
                *state = RepoState::Down { reason };
                Err(error)
            }
        }
    }

    fn backup(&self, folder: &Path) -> Result<(), RepoError> {
        let _quiet = NoSignal::begin();
        fork::refuse_child()?;
        let _only = self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        self.reading().db()?;
        let lasting = &self.paths.lasting;
        let copy = Unfinished::begin(folder, lasting)?;
        let checkpoint = lasting.join(backup_target::CHECKPOINT);
        backup_target::clean(lasting);
        let made = self.checkpoint(&checkpoint).and_then(|reached| {
            let goes_on = || !self.ends.load(Ordering::SeqCst);
            copy.take_files(&checkpoint, &goes_on)?;
            // Read as at a start: one that does not open is no backup.
            let read = Use::begin()?;
            rocks_calls::verify(copy.path(), reached)?;
            drop(read);
            // The last: without it no keyward takes the copy for whole.
            marker::write(copy.path(), Marker::Ready(reached))
        });
        backup_target::clean(lasting);
        made.map_err(|error| self.paths.named(error))?;
        copy.finish()
    }

    fn close(&self) -> Result<(), RepoError> {
        let _quiet = NoSignal::begin();
        fork::refuse_child()?;
        self.ends.store(true, Ordering::SeqCst);
        let _no_backup = self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        let _use = Use::begin()?;
        let _marked = self.writer();
        let folder = self.check_folder();
        let ended = match mem::replace(&mut *self.changing(), RepoState::Closed) {
            RepoState::Closed => return Err(RepoError::Closed),
            RepoState::Down { .. } | RepoState::Lost { .. } => Ok(()),
            RepoState::Open(db) => rocks_calls::shut_down(db).map(|reached| {
                // A floor that stays too low is no error: everything is in the tables now.
                let _ = marker::write(&self.paths.lasting, Marker::Ready(reached));
            }),
        };
        drop(self.lock().take());
        folder.and(ended.map_err(|error| self.paths.named(error)))
    }
}

impl Drop for RocksDbRepo {
    fn drop(&mut self) {
        let _quiet = NoSignal::begin();
        let used = Use::begin();
        // Without locks: in a child of `fork()` the thread that held one is not there to free it.
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let state = mem::replace(state, RepoState::Closed);
        if used.is_ok() {
            drop(state);
        } else {
            // RocksDB would wait for threads that a child of `fork()` has not got, and is not touched
            // any more when the program ends. No other process may have the folder before this one is
            // gone.
            mem::forget(state);
            let lock = self.lock.get_mut().unwrap_or_else(PoisonError::into_inner);
            mem::forget(lock.take());
        }
    }
}

impl fmt::Debug for RocksDbRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RocksDbRepo")
            .field("folder", &self.paths.named)
            .finish_non_exhaustive()
    }
}
