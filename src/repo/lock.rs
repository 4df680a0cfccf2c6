//! keyward's own lock file: it is held as long as a repo is, also while RocksDB is closed, and names
//! its holder to whoever comes second.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::repo::error::{Holder, RepoError};
use crate::repo::folder::io_failure;

pub(super) const LOCK_FILE: &str = "keyward.lock";

/// A holder writes its name just after it got the lock; whoever comes between the two looks again,
/// so often and after so long.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// More than any holder writes; a file that was filled with something else is not read to its end.
const LONGEST_NAME: u64 = 4096;

/// The lock, held until it is dropped.
///
/// It is an `flock`, which belongs to the open file: a second opener in the same process is kept
/// out too, and no other open of the file gives it up by accident. The file is never removed, which
/// would let two hold two files of one name.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl FolderLock {
    pub(super) fn take(folder: &Path) -> Result<Self, RepoError> {
        let path = folder.join(LOCK_FILE);
        let failed = |source| io_failure("opening the lock file", &path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(already_open(folder, &path)),
            Err(errno) => return Err(failed(errno.into())),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(own_name().as_bytes()));
        // The name is a courtesy to others: a full disk must not keep the folder from being opened.
        if written.is_err() {
            let _ = file.set_len(0);
        }
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Emptied first, so that the next holder is never taken for this one. Unlocked by name,
        // because a child that is just being started may have the file open for a moment longer.
        let _ = self.file.set_len(0);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn own_name() -> String {
    let program = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_else(|| "unknown program".to_owned());
    let program: String = program.chars().filter(|c| !c.is_control()).collect();
    format!("{} {program}\n", std::process::id())
}

fn already_open(folder: &Path, path: &Path) -> RepoError {
    let mut holder = None;
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        holder = read_name(path).ok().flatten().filter(is_alive);
        if holder.is_some() {
            break;
        }
    }
    RepoError::AlreadyOpen {
        folder: PathBuf::from(folder),
        holder,
    }
}

fn read_name(path: &Path) -> io::Result<Option<Holder>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    file.rewind()?;
    let mut text = String::new();
    file.take(LONGEST_NAME).read_to_string(&mut text)?;
    Ok(parse_name(&text))
}

/// A name that does not end with its line end is still being written.
fn parse_name(text: &str) -> Option<Holder> {
    let (pid, program) = text.strip_suffix('\n')?.split_once(' ')?;
    Some(Holder::new(pid.parse().ok()?, program))
}

/// The name of a holder that is dead was left by an earlier one.
fn is_alive(holder: &Holder) -> bool {
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use rustix::io::{FdFlags, fcntl_getfd};

    use super::*;

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
        assert!(
            error
                .to_string()
                .contains(&format!("process {}", std::process::id()))
        );
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
    fn the_name_of_a_dead_holder_is_not_given_for_the_living_one() {
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        for stale in ["", "123", "999999999 dead\n", "no number\n"] {
            std::fs::write(folder.path().join(LOCK_FILE), stale).unwrap();
            let error = FolderLock::take(folder.path()).unwrap_err();
            assert!(error.to_string().contains("could not be read"), "{error}");
            assert_eq!(holder_of(error), None, "{stale:?}");
        }
        drop(held);
    }

    #[test]
    fn the_lock_file_is_private_and_no_child_inherits_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let held = FolderLock::take(folder.path()).unwrap();
        let mode = held.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(fcntl_getfd(&held.file).unwrap().contains(FdFlags::CLOEXEC));
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
