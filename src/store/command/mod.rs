//! Keys from the standard output of a command, run without a shell and in a process group of its
//! own; and the same run with an input, for commands that answer no key.
//!
//! Never in here: a way to hand a key to a command but its standard input. A program, its arguments and
//! its variables are visible to others.

mod child;
mod children;
mod descriptors;
mod execution;
pub(crate) mod line;
mod output;
mod process;

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::store::buffer::LineEnd;
use crate::store::command::line::CommandLine;
use crate::store::keys_store::{Fetching, KeysStore, StoreRequest};
use crate::store::origin::{AskedByKeyward, StoreOrigin};

/// A store that runs a program each time it is asked and takes what it prints on its standard
/// output as one value.
///
/// - There is no shell: arguments are passed as they are. They, and the variables that are set with
///   [`env`](Self::env), can be read by others on the machine, so never put a key in them.
/// - A program that is a path is that one whatever folder this process changes to later, and the
///   command runs in the folder in which the store was defined: relative paths among its arguments
///   mean the same at each run.
/// - Its environment is `PATH`, `HOME` and what is named here; its standard input is empty; of this
///   process's open files it inherits none.
/// - One final line end (`\n` or `\r\n`) is not part of the key, unless [`exact`](Self::exact) says
///   so. Success with no output is `invalid_key`, an exit status other than 0 is `store_failed`
///   with what it printed on its standard error, scrubbed of what it printed on its output. So is a
///   passed time limit, with what it had printed until then.
/// - It has a process group of its own, which is killed whole when the time limit has passed, when
///   the fetch is dropped, and when the program has ended: a process that it leaves behind in its
///   group does not live on. One that leaves the group by itself (`setsid`) is out of reach.
///
/// This process must not ignore SIGCHLD, and nothing else in it may reap children that it did not
/// start (`waitpid(-1)`): how a command ended could not be told, which is `store_failed`.
#[derive(Clone)]
pub struct CommandStore {
    line: CommandLine,
    line_end: LineEnd,
    time_limit: Duration,
}

impl CommandStore {
    /// A store that runs that program, looked for in `PATH` unless it is a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            line: CommandLine::new(program),
            line_end: LineEnd::default(),
            time_limit: Duration::from_secs(10),
        }
    }

    /// Adds one argument. Never a key: others can read it.
    pub fn arg(self, arg: impl Into<OsString>) -> Self {
        self.args([arg])
    }

    /// Adds arguments. Never a key: others can read them.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.line = self.line.args(args);
        self
    }

    /// Sets a variable for the command. Never a key: programs of the same user can read it, and
    /// keyward does not wipe it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.line = self.line.env(name, value);
        self
    }

    /// Passes a variable of this process on, as it is at each fetch; not set here, not set there.
    pub fn pass_env(mut self, name: impl Into<OsString>) -> Self {
        self.line = self.line.pass_env(name);
        self
    }

    /// Every byte of the output belongs to the key, a final line end too.
    pub fn exact(mut self) -> Self {
        self.line_end = LineEnd::Keep;
        self
    }

    /// How long one run may take before it is killed. Default: 10 s.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }
}

impl KeysStore for CommandStore {
    fn fetch(&self, request: &StoreRequest) -> Fetching {
        let execution = self.line.execution();
        let (line_end, limit, request) = (self.line_end, self.time_limit, request.clone());
        Fetching::future(execution.fetched(line_end, limit, request))
    }

    fn origin(&self, _: AskedByKeyward) -> StoreOrigin {
        StoreOrigin::Command
    }

    fn source(&self, _: AskedByKeyward) -> String {
        format!("the output of {}", self.line.program().display())
    }
}

impl fmt::Debug for CommandStore {
    /// Names the program only: arguments and variables are the operator's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandStore")
            .field("program", &self.line.program())
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
