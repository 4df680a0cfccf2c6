//! The lock beside the socket: only its holder makes, replaces and removes the socket's file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::guard::fork;
use crate::guard::fork::kept_file::KeptFile;
use crate::repo::error::Holder;

/// More than a process id needs.
const LONGEST: u64 = 32;

/// The lock on a socket's path, held until it is dropped. No child of `fork()` has a part in it.
#[derive(Debug)]
pub struct SocketLock {
    file: KeptFile,
}

/// The lock, or the process that has it.
pub enum Locked {
    Here(SocketLock),
    ByOther(Option<Holder>),
}

impl SocketLock {
    /// Takes the lock, if it is free.
    pub fn take(socket: &Path) -> io::Result<Locked> {
        fork::watch()?;
        let path = beside(socket);
        let file = KeptFile::open_or_make(&path)?;
        if !file.try_lock()? {
            return Ok(Locked::ByOther(file.with(holder).ok().flatten()));
        }
        let lock = Self { file };
        // The number is a courtesy to others: a full disk must not keep the socket from being served.
        let _ = lock.file.with(|mut file| {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        });
        Ok(Locked::Here(lock))
    }
}

impl Drop for SocketLock {
    fn drop(&mut self) {
        if fork::is_child() {
            return;
        }
        // Emptied first, so that the next holder is never taken for this one. The file stays: were it removed,
        // two processes could each lock one of this name.
        let _ = self.file.with(|file| file.set_len(0));
        self.file.unlock();
    }
}

/// Where the lock of this socket is.
fn beside(socket: &Path) -> PathBuf {
    let mut path = OsString::from(socket);
    path.push(".lock");
    path.into()
}

fn holder(mut file: &File) -> io::Result<Option<Holder>> {
    let mut text = String::new();
    (&mut file).take(LONGEST).read_to_string(&mut text)?;
    let pid = text.trim_end().parse().ok();
    Ok(pid.map(Holder::of_process))
}
