//! All that calls RocksDB to open, check and shut down a database, and what it is told.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Once;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, DB, DBCompressionType, DBRawIterator, DBRecoveryMode,
    FlushOptions, InfoLogger, LogLevel, Options, ReadOptions, WriteBatch,
};

use crate::guard::fork::exit::end_children_here;
use crate::repo::batch::{Batch, Operation, Precondition};
use crate::repo::error::RepoError;
use crate::repo::failure::failure;
use crate::repo::files;
use crate::repo::log_check;
use crate::repo::marker::Reached;
use crate::repo::program_end;
use crate::repo::space::Space;
use crate::repo::state_repo::Visitor;

/// When a space has so much unflushed, all are flushed.
const WRITE_BUFFER_BYTES: usize = 4 * 1024 * 1024;
const LOG_BYTES: u64 = 16 * 1024 * 1024;
const CACHE_BYTES: usize = 8 * 1024 * 1024;
const MANIFEST_BYTES: usize = 1024 * 1024;
const OPEN_FILES: i32 = 256;
/// More than an opening takes of the process's address space; it gives most of that back.
const OPENING_BYTES: usize = 128 * 1024 * 1024;

/// Has RocksDB make its global objects, before the first use; the program's end waits before it comes to
/// their destructors, and a child of `fork()` never comes to them.
pub(super) fn before_the_first_use(folder: &Path) -> Result<(), RepoError> {
    static MOMENT: Once = Once::new();
    static OF_PARENT: Once = Once::new();
    find_memory(folder)?;
    drop(Options::default());
    program_end::wait_here(&OF_PARENT);
    end_children_here(&MOMENT);
    Ok(())
}

/// RocksDB ends the process where an opening finds no memory, so it is looked for before.
fn find_memory(folder: &Path) -> Result<(), RepoError> {
    let found = Vec::<u8>::new().try_reserve_exact(OPENING_BYTES);
    found.map_err(|cause| RepoError::Failed {
        action: format!(
            "finding {} MiB of memory to open the database in {}; raise what limits it (`ulimit -v`)",
            OPENING_BYTES / 1024 / 1024,
            folder.display()
        ),
        cause: Box::new(cause),
    })
}

/// The same for the global objects that the first opening makes.
pub(super) fn after_the_first_opening() {
    static MOMENT: Once = Once::new();
    static OF_PARENT: Once = Once::new();
    program_end::wait_here(&OF_PARENT);
    end_children_here(&MOMENT);
}

/// Creates a database, or finishes the creation of one that a crash interrupted.
pub(super) fn create(folder: &Path) -> Result<DB, RepoError> {
    let (mut options, spaces) = layout(folder)?;
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    DB::open_cf_with_opts(&options, folder, spaces)
        .map_err(|error| failure("creating the database", folder, error))
}

/// Opens a database that [`verify`] has found whole.
pub(super) fn open(folder: &Path) -> Result<DB, RepoError> {
    let (options, spaces) = layout(folder)?;
    DB::open_cf_with_opts(&options, folder, spaces)
        .map_err(|error| failure("opening the database", folder, error))
}

/// Reads everything but the history once and changes nothing: opening a database for writing would
/// already move what is left of a damaged log into new files.
pub(super) fn verify(folder: &Path, reached: Reached) -> Result<(), RepoError> {
    files::check_manifest(folder, reached)?;
    for log in files::numbered(folder, "log")? {
        log_check::check(&log)?;
    }
    let db = open_to_read(folder)?;
    for space in Space::ALL.into_iter().filter(|s| *s != Space::History) {
        scan(&db, space, b"", None, false, &mut |_, _| {
            ControlFlow::Continue(())
        })?;
    }
    let (found, wanted) = (db.latest_sequence_number(), reached.history);
    if found < wanted {
        return Err(RepoError::Damaged {
            file: folder.to_owned(),
            what: format!("its history ends at write {found} and had come to write {wanted}"),
        });
    }
    Ok(())
}

/// Opens a database that is not written to: what is only in its log is read into memory.
pub(super) fn open_to_read(folder: &Path) -> Result<DB, RepoError> {
    let (options, spaces) = layout(folder)?;
    DB::open_cf_with_opts_for_read_only(&options, folder, spaces, false)
        .map_err(|error| failure("opening the database", folder, error))
}

/// How far the database has come. What this says is durable: the manifest was synced for it.
pub(super) fn reached(db: &DB) -> Result<Reached, RepoError> {
    files::sync_manifest(db.path(), db.latest_sequence_number())
}

/// Makes a folder in which RocksDB's files are as they are now: tables by a second name, which is
/// durable and takes no room, and copies of the others. The log is moved into tables before.
pub(super) fn checkpoint(db: &DB, folder: &Path) -> Result<(), RepoError> {
    Checkpoint::new(db)
        .and_then(|checkpoint| checkpoint.create_checkpoint(folder))
        .map_err(|error| failure("making a checkpoint of the database", db.path(), error))
}

/// Moves everything from the log into tables, stops RocksDB, and answers how far it has come.
pub(super) fn shut_down(db: DB) -> Result<Reached, RepoError> {
    let mut flush = FlushOptions::default();
    flush.set_wait(true);
    let families = Space::ALL
        .into_iter()
        .map(|space| family(&db, space))
        .collect::<Result<Vec<_>, _>>()?;
    let flushed = db.flush_cfs_opt(&families.iter().collect::<Vec<_>>(), &flush);
    db.cancel_all_background_work(true);
    flushed.map_err(|error| failure("flushing the database", db.path(), error))?;
    reached(&db)
}

