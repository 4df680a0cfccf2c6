//! keyward's own lock, on the data folder and on a file in it: it is held as long as a repo is, also
//! while RocksDB is closed, and names its holder to a process that comes second.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::guard::fork;
use crate::guard::fork::kept_file::KeptFile;
use crate::repo::error::RepoError;
use crate::repo::failure::io_failure;
use crate::repo::holder::{self, Identity, held};
use crate::repo::paths::Paths;

pub(super) const LOCK_FILE: &str = "keyward.lock";

/// The lock, held until it is dropped.
///
/// It is an `flock`, which belongs to the open file: a second opener in the same process is kept
/// out too, and no other open of the file gives it up by accident. The one on the folder keeps
/// others out where the lock file was removed; the one on the file keeps out an earlier keyward,
/// which locks the file only. No child of `fork()` has a part in either.
#[derive(Debug)]
pub(super) struct FolderLock {
    paths: Paths,
    directory: KeptFile,
    file: KeptFile,
    folder_is: Identity,
    file_is: Identity,
}

impl FolderLock {
    pub(super) fn take(folder: &Path) -> Result<Self, RepoError> {
        fork::refuse_child()?;
        let failed = |cause| io_failure("locking the data folder", folder, cause);
        fork::watch().map_err(failed)?;
        let mut lasting = PathBuf::new();
        let directory = KeptFile::open(|| {
            let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
            let opened = OpenOptions::new()
                .read(true)
                .custom_flags(flags)
                .open(folder)?;
            lasting = PathBuf::from(format!("/proc/thread-self/fd/{}", opened.as_raw_fd()));
            Ok(opened)
        });
        let directory = directory.map_err(failed)?;
        let folder_is = directory.with(Identity::of).map_err(failed)?;
        if !directory.try_lock().map_err(failed)? {
            return Err(already_open(folder, folder_is));
        }
        let path = folder.join(LOCK_FILE);
        let failed = |cause| io_failure("opening the lock file", &path, cause);
        let file = KeptFile::open_or_make(&path).map_err(failed)?;
        let file_is = file.with(Identity::of).map_err(failed)?;
        if !file.try_lock().map_err(failed)? {
            return Err(already_open(folder, folder_is));
        }
        // Before the name is there to be read, so that this process knows its own.
        held().push(folder_is);
        name_holder(&file);
        let stays = fs::metadata(&lasting).map(|found| Identity::told_by(&found));
        if !stays.is_ok_and(|found| found == folder_is) {
            lasting = folder.to_owned();
        }
        Ok(Self {
            paths: Paths {
                named: folder.to_owned(),
                lasting,
            },
            directory,
            file,
            folder_is,
            file_is,
        })
    }

    /// Where the folder is.
    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Fails where the folder at its path, or the lock file in it, is not the one that is locked:
    /// another process may hold what is there now. Two looks.
    pub(super) fn check(&self) -> Result<(), RepoError> {
        let folder = &self.paths.named;
        let look = |path: &Path| {
            let failed = |error| format!("{} cannot be looked at ({error})", path.display());
            let unavailable = |reason| RepoError::Unavailable { reason };
            Identity::at(path).map_err(|error| unavailable(failed(error)))
        };
        let what = match look(folder)? {
            None => "it was moved or removed".to_owned(),
            Some(found) if found != self.folder_is => "another folder lies in its place".to_owned(),
            Some(_) => match look(&folder.join(LOCK_FILE))? {
                None => format!("its lock file {LOCK_FILE} was removed"),
                Some(found) if found != self.file_is => {
                    format!("its lock file {LOCK_FILE} was replaced by another one")
                }
                Some(_) => return Ok(()),
            },
        };
        Err(RepoError::FolderLost {
            folder: folder.clone(),
            what,
        })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if fork::is_child() {
            return;
        }
        // Emptied first, so that the next holder is never taken for this one.
        let _ = self.file.with(|file| file.set_len(0));
        self.file.unlock();
        self.directory.unlock();
        let mut held = held();
        if let Some(at) = held.iter().position(|held| *held == self.folder_is) {
            held.swap_remove(at);
        }
    }
}

/// The lock of a folder that is only read. Nothing in the folder is changed: the lock file is not made where
/// it is missing, and does not name this process.
#[derive(Debug)]
pub(super) struct ReadingLock {
    _locked: Vec<KeptFile>,
}

