//! What tells a process from every other one, also from a later one of the same id, and how it is found
//! again after the keeper's restart.

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use rustix::fs::{fstat, fstatfs};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use uuid::Uuid;

use crate::server::peer::watch::ProcessWatch;

/// The file system of descriptors of processes (since Linux 6.9): its inodes are never used again.
const PIDFS: u64 = 0x5049_4446;

/// The form in which an identity is kept.
const FORM: u8 = 1;
/// How many bytes that has.
const LENGTH: usize = 1 + 16 + 4 + 8 + 1 + 8;

/// What tells a process from every other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// The run of the system.
    boot: u128,
    /// Its id as it is seen from the namespace; 0 where it is not.
    pid: u32,
    /// The pid namespace of the keeper that saw it, in which the id counts.
    namespace: u64,
    told_by: ToldBy,
}

/// What tells it from a later process of the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ToldBy {
    /// The inode of its descriptor, which no other process has in this run of the system.
    Inode(u64),
    /// When it started, in ticks since the system did.
    StartTime(u64),
    /// Only its connection does (before Linux 6.5): a random number.
    Connection(u64),
}

/// What became of a process that an earlier keeper knew.
pub enum Reopened {
    /// It lives.
    Lives(ProcessWatch),
    /// It has ended.
    Ended,
    /// It lies in a pid namespace that is not seen from here, and is known again when it connects.
    Elsewhere,
}

impl ProcessIdentity {
    /// The process of a descriptor.
    ///
    /// # Errors
    /// It has ended, or the system does not tell.
    pub fn of(pid: u32, pidfd: &OwnedFd) -> io::Result<Self> {
        let is_of_pidfs = u64::try_from(fstatfs(pidfd)?.f_type).is_ok_and(|kind| kind == PIDFS);
        let told_by = match is_of_pidfs {
            true => ToldBy::Inode(fstat(pidfd)?.st_ino),
            false => ToldBy::StartTime(start_time(pid)?),
        };
        Ok(Self {
            boot: boot()?,
            pid,
            namespace: namespace()?,
            told_by,
        })
    }

    /// A process that only its connection names.
    pub fn of_connection(pid: u32) -> Self {
        let (number, _) = Uuid::new_v4().as_u64_pair();
        Self {
            boot: boot().unwrap_or_default(),
            pid,
            namespace: namespace().unwrap_or_default(),
            told_by: ToldBy::Connection(number),
        }
    }

    /// Its id, for people.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether a keeper's restart may call it twice: it cannot be found again by its id.
    pub fn is_named_by_connection(&self) -> bool {
        self.pid == 0 || matches!(self.told_by, ToldBy::Connection(_))
    }

    /// Whether both are one process.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_id = (self.pid, self.namespace) == (other.pid, other.namespace);
        self.boot == other.boot
            && self.told_by == other.told_by
            && match self.told_by {
                // The id is seen otherwise from another namespace, and the inode is not.
                ToldBy::Inode(_) | ToldBy::Connection(_) => true,
                ToldBy::StartTime(_) => same_id,
            }
    }

    /// Looks for the process after a restart of the keeper.
    ///
    /// # Errors
    /// The system does not tell: it has no descriptor left, for example.
    pub fn reopen(&self) -> io::Result<Reopened> {
        if self.boot != boot()? || matches!(self.told_by, ToldBy::Connection(_)) {
            return Ok(Reopened::Ended);
        }
        if self.namespace != namespace()? || self.pid == 0 {
            return Ok(Reopened::Elsewhere);
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(Reopened::Ended);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(pidfd) => pidfd,
            // The id is that of a thread now, or of nothing.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(Reopened::Ended),
            Err(error) => return Err(error.into()),
        };
        let found = match self.told_by {
            ToldBy::StartTime(_) => start_time(self.pid).map(|ticks| Self {
                told_by: ToldBy::StartTime(ticks),
                ..*self
            }),
            ToldBy::Inode(_) | ToldBy::Connection(_) => Self::of(self.pid, &pidfd),
        };
        match found {
            Ok(found) if found.is_same(self) => Ok(Reopened::Lives(ProcessWatch::new(pidfd))),
            Ok(_) => Ok(Reopened::Ended),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reopened::Ended),
            Err(error) => Err(error),
        }
    }

    /// As it is kept.
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, number) = match self.told_by {
            ToldBy::Inode(inode) => (0, inode),
            ToldBy::StartTime(ticks) => (1, ticks),
            ToldBy::Connection(number) => (2, number),
        };
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(FORM);
        bytes.extend(self.boot.to_be_bytes());
        bytes.extend(self.pid.to_be_bytes());
        bytes.extend(self.namespace.to_be_bytes());
        bytes.push(kind);
        bytes.extend(number.to_be_bytes());
        bytes
    }

    /// As it was kept; none where that is no identity of this form.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (form, rest) = bytes.split_first()?;
        let (boot, rest) = rest.split_first_chunk()?;
        let (pid, rest) = rest.split_first_chunk()?;
        let (namespace, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first()?;
        let number = u64::from_be_bytes(rest.try_into().ok()?);
        let told_by = match kind {
            0 => ToldBy::Inode(number),
            1 => ToldBy::StartTime(number),
            2 => ToldBy::Connection(number),
            _ => return None,
        };
        (*form == FORM).then_some(Self {
            boot: u128::from_be_bytes(*boot),
            pid: u32::from_be_bytes(*pid),
            namespace: u64::from_be_bytes(*namespace),
            told_by,
        })
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            0 => f.write_str("a process of another pid namespace"),
            pid => write!(f, "process {pid}"),
        }
    }
}

