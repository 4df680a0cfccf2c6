//! What a child process does to itself between fork and exec.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Has the kernel kill the child when the thread ends that starts it.
pub(super) fn die_with_starter(command: &mut Command) {
    let starter = getpid();
    before_exec(command, move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid() == Some(starter) {
            Ok(())
        } else {
            // It ended before the kernel was asked.
            Err(io::ErrorKind::NotFound.into())
        }
    });
}

/// Has the child do this. It may make system calls, and nothing else: no allocation, no lock.
#[expect(
    unsafe_code,
    reason = "nothing safe runs between fork and exec; what is run here makes system calls only"
)]
pub(super) fn before_exec(
    command: &mut Command,
    does: impl Fn() -> io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: all that is given here makes async-signal-safe system calls, allocates nothing, takes no lock, and
    // touches no memory but its own stack; its errors are bare numbers.
    unsafe {
        command.pre_exec(does);
    }
}
