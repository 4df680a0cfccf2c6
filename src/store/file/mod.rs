//! Keys from files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use crate::secret::value::{InvalidKey, SecretKeyPair, SecretKeyValue, SecretKeys};
use crate::store::buffer::{FULL_SIZE, LineEnd, ReadBuffer};
use crate::store::error::StoreError;
use crate::store::keys_store::{Fetched, Fetching, KeysStore, StoreRequest};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// The permission bits of the group and of others.
const OTHERS: u32 = 0o077;

/// All permission bits.
const PERMISSIONS: u32 = 0o7777;

/// A store that reads one file, or two for a pair, each time it is asked.
///
/// One final line end (`\n` or `\r\n`) is not part of the key, unless [`exact`](Self::exact) says
/// so. A file on which the group or others have any right is refused, unless
/// [`allow_shared_file`](Self::allow_shared_file) allows it. A symlink is followed, and its target
/// is what is looked at. A relative path counts from the folder in which this process is when the
/// store is defined. A file that does not exist is `store_failed`, an empty one `invalid_key`.
///
/// Put a new key in place by renaming a finished file over the old one: a file that is rewritten in
/// place can be read half written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStore {
    paths: Paths,
    reading: Reading,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Paths {
    One(PathBuf),
    Two { forward: PathBuf, back: PathBuf },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reading {
    line_end: LineEnd,
    shared_allowed: bool,
}

impl FileStore {
    /// A store of one value.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::of(Paths::One(whole(path.into())))
    }

    /// A store of a pair: the forward half's file and the back half's.
    pub fn pair(forward: impl Into<PathBuf>, back: impl Into<PathBuf>) -> Self {
        Self::of(Paths::Two {
            forward: whole(forward.into()),
            back: whole(back.into()),
        })
    }

    fn of(paths: Paths) -> Self {
        Self {
            paths,
            reading: Reading::default(),
        }
    }

    /// Every byte of the file belongs to the key, a final line end too.
    pub fn exact(mut self) -> Self {
        self.reading.line_end = LineEnd::Keep;
        self
    }

    /// Takes a file also if the group or others may read it. Say it only where the platform leaves
    /// no choice, as some mounted volumes do.
    pub fn allow_shared_file(mut self) -> Self {
        self.reading.shared_allowed = true;
        self
    }
}

impl KeysStore for FileStore {
    fn fetch(&self, _request: &StoreRequest) -> Fetching {
        let Self { paths, reading } = self.clone();
        Fetching::blocking(move || read_all(&paths, reading))
    }

    fn origin(&self, _: AskedByKeyward) -> StoreOrigin {
        StoreOrigin::File
    }
}

/// The path from the root, so that it means the same file whatever folder this process changes to.
fn whole(path: PathBuf) -> PathBuf {
    path::absolute(&path).unwrap_or(path)
}

fn read_all(paths: &Paths, reading: Reading) -> Fetched {
    match paths {
        Paths::One(path) => read_value(path, reading).map(SecretKeys::from),
        Paths::Two { forward, back } => {
            let forward = read_value(forward, reading)?;
            Ok(SecretKeyPair::new(forward, read_value(back, reading)?).into())
        }
    }
}

fn read_value(path: &Path, reading: Reading) -> Result<SecretKeyValue, StoreError> {
    let failed = |source| failure(path, source);
    let file = open(path).map_err(failed)?;
    // Asked of the open file and not of the path, which may name another file by now.
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() {
        return Err(StoreError::NotAFile {
            path: path.to_owned(),
        });
    }
    let mode = facts.mode() & PERMISSIONS;
    if mode & OTHERS != 0 && !reading.shared_allowed {
        return Err(StoreError::SharedFile {
            path: path.to_owned(),
            mode,
        });
    }
    let bytes = usize::try_from(facts.len()).unwrap_or(usize::MAX);
    if bytes >= FULL_SIZE {
        return Err(InvalidKey::TooLong { bytes }.into());
    }
    let buffer = read_to_end(&file, bytes).map_err(failed)?;
    Ok(buffer.into_value(reading.line_end)?)
}

/// Opens without waiting: a pipe that nobody writes to would hold a plain open for ever.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// Reads to the file's end or to [`FULL_SIZE`]. The stated length is what is expected, not more: it
/// is 0 for a file that its driver makes up as it is read, and the file may be growing.
fn read_to_end(mut file: &File, stated: usize) -> io::Result<ReadBuffer> {
    let mut buffer = ReadBuffer::of_size(match stated {
        0 => FULL_SIZE,
        bytes => bytes + 1,
    });
    loop {
        if buffer.is_full() {
            if buffer.filled().len() >= FULL_SIZE {
                return Ok(buffer);
            }
            buffer = buffer.moved_to_size(FULL_SIZE);
        }
        match file.read(buffer.free()) {
            Ok(0) => return Ok(buffer),
            Ok(read) => buffer.advance(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn failure(path: &Path, source: io::Error) -> StoreError {
    if source.kind() == io::ErrorKind::NotFound {
        return StoreError::Missing {
            what: format!("the key file {}", path.display()),
        };
    }
    StoreError::Io {
        path: path.to_owned(),
        source: Arc::new(source),
    }
}