/// This run of the system.
fn boot() -> io::Result<u128> {
    static BOOT: OnceLock<u128> = OnceLock::new();
    known_or(&BOOT, read_boot)
}

/// The pid namespace of this process.
fn namespace() -> io::Result<u64> {
    static NAMESPACE: OnceLock<u64> = OnceLock::new();
    known_or(&NAMESPACE, || {
        fs::metadata("/proc/self/ns/pid").map(|found| found.ino())
    })
}

/// What does not change as long as this process lives.
fn known_or<T: Copy>(known: &OnceLock<T>, read: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match known.get() {
        Some(known) => Ok(*known),
        None => read().inspect(|found| known.set(*found).unwrap_or_default()),
    }
}

fn read_boot() -> io::Result<u128> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let id: Uuid = text.trim().parse().map_err(io::Error::other)?;
    Ok(id.as_u128())
}

/// When a process started, in ticks since the system did.
fn start_time(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may have brackets and blanks of its own.
    let behind_name = text.rsplit_once(')').map(|(_, rest)| rest);
    let ticks = behind_name.and_then(|rest| rest.split_whitespace().nth(19)?.parse().ok());
    ticks.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn own() -> ProcessIdentity {
        of(std::process::id())
    }

    fn of(pid: u32) -> ProcessIdentity {
        let raw = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).unwrap();
        ProcessIdentity::of(pid, &pidfd).unwrap()
    }

    fn by_start_time(pid: u32) -> ProcessIdentity {
        let told_by = ToldBy::StartTime(start_time(pid).unwrap());
        ProcessIdentity { told_by, ..of(pid) }
    }

    #[test]
    fn an_identity_is_read_back_as_it_was_kept() {
        for told_by in [
            ToldBy::Inode(u64::MAX),
            ToldBy::StartTime(1),
            ToldBy::Connection(7),
        ] {
            let identity = ProcessIdentity { told_by, ..own() };
            let kept = identity.to_bytes();
            assert_eq!(kept.len(), LENGTH);
            assert_eq!(ProcessIdentity::from_bytes(&kept), Some(identity));
            for bytes in 0..LENGTH {
                assert_eq!(ProcessIdentity::from_bytes(&kept[..bytes]), None);
            }
            let longer = [kept.as_slice(), &[0]].concat();
            assert_eq!(ProcessIdentity::from_bytes(&longer), None);
        }
        let golden = ProcessIdentity {
            boot: 1,
            pid: 2,
            namespace: 3,
            told_by: ToldBy::StartTime(4),
        };
        let mut bytes = vec![1];
        bytes.extend([0; 15]);
        bytes.extend([
            1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 4,
        ]);
        assert_eq!(golden.to_bytes(), bytes);
        bytes[0] = 2;
        assert_eq!(ProcessIdentity::from_bytes(&bytes), None);
        (bytes[0], bytes[29]) = (1, 3);
        assert_eq!(ProcessIdentity::from_bytes(&bytes), None);
    }

    #[test]
    fn a_living_process_is_found_again_and_one_that_ended_is_not() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let known = [of(child.id()), by_start_time(child.id())];
        for identity in known {
            let Reopened::Lives(watch) = identity.reopen().unwrap() else {
                panic!("{identity} lives");
            };
            assert!(!watch.has_ended());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for identity in known {
            assert!(matches!(identity.reopen().unwrap(), Reopened::Ended));
        }
    }

    #[test]
    fn another_process_of_the_same_id_is_a_stranger() {
        let own = own();
        let later = match own.told_by {
            ToldBy::Inode(inode) => ToldBy::Inode(inode + 1),
            told_by => told_by,
        };
        let started = by_start_time(own.pid);
        for (earlier, now) in [
            (
                ProcessIdentity {
                    told_by: later,
                    ..own
                },
                own,
            ),
            (ProcessIdentity { boot: 1, ..own }, own),
            (
                ProcessIdentity {
                    told_by: ToldBy::StartTime(1),
                    ..own
                },
                started,
            ),
        ] {
            assert!(!earlier.is_same(&now));
            assert!(matches!(earlier.reopen().unwrap(), Reopened::Ended));
        }
    }

    #[test]
    fn a_process_of_another_namespace_is_known_again_by_its_inode_only() {
        let own = own();
        let elsewhere = ProcessIdentity {
            namespace: 1,
            ..own
        };
        assert!(matches!(elsewhere.reopen().unwrap(), Reopened::Elsewhere));
        let unseen = ProcessIdentity { pid: 0, ..own };
        assert!(matches!(unseen.reopen().unwrap(), Reopened::Elsewhere));
        let by_inode = matches!(own.told_by, ToldBy::Inode(_));
        assert_eq!(unseen.is_same(&own), by_inode);
        let started = by_start_time(own.pid);
        assert!(
            !ProcessIdentity {
                namespace: 1,
                ..started
            }
            .is_same(&started)
        );
    }

    #[test]
    fn a_process_that_only_its_connection_names_ends_with_the_keeper() {
        let known = ProcessIdentity::of_connection(std::process::id());
        assert!(known.is_same(&known) && known.is_named_by_connection());
        assert!(!known.is_same(&ProcessIdentity::of_connection(std::process::id())));
        assert!(matches!(known.reopen().unwrap(), Reopened::Ended));
    }
}
