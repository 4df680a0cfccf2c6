//! The threads of RocksDB, started where their refusal is an error; see `rocks_threads.cc`.

use std::ffi::c_int;
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::repo::error::RepoError;

/// Whether they run; they never end before the process does.
static RUN: Mutex<bool> = Mutex::new(false);

/// Starts what RocksDB needs, if that was not done before.
///
/// # Errors
/// [`RepoError::NoThread`] where the system refuses one.
pub(super) fn start() -> Result<(), RepoError> {
    let mut run = RUN.lock().unwrap_or_else(PoisonError::into_inner);
    if !*run {
        start_all().map_err(|cause| RepoError::NoThread { cause })?;
        *run = true;
    }
    Ok(())
}

#[expect(
    unsafe_code,
    reason = "only C++ can catch what RocksDB throws where a thread is refused"
)]
fn start_all() -> io::Result<()> {
    unsafe extern "C" {
        fn keyward_start_rocksdb_threads() -> c_int;
    }
    // SAFETY: it takes nothing, answers a number, lets no exception out, and the lock of the caller
    // keeps it from being called twice at once.
    match unsafe { keyward_start_rocksdb_threads() } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}
