//! One child process that leads a process group, and the promise that the group ends with it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{ChildStderr, ChildStdout};

/// The first descriptor after the three standard ones.
const FIRST_OTHER_DESCRIPTOR: libc::c_uint = 3;

/// A running child, the leader of its own process group. Dropped, it kills the whole group and sees
/// to it that no zombie stays.
///
/// The group is named by the leader's process id. The system gives that number to nobody else while
/// the leader has not been reaped, dead or alive, so the group is always killed before that.
pub(super) struct Process {
    /// `None` once it is reaped.
    child: Option<Child>,
    group: Pid,
}

/// What a new process is watched by.
pub(super) struct Watch {
    /// Readable when the leader has ended.
    pub(super) end: AsyncFd<OwnedFd>,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Process {
    /// Starts the command with an empty standard input and pipes for its outputs. Only inside a
    /// tokio runtime that has I/O enabled.
    ///
    /// # Errors
    /// What the system says, mostly that there is no such program.
    pub(super) fn start(mut command: Command) -> io::Result<(Self, Watch)> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        inherit_no_descriptors(&mut command);
        let mut child = command.spawn()?;
        let group = Pid::from_child(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // From here on an error kills and reaps what was started.
        let process = Self {
            child: Some(child),
            group,
        };
        let no_pipe = || io::Error::other("the system gave no pipe");
        let watch = Watch {
            end: readiness(pidfd_open(group, PidfdFlags::NONBLOCK)?)?,
            stdout: ChildStdout::from_std(stdout.ok_or_else(no_pipe)?)?,
            stderr: ChildStderr::from_std(stderr.ok_or_else(no_pipe)?)?,
        };
        Ok((process, watch))
    }

    /// Ends the group and answers how its leader ended. Called after that end, it does not wait.
    pub(super) fn finish(mut self) -> io::Result<ExitStatus> {
        self.kill_group();
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Err(io::Error::other("the process was reaped already")),
        }
    }

    fn kill_group(&self) {
        // A program that ignores SIGCHLD, or reaps whatever ends, has no right to the number any
        // more, and then nobody is killed by it.
        let still_ours = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if waitid(WaitId::Pid(self.group), still_ours).is_ok() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.kill_group();
        let Some(mut child) = self.child.take() else {
            return;
        };
        if matches!(child.try_wait(), Ok(None)) {
            // Killed is not yet ended, and a process in a system call can take long over it. The
            // thread that drops a fetch must not wait for that; this one may.
            let reaper = thread::Builder::new().name("keyward-reaper".to_owned());
            let _ = reaper.spawn(move || child.wait());
        }
    }
}

#[expect(
    unsafe_code,
    reason = "tokio cannot see that an arbitrary type keeps its descriptor; OwnedFd does"
)]
fn readiness(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open, and the same, from here to its drop, and the `AsyncFd` owns it.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

/// Closes every descriptor but the standard three when the program is executed, those included that
/// other libraries of this process opened without close-on-exec.
#[expect(
    unsafe_code,
    reason = "nothing safe runs between fork and exec; this is one system call, which allocates \
              nothing and takes no lock"
)]
fn inherit_no_descriptors(command: &mut Command) {
    let mark_all = || {
        // Marked and not closed: std reports a failed exec through a descriptor of its own.
        let done = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                FIRST_OTHER_DESCRIPTOR,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        match done {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: `mark_all` makes one async-signal-safe system call and touches no memory of ours; its
    // error is a bare number.
    unsafe {
        command.pre_exec(mark_all);
    }
}
