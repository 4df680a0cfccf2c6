//! Which process holds a data folder: what a holder writes into the lock file, what a second opener
//! reads there, and what the system knows where the file does not tell it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{OFlags, major, minor};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::repo::error::Holder;

/// A holder writes its name just after it got the lock; a process that comes between the two
/// looks again, so often and after so long.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// More than any holder writes; a file that was filled with something else is not read to its end.
const LONGEST_NAME: u64 = 4096;

static HELD: Mutex<Vec<Identity>> = Mutex::new(Vec::new());

/// What tells a file or a folder from every other one that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::told_by(&found))
    }

    /// What lies at a path, if anything does. A link is not followed.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(found) => Ok(Some(Self::told_by(&found))),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn told_by(found: &fs::Metadata) -> Self {
        let (device, inode) = (found.dev(), found.ino());
        Self { device, inode }
    }
}

/// The folders that this process holds.
pub(super) fn held() -> MutexGuard<'static, Vec<Identity>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The holder of a folder, as far as the lock file or the system tells it.
pub(super) fn find(lock_file: &Path, folder_is: Identity) -> Option<Holder> {
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let read = read_name(lock_file).ok().flatten().filter(is_alive);
        if held().contains(&folder_is) {
            return Some(Holder::this_process());
        }
        if read.is_some() {
            return read;
        }
    }
    known_to_the_system(folder_is)
}

/// What a holder writes into the lock file.
pub(super) fn own_name() -> String {
    let own = Holder::this_process();
    format!("{} {}\n", own.pid, own.program)
}

/// The holder where the lock file does not tell it: the system lists which process took which lock.
pub(super) fn known_to_the_system(folder_is: Identity) -> Option<Holder> {
    let (major, minor) = (major(folder_is.device), minor(folder_is.device));
    let wanted = format!("{major:02x}:{minor:02x}:{}", folder_is.inode);
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let pid = locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK");
        let pid = words.nth(3)?.parse().ok()?;
        (words.next()? == wanted).then_some(pid)
    })?;
    Some(Holder::of_process(pid))
}

fn read_name(path: &Path) -> io::Result<Option<Holder>> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
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
    use super::*;

    #[test]
    fn the_name_of_a_dead_holder_is_not_given_for_the_living_one() {
        let folder = tempfile::tempdir().unwrap();
        for stale in ["", "123", "999999999 dead\n", "no number\n"] {
            std::fs::write(folder.path().join("lock"), stale).unwrap();
            let name = read_name(&folder.path().join("lock")).unwrap();
            assert_eq!(name.filter(is_alive), None, "{stale:?}");
        }
    }
}
