//! Signals: their names, which of them a program catches, and those that this process is sent and passes on.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The signals that a program may be told of a change with.
const NAMES: [(&str, i32); 16] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CONT", libc::SIGCONT),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
];

/// What is not passed on: what no process can catch, what only a fault of this process itself raises, and what
/// a terminal does to this process alone.
const KEPT: [i32; 17] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGPIPE,
    libc::SIGCHLD,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGXCPU,
    libc::SIGXFSZ,
    libc::SIGSTKFLT,
];

/// A signal by which a program is told to read its keys again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadSignal(pub i32);

impl FromStr for ReloadSignal {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let name = given.to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| Self(*number)).ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            format!("{given} is no signal that a program can be told with; try one of {names}")
        })
    }
}

impl fmt::Display for ReloadSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = NAMES.iter().find(|(_, number)| *number == self.0);
        write!(f, "SIG{}", known.map_or("?", |(name, _)| name))
    }
}

/// Whether that process catches the signal: with a handler, as the system lists it.
pub fn catches(process: u32, signal: ReloadSignal) -> bool {
    has_signal(&format!("/proc/{process}/status"), "SigCgt:", signal.0)
}

fn has_signal(status: &str, line: &str, signal: i32) -> bool {
    let status = fs::read_to_string(status).unwrap_or_default();
    let mask = status.lines().find_map(|found| found.strip_prefix(line));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// What this process is sent from now on: signals to pass on, and word of children that have ended.
pub struct Signals {
    received: mpsc::UnboundedReceiver<i32>,
    /// Whether SIGTERM was among them.
    terminated: bool,
    /// When SIGINT or SIGQUIT was the last time.
    interrupted: Option<Instant>,
}

impl Signals {
    /// Begins to catch them. Those that this process was started to ignore stay ignored, for it and for what it
    /// starts.
    ///
    /// # Errors
    /// The system refuses.
    pub fn watch() -> io::Result<Self> {
        let (tell, received) = mpsc::unbounded_channel();
        let passed_on = (1..=libc::SIGRTMAX()).filter(|number| {
            // Between these two are those of the threads' library.
            let of_libc = (32..libc::SIGRTMIN()).contains(number);
            !of_libc
                && !KEPT.contains(number)
                && !has_signal("/proc/self/status", "SigIgn:", *number)
        });
        for number in passed_on.chain([libc::SIGCHLD]) {
            let mut caught = signal(SignalKind::from_raw(number))?;
            let tell = tell.clone();
            tokio::spawn(async move {
                while caught.recv().await.is_some() && tell.send(number).is_ok() {}
            });
        }
        Ok(Self {
            received,
            terminated: false,
            interrupted: None,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> i32 {
        let Some(number) = self.received.recv().await else {
            return std::future::pending().await;
        };
        match number {
            libc::SIGTERM => self.terminated = true,
            libc::SIGINT | libc::SIGQUIT => self.interrupted = Some(Instant::now()),
            _ => {}
        }
        number
    }

    /// Whether the program was told to end: by SIGTERM at any time, which it may still be obeying, or from a
    /// terminal since then.
    pub fn asked_to_end(&self, since: Instant) -> bool {
        self.terminated || self.interrupted.is_some_and(|at| at >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_as_kill_names_it() {
        for name in ["HUP", "SIGHUP", "hup", "sighup"] {
            assert_eq!(name.parse(), Ok(ReloadSignal(libc::SIGHUP)), "{name}");
        }
        for name in ["", "SIG", "KILL", "STOP", "9", "HUP ", "NOPE"] {
            assert!(name.parse::<ReloadSignal>().is_err(), "{name}");
        }
        assert_eq!(ReloadSignal(libc::SIGUSR2).to_string(), "SIGUSR2");
    }
}