impl ReadingLock {
    pub(super) fn take(folder: &Path) -> Result<Self, RepoError> {
        fork::refuse_child()?;
        let failed = |cause| io_failure("locking the data folder", folder, cause);
        fork::watch().map_err(failed)?;
        let mut taken = Vec::new();
        for path in [folder.to_owned(), folder.join(LOCK_FILE)] {
            let file = KeptFile::open(|| {
                let flags = OFlags::NOFOLLOW.bits().cast_signed();
                OpenOptions::new()
                    .read(true)
                    .custom_flags(flags)
                    .open(&path)
            });
            let file = match file {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !taken.is_empty() => break,
                file => file.map_err(failed)?,
            };
            let folder_is = Identity::at(folder).map_err(failed)?;
            if !file.try_lock().map_err(failed)? {
                let holder = folder_is.and_then(|is| holder::find(&folder.join(LOCK_FILE), is));
                let folder = folder.to_owned();
                return Err(RepoError::AlreadyOpen { folder, holder });
            }
            taken.push(file);
        }
        Ok(Self { _locked: taken })
    }
}

/// Has the lock file name this process. That is a courtesy to others: a full disk must not keep the folder from being
/// opened.
fn name_holder(file: &KeptFile) {
    let written = file.with(|mut file| {
        file.set_len(0)?;
        file.write_all(holder::own_name().as_bytes())
    });
    if written.is_err() {
        let _ = file.with(|file| file.set_len(0));
    }
}

fn already_open(folder: &Path, folder_is: Identity) -> RepoError {
    RepoError::AlreadyOpen {
        folder: folder.to_owned(),
        holder: holder::find(&folder.join(LOCK_FILE), folder_is),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use rustix::io::{FdFlags, fcntl_getfd};

    use super::*;
    use crate::repo::error::Holder;
    use crate::repo::holder::{known_to_the_system, own_name};

    fn holder_of(error: RepoError) -> Option<Holder> {
        match error {
            RepoError::AlreadyOpen { holder, .. } => holder,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_second_opener_in_the_same_process_is_told_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let error = FolderLock::take(folder.path()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("process {}", std::process::id())));
        assert!(text.contains("which is this one"), "{text}");
        assert!(!text.contains("stop that program"), "{text}");
        let program = std::env::current_exe().unwrap();
        let holder = holder_of(error).unwrap();
        assert_eq!(
            holder.program,
            program.file_name().unwrap().to_str().unwrap()
        );
        drop(held);
        FolderLock::take(folder.path()).unwrap();
    }

    #[test]
    fn what_a_dead_holder_left_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK_FILE);
        std::fs::write(
            &path,
            "4194999 a program of a very long name, dead by now\n",
        )
        .unwrap();
        let _held = FolderLock::take(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), own_name());
    }

    #[test]
    fn without_its_lock_file_a_held_folder_lets_nobody_in_and_its_holder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let held = FolderLock::take(&path).unwrap();
        std::fs::remove_file(path.join(LOCK_FILE)).unwrap();
        let holder = holder_of(FolderLock::take(&path).unwrap_err()).unwrap();
        assert!(holder.is_this_process);
        assert!(!path.join(LOCK_FILE).exists(), "nothing was changed");
        // As another process sees it.
        let seen = known_to_the_system(held.folder_is).unwrap();
        assert_eq!(seen.pid, std::process::id());
        assert_eq!(seen.program, holder.program);
    }

    #[test]
    fn a_folder_that_was_moved_or_replaced_is_not_the_one_that_is_locked() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().canonicalize().unwrap().join("data");
        fs::create_dir(&path).unwrap();
        let held = FolderLock::take(&path).unwrap();
        held.check().unwrap();
        let says = |what: &str| {
            let error = held.check().unwrap_err();
            assert_eq!(error.code(), "folder_lost");
            let text = error.to_string();
            assert!(text.contains(what), "{text}");
            assert!(text.contains(path.to_str().unwrap()), "{text}");
        };
        let moved = base.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        says("moved or removed");
        fs::create_dir(&path).unwrap();
        says("another folder");
        fs::remove_dir(&path).unwrap();
        fs::rename(&moved, &path).unwrap();
        held.check().unwrap();
        let lock = path.join(LOCK_FILE);
        fs::rename(&lock, path.join("other")).unwrap();
        says("was removed");
        fs::write(&lock, "").unwrap();
        says("replaced");
    }

    #[test]
    fn what_is_made_by_the_lasting_path_lands_in_the_folder_wherever_it_was_moved() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().canonicalize().unwrap().join("data");
        fs::create_dir(&path).unwrap();
        let held = FolderLock::take(&path).unwrap();
        let moved = base.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(held.paths().lasting.join("made"), "").unwrap();
        assert!(moved.join("made").exists());
        assert!(!path.join("made").exists());
    }

    #[test]
    fn the_lock_file_is_private_and_no_child_inherits_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let mode = held.file.with(File::metadata).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for kept in [&held.file, &held.directory] {
            let flags = kept.with(|file| Ok(fcntl_getfd(file)?)).unwrap();
            assert!(flags.contains(FdFlags::CLOEXEC));
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join(LOCK_FILE)).unwrap();
        assert!(FolderLock::take(folder.path()).is_err());
        assert!(!target.exists());
    }
}
