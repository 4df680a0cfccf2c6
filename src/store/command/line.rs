//! A command as it is named: a program, its arguments, its folder and its variables.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{self, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::secret::value::SecretKeyValue;
use crate::store::command::child;
use crate::store::command::execution::Execution;
use crate::store::error::StoreError;

/// The variables that every command gets from this process, where they are set.
const ALWAYS_PASSED: [&str; 2] = ["PATH", "HOME"];

/// A command, run as a [`CommandStore`](crate::store::command::CommandStore) runs its own: without a shell, with
/// `PATH`, `HOME` and named variables, in a process group of its own, in the folder in which it was named.
#[derive(Clone)]
pub struct CommandLine {
    program: OsString,
    /// Where this process was when the command was named.
    folder: Option<PathBuf>,
    args: Vec<OsString>,
    variables: Vec<(OsString, Origin)>,
    bound: bool,
}

#[derive(Clone)]
enum Origin {
    Here(OsString),
    Passed,
}

impl CommandLine {
    /// A command without arguments; the program is looked for in `PATH` unless it is a path.
    pub fn new(program: impl Into<OsString>) -> Self {
        let program = program.into();
        let is_path = program.as_encoded_bytes().contains(&b'/');
        Self {
            program: match is_path.then(|| path::absolute(&program)) {
                Some(Ok(whole)) => whole.into_os_string(),
                Some(Err(_)) | None => program,
            },
            folder: env::current_dir().ok(),
            args: Vec::new(),
            variables: Vec::new(),
            bound: false,
        }
    }

    /// Adds arguments. Never a key: others can read them.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable for the command. Never a key: programs of the same user can read it.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables
            .push((name.into(), Origin::Here(value.into())));
        self
    }

    /// Passes a variable of this process on, as it is at each run; not set here, not set there.
    pub fn pass_env(mut self, name: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), Origin::Passed));
        self
    }

    /// Has the kernel kill the program when the thread ends that starts it. It is for a program that starts its
    /// commands on its main thread, so that none of them outlives it.
    pub fn bound_to_its_starter(mut self) -> Self {
        self.bound = true;
        self
    }

    /// The program: its whole path if it was named by one.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Runs it once, with this on its standard input, which it may read or not. Answers the last line that
    /// it printed on its standard output, without its end; one of more than 1 KiB is answered as none. All
    /// else that it prints there is read and forgotten. Dropped at an await, the whole process group is killed.
    ///
    /// # Errors
    /// `store_failed`: it cannot be started, did not end with success, or not within that time.
    pub async fn run(
        &self,
        input: SecretKeyValue,
        limit: Duration,
    ) -> Result<SecretKeyValue, StoreError> {
        self.execution().run(input, limit).await
    }

    /// One run that is ready to begin.
    pub(super) fn execution(&self) -> Execution {
        Execution {
            program: self.program.to_string_lossy().into_owned(),
            command: self.command(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear();
        if let (Some(folder), Ok(now)) = (&self.folder, env::current_dir())
            && *folder != now
        {
            command.current_dir(folder);
        }
        for name in ALWAYS_PASSED {
            pass(&mut command, OsStr::new(name));
        }
        for (name, origin) in &self.variables {
            match origin {
                Origin::Here(value) => {
                    command.env(name, value);
                }
                Origin::Passed => pass(&mut command, name),
            }
        }
        if self.bound {
            child::die_with_starter(&mut command);
        }
        command
    }
}

fn pass(command: &mut Command, name: &OsStr) {
    if let Some(value) = env::var_os(name) {
        command.env(name, value);
    }
}

impl fmt::Debug for CommandLine {
    /// Names the program only: arguments and variables are the operator's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandLine")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}
