//! What a program leaves behind: processes that it started and that outlive it become children of this one.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid,
};
use tokio::time::sleep;

/// How long what was left may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it is waited for after SIGKILL: one in a system call may take long, and there is nothing else to do.
const LONGEST: Duration = Duration::from_secs(5);

/// How long what is ending by itself may take over it.
const ENDING: Duration = Duration::from_millis(500);

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What the system says of the children of this process.
enum Children {
    None,
    /// All of them run.
    Run,
    /// One has ended, and was not reaped.
    Ended(i32),
}

/// Makes this process the parent of what its program leaves behind.
///
/// # Errors
/// The system refuses.
pub fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Reaps what was left behind and has ended; the program itself is reaped by its handle. Never called while
/// another command of this process runs, whose end would be lost.
pub fn reap(program: Option<u32>) {
    while let Children::Ended(process) = look() {
        if program.is_some_and(|program| i64::from(program) == i64::from(process)) {
            return;
        }
        let Some(process) = Pid::from_raw(process) else {
            return;
        };
        // It is gone even if other code of this process has reaped it.
        let _ = waitpid(Some(process), WaitOptions::NOHANG);
    }
}

/// Whether the program, which has ended, left something behind that goes on.
pub async fn go_on() -> bool {
    let until = Instant::now() + ENDING;
    loop {
        reap(None);
        if matches!(look(), Children::None) {
            return false;
        }
        if Instant::now() > until {
            return true;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Ends what the program, which has ended, left behind, and what that leaves behind in turn.
pub async fn end_all() {
    let begun = Instant::now();
    let mut told = HashSet::new();
    loop {
        reap(None);
        let children = match look() {
            Children::None => return,
            Children::Run | Children::Ended(_) => listed(),
        };
        if begun.elapsed() > LONGEST {
            return;
        }
        for child in children {
            if begun.elapsed() > PATIENCE {
                let _ = kill_process(child, Signal::KILL);
            } else if told.insert(child) {
                let _ = kill_process(child, Signal::TERM);
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

fn look() -> Children {
    let mut found = MaybeUninit::<libc::siginfo_t>::zeroed();
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `found` has room for what is written; all zeroes are a `siginfo_t`, whose process id is then 0.
    let (answer, process) = unsafe {
        let answer = libc::waitid(libc::P_ALL, 0, found.as_mut_ptr(), how);
        (answer, found.assume_init().si_pid())
    };
    match (answer, process) {
        (0, 0) => Children::Run,
        (0, process) => Children::Ended(process),
        _ => Children::None,
    }
}

/// The processes whose parent is this one.
fn listed() -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let is_child = |process: &i32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name before it may have anything in it.
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let parent = rest
            .split(' ')
            .nth(1)
            .and_then(|parent| parent.parse().ok());
        parent == Some(getpid().as_raw_nonzero().get())
    };
    let children = processes.filter_map(number).filter(is_child);
    children.filter_map(Pid::from_raw).collect()
}
