//! Open files that no child of `fork()` keeps open, because a lock is on them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{files, is_child, refuse_child};
use crate::guard::forked::Forked;

/// An open file that no child of `fork()` keeps open. Closed when it is dropped.
#[derive(Debug)]
pub struct KeptFile {
    descriptor: RawFd,
}

impl KeptFile {
    /// Opens a file. No fork happens meanwhile, so that no child has it.
    ///
    /// # Errors
    /// What `open` answers.
    pub fn open(open: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        let mut files = files();
        let file = open()?;
        let descriptor = file.as_raw_fd();
        files.open.insert(descriptor, file);
        Ok(Self { descriptor })
    }

    /// Opens the file that a lock is taken on; where it is missing it is made, for its owner alone. A link is not
    /// followed.
    ///
    /// # Errors
    /// What `open` answers.
    pub fn open_or_make(path: &Path) -> io::Result<Self> {
        Self::open(|| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)
        })
    }

    /// Locks the file, unless another open one of it has the lock: then it is false.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn try_lock(&self) -> io::Result<bool> {
        self.with(try_lock)
    }

    /// Unlocks the file. Its end would do that too, but for a child that is just being started and may have the file
    /// open for a moment longer.
    pub fn unlock(&self) {
        let _ = self.with(File::unlock);
    }

    /// Does something quick with the file.
    ///
    /// # Errors
    /// [`Forked`] in a child, which has it no more; what `f` answers.
    pub fn with<T>(&self, f: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        refuse_child().map_err(io::Error::other)?;
        match files().open.get(&self.descriptor) {
            Some(file) => f(file),
            None => Err(io::Error::other(Forked)),
        }
    }
}

/// Locks a file, unless another open one of it has the lock: then it is false.
///
/// # Errors
/// What the system answers.
pub fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        if is_child() {
            return;
        }
        // It is closed before the next fork.
        drop(files().open.remove(&self.descriptor));
    }
}
