//! What a child after `fork()` may not do: it has none of keyward's threads, its copies of locks may be
//! held for ever, and locks on files belong to its parent.
//!
//! A child that is forked after the first [`watch`] knows that it is one and has closed every
//! [`KeptFile`] and every descriptor that is [`Kept`], so that a lock on such a file ends with the process that took
//! it, and so does a socket. A child that execs at once notices nothing.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};

use crate::secret::visible::debug_with_code;

/// How often this process or one of its parents was forked since keyward was first used.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Files that no child keeps, under their numbers.
static FILES: Mutex<Files> = Mutex::new(Files {
    next: 0,
    open: BTreeMap::new(),
    of_others: BTreeSet::new(),
});

struct Files {
    next: u64,
    open: BTreeMap<u64, File>,
    /// Open descriptors that belong to something else.
    of_others: BTreeSet<RawFd>,
}

thread_local! {
    /// Held by the thread that forks, so that the files are whole in the child.
    static WHILE_FORKING: Cell<Option<MutexGuard<'static, Files>>> = const { Cell::new(None) };
}

/// What keyward answers in a child of `fork()`, code `forked`.
///
/// It is the fault of the program: it has to start keyward in the child and not before, or to run the
/// child's program by exec.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process was forked from one that uses keyward, whose threads are not in it; start keyward \
     after the fork and not before, or exec"
)]
pub struct Forked;

debug_with_code!(Forked);

impl Forked {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "forked"
    }
}

/// Whether this process is the child of one that used keyward before it forked: an atomic read.
pub fn is_child() -> bool {
    FORKS.load(Ordering::Relaxed) > 0
}

/// Fails in a child of `fork()`.
///
/// # Errors
/// [`Forked`].
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

/// Has a child of `fork()` that calls `exit` skip all exit handlers that were registered before this
/// call. RocksDB's destructors are among those, and would wait for threads that a child has not got.
/// Handlers that are registered later run in a child too, and files of the C library are flushed.
///
/// Further calls with the same `moment` do nothing.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "only the C library's handlers run at that time")]
pub fn end_children_here(moment: &Once) {
    // SAFETY: the function lives as long as the program and does not unwind. Where there is no memory
    // for it, a child ends as it would without.
    moment.call_once(|| {
        let _refused = unsafe { on_exit(at_exit, std::ptr::null_mut()) };
    });
}

/// Other C libraries than GNU's do not tell a handler the status that the process ends with.
#[cfg(not(target_env = "gnu"))]
pub fn end_children_here(_: &Once) {}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the crate libc does not have it")]
unsafe extern "C" {
    fn on_exit(
        handler: extern "C" fn(libc::c_int, *mut libc::c_void),
        argument: *mut libc::c_void,
    ) -> libc::c_int;
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "they are functions of the C library")]
extern "C" fn at_exit(status: libc::c_int, _: *mut libc::c_void) {
    if is_child() {
        // SAFETY: null is every open file; and a handler may end the process.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(status)
        }
    }
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

/// An open file that no child of `fork()` keeps open. Closed when it is dropped.
#[derive(Debug)]
pub struct KeptFile {
    number: u64,
}

impl KeptFile {
    /// Opens a file. No fork happens meanwhile, so that no child has it.
    ///
    /// # Errors
    /// What `open` answers.
    pub fn open(open: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        let mut files = files();
        let file = open()?;
        files.next += 1;
        let number = files.next;
        files.open.insert(number, file);
        Ok(Self { number })
    }

    /// Does something quick with the file.
    ///
    /// # Errors
    /// [`Forked`] in a child, which has it no more; what `f` answers.
    pub fn with<T>(&self, f: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        refuse_child().map_err(io::Error::other)?;
        match files().open.get(&self.number) {
            Some(file) => f(file),
            None => Err(io::Error::other(Forked)),
        }
    }
}

/// While it lives no fork happens: what is opened meanwhile can be kept from every child.
pub struct Opening(MutexGuard<'static, Files>);

/// Begins to open something that is to be kept from the children of `fork()`. It must be quick.
pub fn opening() -> Opening {
    Opening(files())
}

impl Opening {
    /// Has every child close this descriptor. What is answered has to be dropped before its owner closes it.
    pub fn keep(&mut self, descriptor: &impl AsRawFd) -> Kept {
        let descriptor = descriptor.as_raw_fd();
        self.0.of_others.insert(descriptor);
        Kept { descriptor }
    }
}

/// A descriptor that belongs to something else, and that no child of `fork()` keeps open.
#[derive(Debug)]
pub struct Kept {
    descriptor: RawFd,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !is_child() {
            files().of_others.remove(&self.descriptor);
        }
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        if is_child() {
            return;
        }
        let file = files().open.remove(&self.number);
        drop(file);
    }
}
