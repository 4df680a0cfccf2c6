//! Open files that no child of `fork()` keeps open, because a lock is on them.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

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

impl Drop for KeptFile {
    fn drop(&mut self) {
        if is_child() {
            return;
        }
        // It is closed before the next fork.
        drop(files().open.remove(&self.descriptor));
    }
}
