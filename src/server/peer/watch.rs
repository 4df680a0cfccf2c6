//! A process that is watched until its end.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor of a process. It tells the end already when the process is a zombie, before its parent has
/// waited for it.
#[derive(Debug)]
pub struct ProcessWatch {
    pidfd: OwnedFd,
}

/// The descriptor, lent to tokio.
struct Lent<'a>(BorrowedFd<'a>);

impl AsRawFd for Lent<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl ProcessWatch {
    /// Of this descriptor.
    pub fn new(pidfd: OwnedFd) -> Self {
        Self { pidfd }
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        let mut asked = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut asked, Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// Waits for the end of the process, on a runtime of tokio's. One wait at a time.
    ///
    /// # Errors
    /// The system does not tell it.
    pub async fn ended(&self) -> io::Result<()> {
        let lent = Lent(self.pidfd.as_fd());
        #[expect(
            unsafe_code,
            reason = "tokio has no safe way to watch a descriptor that is no socket"
        )]
        // SAFETY: the descriptor is borrowed for as long as this future lives, so that it stays open and the
        // same.
        let asked = unsafe { AsyncFd::register_with_interest(lent, Interest::READABLE)? };
        loop {
            let mut ready = asked.readable().await?;
            if self.has_ended() {
                return Ok(());
            }
            ready.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_process_is_told_before_anybody_waits_for_it() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        let watch = ProcessWatch::new(pidfd_open(pid, PidfdFlags::NONBLOCK).unwrap());
        assert!(!watch.has_ended());
        child.kill().unwrap();
        watch.ended().await.unwrap();
        assert!(watch.has_ended());
        child.wait().unwrap();
        watch.ended().await.unwrap();
    }
}
