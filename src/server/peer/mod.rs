//! The peer at the other end of a connection, as the kernel tells it: user, groups, process.
//!
//! Never in here: what such a peer may do, and anything that it says of itself.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::io::Errno;

pub mod process;
pub mod socket_options;
pub mod watch;

use process::ProcessIdentity;
use socket_options::NoPeerDescriptor;
use watch::ProcessWatch;

/// The peer of a connection: the process that opened it, also where it was handed over to another one.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The id of its process; 0 where that lies in a pid namespace that is not seen from here.
    pub pid: u32,
    /// Its user.
    pub user: u32,
    /// Its groups, the first one among them.
    pub groups: Vec<u32>,
    /// Its process, unless that has ended.
    pub process: Option<PeerProcess>,
}

/// The process that opened a connection.
#[derive(Debug, Clone)]
pub struct PeerProcess {
    /// What tells it from every other one.
    pub identity: ProcessIdentity,
    /// What tells its end; none where only the connection names the process (before Linux 6.5).
    pub watch: Option<Arc<ProcessWatch>>,
}

impl Peer {
    /// Asks the kernel.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(stream: &UnixStream) -> Result<Self, Errno> {
        let who = socket_options::credentials(stream)?;
        let mut groups = socket_options::groups(stream)?;
        groups.push(who.group);
        let process = match socket_options::pidfd(stream) {
            Ok(pidfd) => match ProcessIdentity::of(who.pid, &pidfd) {
                Ok(identity) => Some(PeerProcess {
                    identity,
                    watch: Some(Arc::new(ProcessWatch::new(pidfd))),
                }),
                Err(_) => None,
            },
            Err(NoPeerDescriptor::NotKnown) => Some(PeerProcess {
                identity: ProcessIdentity::of_connection(who.pid),
                watch: None,
            }),
            Err(NoPeerDescriptor::Ended) => None,
            Err(NoPeerDescriptor::Refused(error)) => return Err(error),
        };
        Ok(Self {
            pid: who.pid,
            user: who.user,
            groups,
            process,
        })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}, process {}", self.user, self.pid)
    }
}
