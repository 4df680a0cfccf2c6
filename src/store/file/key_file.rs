//! A key file that is open: what it is, what is in it, and whether it stayed as it was.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, openat};

use crate::secret::value::{InvalidKey, SecretKeyValue};
use crate::store::buffer::{FULL_SIZE, LineEnd, ReadBuffer};
use crate::store::error::StoreError;
use crate::store::file::Reading;
use crate::store::file::credential::is_credential;
use crate::store::file::links::{FileTime, Location, NotFollowed, changed};

/// The permission bits of the group and of others.
const OTHERS: u32 = 0o077;

/// All permission bits.
const PERMISSIONS: u32 = 0o7777;

/// A key file that was opened.
pub(super) struct KeyFile {
    /// As it was named.
    path: PathBuf,
    location: Location,
    file: File,
    /// What the open file was at first.
    found: Metadata,
}

/// What tells one state of a key file from another: which file it is, its size and times, and when the
/// newest link on the way to it was put in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    written: (u64, i64, i64),
    changed: FileTime,
    placed: Option<FileTime>,
}

/// A folder that was opened, from which files are opened by their names only.
pub(super) struct Folder {
    folder: OwnedFd,
    path: PathBuf,
    is_of_proc: bool,
}

impl Folder {
    /// Opens the folder of a place.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn of(location: &Location) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, &location.folder, flags, Mode::empty())?;
        Ok(Self {
            is_of_proc: fstatfs(&folder)?.f_type == PROC_SUPER_MAGIC,
            path: location.folder.clone(),
            folder,
        })
    }

    /// Whether it is this place's folder.
    pub(super) fn is_of(&self, location: &Location) -> bool {
        self.path == location.folder
    }

    /// Opens a file of the folder, without waiting: a pipe without a writer would hold a plain
    /// open for ever. No link is followed, for that has been done.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn open(&self, path: &Path, location: Location) -> io::Result<KeyFile> {
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        flags.set(OFlags::NOFOLLOW, !self.is_of_proc);
        let file = File::from(openat(&self.folder, &location.name, flags, Mode::empty())?);
        Ok(KeyFile {
            found: file.metadata()?,
            path: path.to_owned(),
            location,
            file,
        })
    }
}

impl KeyFile {
    /// Refuses what is no file, and a file that is open to others.
    ///
    /// Asked of the open file and not of the path, which may name another file by now.
    pub(super) fn check(&self, reading: Reading) -> Result<(), StoreError> {
        let path = || self.path.clone();
        if !self.found.is_file() {
            return Err(StoreError::NotAFile { path: path() });
        }
        let mode = self.found.mode() & PERMISSIONS;
        let is_open = mode & OTHERS != 0;
        if is_open
            && !reading.shared_allowed
            && !is_credential(&self.location.folder, &self.file, &self.found)
        {
            return Err(StoreError::SharedFile { path: path(), mode });
        }
        Ok(())
    }

    /// Where it was found.
    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    /// When it was last changed before it was opened: written to, or put in its place.
    pub(super) fn changed(&self) -> FileTime {
        changed(&self.found)
    }

    /// The state that it was in when it was opened.
    pub(super) fn stamp(&self) -> Stamp {
        Stamp {
            file: (self.found.dev(), self.found.ino()),
            written: of_writing(&self.found),
            changed: self.changed(),
            placed: self.location.newest.map(|link| link.placed),
        }
    }

    /// Whether no path leads to it any more.
    pub(super) fn is_removed(&self) -> bool {
        self.found.nlink() == 0
    }

    /// Whether these are of this file too.
    pub(super) fn is(&self, facts: &Metadata) -> bool {
        self.found.dev() == facts.dev() && self.found.ino() == facts.ino()
    }

    /// Whether the file is as it was when it was opened, by its size and times. That it was removed
    /// since, or replaced by another one, changes nothing in it.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn is_as_it_was(&self) -> Result<bool, StoreError> {
        let now = self.file.metadata().map_err(|why| self.failure(why))?;
        let removed = now.nlink() < self.found.nlink();
        Ok(of_writing(&now) == of_writing(&self.found)
            && (removed || changed(&now) == self.changed()))
    }

    /// The key in it.
    ///
    /// # Errors
    /// What the system says; or, inside, what no key can be.
    pub(super) fn read(
        &self,
        line_end: LineEnd,
    ) -> Result<Result<SecretKeyValue, InvalidKey>, StoreError> {
        let bytes = usize::try_from(self.found.len()).unwrap_or(usize::MAX);
        if bytes >= FULL_SIZE {
            return Ok(Err(InvalidKey::TooLong { bytes }));
        }
        let buffer = self.read_to_end(bytes).map_err(|why| self.failure(why))?;
        let value = buffer.into_value(line_end);
        Ok(value.and_then(|value| value.check().map(|()| value)))
    }

    /// Reads to the file's end or to [`FULL_SIZE`]. The stated length is what is expected, not more:
    /// it is 0 for a file that its driver makes up as it is read, and the file may be growing.
    fn read_to_end(&self, stated: usize) -> io::Result<ReadBuffer> {
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
            match (&self.file).read(buffer.free()) {
                Ok(0) => return Ok(buffer),
                Ok(read) => buffer.advance(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn failure(&self, why: io::Error) -> StoreError {
        let at = self.path.clone();
        failure(&self.path, NotFollowed { at, why })
    }
}

/// The size, and the time of the last write.
fn of_writing(facts: &Metadata) -> (u64, i64, i64) {
    (facts.len(), facts.mtime(), facts.mtime_nsec())
}

/// The error of a key file that cannot be opened or read.
pub(super) fn failure(path: &Path, not_followed: NotFollowed) -> StoreError {
    let NotFollowed { at, why } = not_followed;
    if why.kind() == io::ErrorKind::NotFound {
        let what = match at == path {
            true => format!("the key file {}", path.display()),
            false => format!(
                "{}, to which the key file {} leads,",
                at.display(),
                path.display()
            ),
        };
        return StoreError::Missing { what };
    }
    StoreError::Io {
        path: path.to_owned(),
        cause: Arc::new(why),
    }
}
