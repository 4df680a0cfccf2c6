//! Where a copy of the data folder is put: in a folder that is missing or empty, under another name
//! until it is whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::guard::fork::kept_file::try_lock;
use crate::repo::error::RepoError;
use crate::repo::failure::io_failure;

/// In the data folder, while a backup is made: links to RocksDB's files as they are at one moment.
pub(super) const CHECKPOINT: &str = "KEYWARD.backup";
/// RocksDB makes a checkpoint under this name first.
const UNFINISHED_CHECKPOINT: &str = "KEYWARD.backup.tmp";

const MOUNTED: &str = "a file system is mounted on it; name a folder below it";

/// So much is copied between two looks whether it is to go on.
const PIECE: usize = 1024 * 1024;

/// Removes what a backup that was interrupted has left in the data folder.
pub(super) fn clean(folder: &Path) {
    for name in [CHECKPOINT, UNFINISHED_CHECKPOINT] {
        // Most of the time there is none; one that stays is in the way of the next backup only.
        let _ = fs::remove_dir_all(folder.join(name));
    }
}

/// A copy under its preliminary name, beside its final one; removed unless it is finished.
pub(super) struct Unfinished {
    target: PathBuf,
    parent: PathBuf,
    path: PathBuf,
    /// Locked, so that two backups to one target do not meet.
    directory: File,
    finished: bool,
}

impl Unfinished {
    /// Checks the target of a backup of `folder`, and makes the folder for the copy, with mode 0700.
    pub(super) fn begin(target: &Path, folder: &Path) -> Result<Self, RepoError> {
        let target = final_path(target, folder)?;
        let refused = |why: &str| bad_target(&target, why);
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(refused("it has no name of its own; name a folder"));
        };
        let preliminary = format!(".{}.keyward-unfinished", name.to_string_lossy());
        let path = parent.join(preliminary);
        let busy = || refused("another backup to it is under way; wait for that one");
        let failed = |cause| io_failure("making the folder of the backup", &path, cause);
        if let Err(error) = DirBuilder::new().mode(0o700).create(&path) {
            // One that was interrupted has left it, or it is still being made.
            if error.kind() != ErrorKind::AlreadyExists {
                return Err(failed(error));
            }
            let left = open_folder(&path).map_err(failed)?;
            if !try_lock(&left).map_err(failed)? {
                return Err(busy());
            }
            fs::remove_dir_all(&path).map_err(failed)?;
            DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .map_err(failed)?;
        }
        let directory = open_folder(&path).map_err(failed)?;
        let is_mine = try_lock(&directory).map_err(failed)?
            && same(&directory.metadata().map_err(failed)?, &path).map_err(failed)?;
        if !is_mine {
            return Err(busy());
        }
        Ok(Self {
            parent: parent.to_owned(),
            target,
            path,
            directory,
            finished: false,
        })
    }

    /// Where the copy is for now.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts every file of a folder here, durably: as a second name of the same file where the file
    /// system can do that, else as a copy. The files must not change any more.
    pub(super) fn take_files(
        &self,
        from: &Path,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), RepoError> {
        let failed = |cause| io_failure("listing the files for a backup", from, cause);
        for entry in fs::read_dir(from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let to = self.path.join(entry.file_name());
            let taken = take_file(&entry.path(), &to, goes_on);
            if !taken.map_err(|cause| io_failure("copying to a backup", &to, cause))? {
                return Err(RepoError::Closed);
            }
        }
        Ok(())
    }

    /// Gives the copy its final name, durably.
    pub(super) fn finish(mut self) -> Result<(), RepoError> {
        let target = &self.target;
        let failed = |cause| io_failure("naming the backup", target, cause);
        sync_folder(&self.path).map_err(failed)?;
        fs::rename(&self.path, target).map_err(|cause| match cause.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => not_empty(target),
            ErrorKind::ResourceBusy => bad_target(target, MOUNTED),
            _ => failed(cause),
        })?;
        self.finished = true;
        sync_folder(&self.parent).map_err(failed)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // By name, because a child that is just being started may have the folder open for a moment longer.
        let _ = self.directory.unlock();
        if !self.finished {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The path of a target without links; its parents are there.
fn final_path(target: &Path, folder: &Path) -> Result<PathBuf, RepoError> {
    let failed = |cause| io_failure("looking at the target of a backup", target, cause);
    let path = std::path::absolute(target).map_err(failed)?;
    refuse_inside(&path, folder)
        .map_err(failed)?
        .ok_or_else(|| {
            bad_target(
                target,
                "it is in the data folder itself; name a folder elsewhere",
            )
        })?;
    match fs::symlink_metadata(&path) {
        Ok(_) => {
            let path = fs::canonicalize(&path).map_err(failed)?;
            match fs::read_dir(&path).map(|mut entries| entries.next().is_none()) {
                Ok(true) if is_mount_point(&path).map_err(failed)? => {
                    Err(bad_target(target, MOUNTED))
                }
                Ok(true) => Ok(path),
                Ok(false) => Err(not_empty(target)),
                Err(error) if error.kind() == ErrorKind::NotADirectory => Err(bad_target(
                    target,
                    "it is no folder; name one that is missing or empty",
                )),
                Err(error) => Err(failed(error)),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(bad_target(
                    target,
                    "it has no name of its own; name a folder",
                ));
            };
            let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
            made.map_err(failed)?;
            Ok(fs::canonicalize(parent).map_err(failed)?.join(name))
        }
        Err(error) => Err(failed(error)),
    }
}

/// None where a path, or the part of it that is there, is in the folder or is it.
fn refuse_inside(path: &Path, folder: &Path) -> io::Result<Option<()>> {
    let folder = fs::metadata(folder)?;
    let there = path
        .ancestors()
        .find_map(|part| fs::canonicalize(part).ok());
    for part in there.unwrap_or_default().ancestors() {
        if same(&folder, part)? {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

fn same(found: &fs::Metadata, path: &Path) -> io::Result<bool> {
    let there = fs::metadata(path)?;
    Ok((there.dev(), there.ino()) == (found.dev(), found.ino()))
}

/// Whether another file system begins at a folder: nothing can be renamed onto it.
fn is_mount_point(folder: &Path) -> io::Result<bool> {
    let above = folder.parent().unwrap_or(folder);
    Ok(fs::metadata(folder)?.dev() != fs::metadata(above)?.dev())
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Answers false where it was not to go on.
fn take_file(from: &Path, to: &Path, goes_on: &dyn Fn() -> bool) -> io::Result<bool> {
    if !goes_on() {
        return Ok(false);
    }
    if fs::hard_link(from, to).is_ok() {
        File::open(to)?.sync_all()?;
        return Ok(true);
    }
    let mut cause = File::open(from)?;
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = match cause.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        copy.write_all(piece.get(..read).unwrap_or_default())?;
        if !goes_on() {
            return Ok(false);
        }
    }
    copy.sync_all().map(|()| true)
}

fn not_empty(target: &Path) -> RepoError {
    bad_target(
        target,
        "it is not empty; name a folder that is missing or empty",
    )
}

fn bad_target(target: &Path, why: &str) -> RepoError {
    RepoError::BackupTarget {
        target: target.to_owned(),
        why: why.to_owned(),
    }
}
