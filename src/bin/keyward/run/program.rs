//! A program as it is started: with its keys, in a process group of its own, its life tied to this process.

use std::ffi::{OsStr, OsString, c_char};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, ExitStatus, Stdio};
use std::time::Instant;

use rustix::fs::Mode;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal, umask};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::run::children;
use crate::run::error::RunError;
use crate::run::keys::{HeldKeys, KeyPlace, Place};
use crate::run::signals::Signals;

/// A program that can be started, again and again.
pub struct Program {
    /// The program and its arguments: at least one word.
    pub words: Vec<OsString>,
    /// Where it finds its keys.
    pub places: Vec<KeyPlace>,
    /// The file mode mask that it gets.
    pub umask: Mode,
}

impl Program {
    /// How it is named.
    pub fn name(&self) -> String {
        let name = self.words.first().map(|name| name.to_string_lossy());
        name.unwrap_or_default().into_owned()
    }

    /// Whether it finds that key in its environment.
    pub fn has_in_variable(&self, key: &str) -> bool {
        let in_variable =
            |place: &KeyPlace| place.key == key && matches!(place.place, Place::Variable(_));
        self.places.iter().any(in_variable)
    }

    /// Whether its environment can hold these values.
    ///
    /// # Errors
    /// [`RunError::ZeroByte`].
    pub fn check(&self, held: &HeldKeys) -> Result<(), RunError> {
        for (key, value) in held {
            if value.expose().contains(&0) && self.has_in_variable(key) {
                return Err(RunError::ZeroByte { key: key.clone() });
            }
        }
        Ok(())
    }

    /// Starts it. The kernel ties its life to the thread that starts it, which has to be the main thread.
    ///
    /// # Errors
    /// What the system says, mostly that there is no such program.
    pub fn start(&self, held: &HeldKeys) -> Result<Running, RunError> {
        let failed = |cause| RunError::Start {
            program: self.name(),
            cause,
        };
        let mut words = self.words.iter();
        let mut command = process::Command::new(words.next().map_or(OsStr::new(""), |word| word));
        command.args(words).process_group(0);
        if io::stdin().is_terminal() {
            // In a process group of its own it would be stopped where it reads from the terminal.
            command.stdin(Stdio::null());
        }
        let (environment, mask) = (Environment::new(&self.places, held), self.umask);
        let parent = getpid();
        // SAFETY: between fork and exec these make system calls and write one pointer; none allocates.
        unsafe {
            command.pre_exec(move || {
                umask(mask);
                set_parent_process_death_signal(Some(Signal::KILL))?;
                if getppid() != Some(parent) {
                    // It died before that.
                    return Err(io::ErrorKind::NotFound.into());
                }
                environment.take_up();
                Ok(())
            });
        }
        let child = Command::from(command).kill_on_drop(true).spawn();
        let child = child.map_err(failed)?;
        Ok(Running {
            process: child.id().unwrap_or_default(),
            child,
            status: None,
            since: Instant::now(),
        })
    }
}

/// The environment of a program: that of this process, and keys. std would keep copies of them that are not wiped.
struct Environment {
    /// Each variable with its value, and a zero byte behind it.
    _text: Zeroizing<Vec<u8>>,
    /// Where each begins, and a null pointer behind them.
    begins: Vec<usize>,
}

impl Environment {
    fn new(places: &[KeyPlace], held: &HeldKeys) -> Self {
        let given: Vec<(&[u8], &[u8])> = places
            .iter()
            .filter_map(|KeyPlace { key, place }| match place {
                Place::Variable(name) => Some((name.as_bytes(), held.get(key)?.expose())),
                Place::File(_) => None,
            })
            .collect();
        let inherited =
            std::env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec()));
        let inherited: Vec<_> = inherited
            .filter(|(name, _)| !given.iter().any(|(given, _)| given == name))
            .collect();
        let inherited = inherited.iter().map(|(name, value)| (&**name, &**value));
        let variables: Vec<(&[u8], &[u8])> = inherited.chain(given).collect();
        let room = variables
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2)
            .sum();
        // In one buffer of full size: growth would leave copies of keys.
        let mut text = Zeroizing::new(Vec::with_capacity(room));
        let mut begins = Vec::with_capacity(variables.len() + 1);
        for (name, value) in variables {
            begins.push(text.len());
            for part in [name, b"=", value, b"\0"] {
                text.extend_from_slice(part);
            }
        }
        let first = text.as_ptr().expose_provenance();
        for begin in &mut begins {
            *begin += first;
        }
        begins.push(0);
        Self {
            _text: text,
            begins,
        }
    }

    /// Makes it the environment of this process, which is about to execute a program.
    fn take_up(&self) {
        unsafe extern "C" {
            static mut environ: *const *const c_char;
        }
        // SAFETY: the child of a fork has one thread, so that nothing reads the variable meanwhile; `begins` and
        // the text that it points into live until the program is executed.
        unsafe {
            environ = self.begins.as_ptr().cast();
        }
    }
}

/// A program that was started.
pub struct Running {
    /// Its process id.
    pub process: u32,
    /// When it was started.
    pub since: Instant,
    child: Child,
    /// Once it is known.
    status: Option<ExitStatus>,
}

impl Running {
    /// Waits for its end, and passes signals on to it until then. With `reaps`, what it leaves behind is reaped
    /// meanwhile. May be dropped at any await.
    pub async fn ended(&mut self, signals: &mut Signals, reaps: bool) -> ExitStatus {
        loop {
            if let Some(status) = self.status {
                return status;
            }
            tokio::select! {
                status = self.child.wait() => {
                    // There is no other reason for an error than that the status is lost.
                    self.status = Some(status.unwrap_or_else(|_| ExitStatus::from_raw(libc::SIGKILL)));
                }
                signal = signals.next() => match signal {
                    libc::SIGCHLD if reaps => children::reap(Some(self.process)),
                    libc::SIGCHLD => {}
                    other => self.send(other),
                },
            }
        }
    }

    /// Sends it a signal, unless it has ended.
    pub fn send(&self, signal: i32) {
        let process = self
            .child
            .id()
            .and_then(|id| libc::pid_t::try_from(id).ok());
        if let Some(process) = process {
            // SAFETY: it touches no memory. The number is the program's as long as its handle has not reaped it.
            unsafe {
                libc::kill(process, signal);
            }
        }
    }
}