/// The value under a key.
pub(super) fn read(db: &DB, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
    db.get_cf(family(db, space)?, key)
        .map_err(|error| failure("reading the database", db.path(), error))
}

/// Whether a precondition holds; the error where it does not.
pub(super) fn check(db: &DB, wanted: &Precondition) -> Result<(), RepoError> {
    if read(db, wanted.space, &wanted.key)? == wanted.expected {
        return Ok(());
    }
    Err(RepoError::PreconditionFailed {
        space: wanted.space,
    })
}

/// Shows every key with this prefix that is above `after`, in order. The cache is not filled by a scan
/// of everything.
pub(super) fn scan(
    db: &DB,
    space: Space,
    prefix: &[u8],
    after: Option<&[u8]>,
    fill_cache: bool,
    visit: Visitor<'_>,
) -> Result<(), RepoError> {
    let mut found = iterator(db, space, fill_cache)?;
    found.seek(after.map_or(prefix, |after| after.max(prefix)));
    if after.is_some() && found.key() == after {
        found.next();
    }
    while let Some((key, value)) = found.item() {
        if !key.starts_with(prefix) || visit(key, value).is_break() {
            break;
        }
        found.next();
    }
    checked(db, &found)
}

/// Shows every key with this prefix that is below `before`, in descending order.
pub(super) fn scan_back(
    db: &DB,
    space: Space,
    prefix: &[u8],
    before: Option<&[u8]>,
    visit: Visitor<'_>,
) -> Result<(), RepoError> {
    let mut found = iterator(db, space, false)?;
    let ends = [before.map(<[u8]>::to_vec), end_of(prefix)];
    let end = ends.into_iter().flatten().min();
    match &end {
        Some(end) => found.seek_for_prev(end),
        None => found.seek_to_last(),
    }
    if end.is_some() && found.key() == end.as_deref() {
        found.prev();
    }
    while let Some((key, value)) = found.item() {
        if !key.starts_with(prefix) || visit(key, value).is_break() {
            break;
        }
        found.prev();
    }
    checked(db, &found)
}

/// The first key behind all keys with this prefix, unless there is none.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end)
}

fn iterator(db: &DB, space: Space, fill_cache: bool) -> Result<DBRawIterator<'_>, RepoError> {
    let mut reading = ReadOptions::default();
    reading.set_verify_checksums(true);
    reading.fill_cache(fill_cache);
    reading.set_total_order_seek(true);
    Ok(db.raw_iterator_cf_opt(family(db, space)?, reading))
}

/// An iterator that met damage is at its end as well; only its status tells.
fn checked(db: &DB, found: &DBRawIterator<'_>) -> Result<(), RepoError> {
    found
        .status()
        .map_err(|error| failure("reading the database", db.path(), error))
}

/// A batch as RocksDB takes it.
pub(super) fn write_batch(db: &DB, batch: &Batch) -> Result<WriteBatch, RepoError> {
    let mut writes = WriteBatch::default();
    for operation in batch.operations() {
        match operation {
            Operation::Put { space, key, value } => {
                writes.put_cf(family(db, *space)?, key, value);
            }
            Operation::Delete { space, key } => {
                writes.delete_cf(family(db, *space)?, key);
            }
        }
    }
    Ok(writes)
}

pub(super) fn family(db: &DB, space: Space) -> Result<&ColumnFamily, RepoError> {
    db.cf_handle(space.name())
        .ok_or_else(|| RepoError::Damaged {
            file: db.path().to_owned(),
            what: format!("the space `{space}` is missing"),
        })
}

/// The options of the database, and each space with its own.
fn layout(folder: &Path) -> Result<Layout, RepoError> {
    find_memory(folder)?;
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    let spaces = Space::ALL.map(|space| (space.name(), options(&cache, Options::default())));
    // After a flush that failed RocksDB would start a thread to repair itself, which the system may
    // refuse, and would go on behind the repo's back. keyward closes it and opens it anew.
    let of_database = Options::default()
        .get_options_from_string("max_bgerror_resume_count=0")
        .map_err(|error| failure("setting up the database", folder, error))?;
    Ok((options(&cache, of_database), spaces.into()))
}

type Layout = (Options, Vec<(&'static str, Options)>);

fn options(cache: &Cache, mut options: Options) -> Options {
    // What is written is sealed, and does not compress.
    options.set_compression_type(DBCompressionType::None);
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_paranoid_checks(true);
    // A log that is missing, or shorter than it was when it was full, is an error at the start.
    options.set_track_and_verify_wals_in_manifest(true);
    // A flush moves all spaces or none, so that a manifest that lost its end shows it.
    options.set_atomic_flush(true);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(2);
    options.set_max_total_wal_size(LOG_BYTES);
    options.set_max_manifest_file_size(MANIFEST_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_file_opening_threads(1);
    options.set_max_background_jobs(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_skip_stats_update_on_db_open(true);
    // No LOG file: it could quote keys, and a damaged folder stays as it is. What matters comes
    // back as an error.
    options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| ()));
    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(cache);
    options.set_block_based_table_factory(&tables);
    options
}
