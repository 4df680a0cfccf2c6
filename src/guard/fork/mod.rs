//! What a child after `fork()` may not do: it has none of keyward's threads, its copies of locks may be
//! held for ever, and locks on files belong to its parent.
//!
//! A child that is forked after the first [`watch`] knows that it is one and has closed every
//! [`KeptFile`](kept_file::KeptFile) and every [`KeptDescriptor`](kept_descriptor::KeptDescriptor), so that a lock on such a file ends with the process that took
//! it, and so does a socket. A child that execs at once notices nothing.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

#[cfg(feature = "embedded")]
use crate::guard::forked::Forked;

#[cfg(feature = "embedded")]
pub mod exit;
#[cfg(feature = "server")]
pub mod kept_descriptor;
#[cfg(feature = "embedded")]
pub mod kept_file;

/// How often this process or one of its parents was forked since keyward was first used.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Files that no child keeps, by their descriptors.
static FILES: Mutex<Files> = Mutex::new(Files {
    open: BTreeMap::new(),
    of_others: BTreeSet::new(),
});

struct Files {
    open: BTreeMap<RawFd, File>,
    /// Open descriptors that belong to something else.
    of_others: BTreeSet<RawFd>,
}

thread_local! {
    /// Held by the thread that forks, so that the files are whole in the child.
    static WHILE_FORKING: Cell<Option<MutexGuard<'static, Files>>> = const { Cell::new(None) };
}

/// Whether this process is the child of one that used keyward before it forked: an atomic read.
#[cfg(feature = "embedded")]
pub fn is_child() -> bool {
    FORKS.load(Ordering::Relaxed) > 0
}

/// Fails in a child of `fork()`.
///
/// # Errors
/// [`Forked`].
#[cfg(feature = "embedded")]
pub fn refuse_child() -> Result<(), Forked> {
    if is_child() { Err(Forked) } else { Ok(()) }
}

/// The process that something was made in. A child may make its own after the fork.
#[cfg(feature = "client")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home {
    forks: u32,
}

#[cfg(feature = "client")]
impl Home {
    /// This process.
    pub fn here() -> Self {
        Self {
            forks: FORKS.load(Ordering::Relaxed),
        }
    }

    /// Whether this process is a child of that one.
    pub fn is_left(self) -> bool {
        self != Self::here()
    }
}

/// Has every later `fork()` of this process noticed in its child. Further calls do nothing.
///
/// # Errors
/// Where there is no memory for it.
pub fn watch() -> io::Result<()> {
    static WATCHED: OnceLock<i32> = OnceLock::new();
    match *WATCHED.get_or_init(register) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

#[expect(unsafe_code, reason = "only the C library knows of a fork")]
fn register() -> i32 {
    // SAFETY: the three functions live as long as the program and do not unwind.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) }
}

extern "C" fn before() {
    let files = files();
    let _at_the_threads_end = WHILE_FORKING.try_with(|held| held.set(Some(files)));
}

extern "C" fn in_parent() {
    let _at_the_threads_end = WHILE_FORKING.try_with(Cell::take);
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    let held = WHILE_FORKING.try_with(Cell::take).ok().flatten();
    if let Some(mut files) = held {
        files.open.clear();
        std::mem::take(&mut files.of_others)
            .into_iter()
            .for_each(close);
    }
}

#[expect(
    unsafe_code,
    reason = "what owns the descriptor is used by threads that a child has not got"
)]
fn close(descriptor: RawFd) {
    // SAFETY: it was open in the parent, which took it out of the set before it closed it, and nothing in the child
    // uses it.
    let _ = unsafe { libc::close(descriptor) };
}

fn files() -> MutexGuard<'static, Files> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}
