//! One child process that leads a process group, and the promise that the group ends with it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, pidfd_open,
    waitid, waitpid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::runtime::Handle;
use tokio::time::sleep;

use crate::store::command::children;
use crate::store::command::descriptors;
use crate::store::error::StoreError;

/// How often it is asked whether a process has ended, where the system does not tell.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// A running child, the leader of its own process group. Dropped, it kills the whole group and sees
/// to it that no zombie is left.
///
/// The group is named by the leader's process id. The system gives that number to no other process while
/// the leader has not been reaped, dead or alive, so the group is always killed before that.
pub(super) struct CommandProcess {
    /// `None` once it is reaped.
    child: Option<Child>,
    group: Pid,
}

/// What a new process is watched by.
pub(super) struct CommandWatch {
    pub(super) end: LeaderEnd,
    /// Only of a process that was started with an input.
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// The pipes of a new process as std has them.
type Pipes = (
    Option<process::ChildStdin>,
    Option<process::ChildStdout>,
    Option<process::ChildStderr>,
);

/// What tells that a leader has ended.
pub(super) struct LeaderEnd {
    /// Readable then; `None` where the system gives no such descriptor.
    descriptor: Option<AsyncFd<OwnedFd>>,
    leader: Pid,
}

/// Why a command was not started.
pub(super) enum NotStarted {
    /// What was executed is at fault, as far as can be told.
    Program(io::Error),
    /// This process or the system is.
    Other(StoreError),
}

impl CommandProcess {
    /// Starts the command with pipes for its outputs, and a pipe or an empty file for its standard input. Only
    /// inside a tokio runtime that has I/O and time enabled.
    ///
    /// # Errors
    /// What the system says, mostly that there is no such program.
    pub(super) fn start(
        command: &mut Command,
        input: bool,
    ) -> Result<(Self, CommandWatch), NotStarted> {
        if children::ends_are_thrown_away() {
            return Err(NotStarted::Other(StoreError::ChildrenIgnored));
        }
        let input = if input {
            Stdio::piped()
        } else {
            let nothing = File::open("/dev/null").map_err(|error| refused("/dev/null", error))?;
            nothing.into()
        };
        command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        descriptors::inherit_none(command)
            .map_err(|why| refused("both ways to close a program's other files", other(why)))?;
        let mut child = spawn(command)?;
        let group = Pid::from_child(&child);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // From here on an error kills and reaps what was started.
        let process = Self {
            child: Some(child),
            group,
        };
        let watch = CommandWatch::begin(group, pipes)
            .map_err(|error| refused("pipes that can be waited for", error))?;
        Ok((process, watch))
    }

    /// Ends the group and answers how its leader ended. Called after that end, it does not wait.
    ///
    /// # Errors
    /// [`StoreError::Reaped`], or [`StoreError::ChildrenIgnored`] if that is why.
    pub(super) fn finish(mut self, program: &str) -> Result<ExitStatus, StoreError> {
        self.kill_group();
        let ended = self.child.take().map(|mut child| child.wait());
        match ended {
            Some(Ok(status)) => Ok(status),
            Some(Err(_)) if children::ends_are_thrown_away() => Err(StoreError::ChildrenIgnored),
            Some(Err(_)) | None => Err(StoreError::Reaped {
                program: program.to_owned(),
            }),
        }
    }

    fn kill_group(&self) {
        // A program that ignores SIGCHLD, or reaps whatever ends, has no right to the number any
        // more, and then no process is killed by it.
        let still_ours = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        if waitid(WaitId::Pid(self.group), still_ours).is_ok() {
            let _ = kill_process_group(self.group, Signal::KILL);
        }
    }
}

impl Drop for CommandProcess {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.kill_group();
        let Some(mut child) = self.child.take() else {
            return;
        };
        if matches!(child.try_wait(), Ok(None)) {
            reap_later(self.group);
        }
    }
}

/// Killed is not yet ended, and a process in a system call can take long over it. The thread that
/// drops a fetch must not wait for that. Where no other thread is to be had, the runtime reaps it, if
/// it still runs: a zombie would count among the processes that the system allows.
fn reap_later(leader: Pid) {
    let reaper = thread::Builder::new().name("keyward-reaper".to_owned());
    let reap = move || waitpid(Some(leader), WaitOptions::empty());
    if reaper.spawn(reap).is_ok() {
        return;
    }
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            while let Ok(None) = waitpid(Some(leader), WaitOptions::NOHANG) {
                sleep(ASK_EVERY).await;
            }
        });
    }
}

/// std panics where it cannot reap what it started in vain, since other code of this process reaped it.
fn spawn(command: &mut Command) -> Result<Child, NotStarted> {
    let started = catch_unwind(AssertUnwindSafe(|| command.spawn()));
    let Ok(started) = started else {
        let program = command.get_program().to_string_lossy().into_owned();
        return Err(NotStarted::Other(StoreError::Reaped { program }));
    };
    started.map_err(|error| match error.raw_os_error() {
        Some(libc::EAGAIN) => refused("another process (ulimit -u, or its control group)", error),
        Some(libc::EMFILE) => refused("another open file (ulimit -n)", error),
        Some(libc::ENFILE) => refused("another open file, to all programs together", error),
        Some(libc::ENOMEM) => refused("memory for another process", error),
        _ => NotStarted::Program(error),
    })
}

fn refused(what: &'static str, cause: io::Error) -> NotStarted {
    NotStarted::Other(StoreError::Refused {
        what,
        cause: Arc::new(cause),
    })
}

fn other(why: impl Into<String>) -> io::Error {
    io::Error::other(why.into())
}

impl CommandWatch {
    fn begin(leader: Pid, (stdin, stdout, stderr): Pipes) -> io::Result<Self> {
        let no_pipe = || other("the system gave no pipe");
        Ok(Self {
            end: LeaderEnd::of(leader),
            stdin: stdin.map(ChildStdin::from_std).transpose()?,
            stdout: ChildStdout::from_std(stdout.ok_or_else(no_pipe)?)?,
            stderr: ChildStderr::from_std(stderr.ok_or_else(no_pipe)?)?,
        })
    }
}

impl LeaderEnd {
    /// Linux before 5.3 has no such descriptor, old profiles of system calls refuse it, and none may
    /// be left: then the system is asked again and again.
    fn of(leader: Pid) -> Self {
        let descriptor = pidfd_open(leader, PidfdFlags::empty()).map_err(io::Error::from);
        Self {
            descriptor: descriptor.and_then(readiness).ok(),
            leader,
        }
    }

    /// Waits until the leader has ended. It is not reaped by this.
    pub(super) async fn wait(&self) {
        if let Some(descriptor) = &self.descriptor
            && let Ok(mut ready) = descriptor.readable().await
        {
            return ready.retain_ready();
        }
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while let Ok(None) = waitid(WaitId::Pid(self.leader), ended) {
            sleep(ASK_EVERY).await;
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
