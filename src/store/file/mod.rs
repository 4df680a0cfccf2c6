//! Keys from files.
//!
//! Never in here: a way to watch a key file. A file is looked at when it is asked for; `write` puts the new key
//! of a versioned key in its place.

mod credential;
mod key_file;
mod links;
mod look;
mod seen;
mod write;

use std::path::{self, PathBuf};
use std::sync::Arc;

use crate::store::buffer::LineEnd;
use crate::store::file::look::read_settled;
use crate::store::file::seen::Seen;
use crate::store::keys_store::{FetchResult, Fetching, KeysStore, StoreRequest, Swap};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// A store that reads one file, or two for a pair, each time it is asked.
///
/// One final line end (`\n` or `\r\n`) is not part of the key, unless [`exact`](Self::exact) says
/// so. A relative path counts from the folder in which this process is when the store is defined. A
/// file that does not exist is `store_failed`, an empty one `invalid_key`.
///
/// # Who else may read it
///
/// A file on which the group or others have any right is refused, unless
/// [`allow_shared_file`](Self::allow_shared_file) allows it. A symlink is followed, and its target
/// is what is looked at. A credential of systemd, below `/run/credentials`, is taken as it is: a file
/// of root's, in folders that only root changes, whose list of access gives rights to users alone and
/// so lets its mode look like 0440.
///
/// # Putting a new key in place
///
/// - **One file**: rename a finished file over it. The key is always whole then.
/// - **A pair**: have both paths lead through one link to a folder, as a mounted Kubernetes secret
///   does, and swap that link. Both halves are always of one folder then. Two files that are renamed
///   one after the other are not mixed if this is done within 100 ms, and may be mixed if it takes
///   longer.
/// - **In place**: a file is taken only if neither its size nor its times changed from when it was
///   opened until it was read, and for 100 ms before. So half a key is taken only from a program that
///   stops writing in the middle for longer. What no key can be, as an empty file, is told as such
///   only after 1 s without a change; a file that goes on changing is `store_failed` after about half
///   a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStore {
    /// One, or the forward half's and the back half's.
    paths: Vec<PathBuf>,
    reading: Reading,
    read_only: bool,
    seen: Arc<Seen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reading {
    line_end: LineEnd,
    shared_allowed: bool,
}

impl FileStore {
    /// A store of one value.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::of([path.into()])
    }

    /// A store of a pair: the forward half's file and the back half's.
    pub fn pair(forward: impl Into<PathBuf>, back: impl Into<PathBuf>) -> Self {
        Self::of([forward.into(), back.into()])
    }

    fn of<const N: usize>(paths: [PathBuf; N]) -> Self {
        Self {
            paths: paths.map(whole).into(),
            reading: Reading::default(),
            read_only: false,
            seen: Arc::default(),
        }
    }

    /// Every byte of the file belongs to the key, a final line end too.
    pub fn exact(mut self) -> Self {
        self.reading.line_end = LineEnd::Keep;
        self
    }

    /// Takes a file also if the group or others may read it. Say it only where the platform leaves
    /// no choice, as mounted Kubernetes secrets do (0644, or 0440 with `fsGroup`).
    pub fn allow_shared_file(mut self) -> Self {
        self.reading.shared_allowed = true;
        self
    }

    /// Never writes the file. A rotation of a key with versions then ends without putting its new key there, as
    /// where something else puts it in place: a mounted secret, or a tool of the program's own.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// What runs where a file may block.
    fn blocking(
        &self,
        run: impl FnOnce(&Seen, &[PathBuf], Reading) -> FetchResult + Send + 'static,
    ) -> Fetching {
        let (seen, paths, reading) = (Arc::clone(&self.seen), self.paths.clone(), self.reading);
        Fetching::blocking(move || run(&seen, &paths, reading))
    }
}

impl KeysStore for FileStore {
    fn fetch(&self, _request: &StoreRequest) -> Fetching {
        self.blocking(read_settled)
    }

    fn look(&self, _request: &StoreRequest) -> Option<Fetching> {
        (!self.read_only).then(|| self.blocking(write::look))
    }

    fn replace(&self, _request: &StoreRequest, swap: &Swap) -> Option<Fetching> {
        let swap = swap.clone();
        let replace = move |seen: &Seen, paths: &[PathBuf], reading| {
            write::replace(seen, paths, reading, &swap)
        };
        (!self.read_only).then(|| self.blocking(replace))
    }

    fn files(&self, _: AskedByKeyward) -> Vec<PathBuf> {
        self.paths.clone()
    }

    fn origin(&self, _: AskedByKeyward) -> StoreOrigin {
        StoreOrigin::File
    }

    fn source(&self, _: AskedByKeyward) -> String {
        named(&self.paths)
    }
}

/// The files as errors and events name them.
fn named(paths: &[PathBuf]) -> String {
    let names = paths.iter().map(|path| path.display().to_string());
    format!("the key file {}", names.collect::<Vec<_>>().join(" and "))
}

/// The path from the root, so that it means the same file whatever folder this process changes to.
fn whole(path: PathBuf) -> PathBuf {
    path::absolute(&path).unwrap_or(path)
}
