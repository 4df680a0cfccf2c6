//! One execution of a command, from its start to the value that it printed.

use std::ffi::OsStr;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::secret::value::InvalidKey;
use crate::store::buffer::LineEnd;
use crate::store::command::output::{ErrorOutput, Output};
use crate::store::command::process::{NotStarted, Process, ProcessWatch};
use crate::store::error::StoreError;
use crate::store::keys_store::{FetchResult, StoreRequest};

/// How long the pipes are still read after the program itself has ended. What it wrote is in them
/// by then; only processes that it left behind can hold them open.
const GRACE: Duration = Duration::from_millis(200);

/// A command that is ready to be run once.
pub(super) struct Execution {
    pub(super) program: String,
    pub(super) command: Command,
    pub(super) line_end: LineEnd,
    pub(super) time_limit: Duration,
    pub(super) request: StoreRequest,
}

impl Execution {
    /// Runs it. Dropped at an await, the whole process group is killed.
    pub(super) async fn fetched(self) -> FetchResult {
        let program = self.program;
        let looked = where_it_was_looked_for(&program, &self.command);
        let cannot = |cause: io::Error| StoreError::Start {
            program: format!("{program}{looked}"),
            cause: Arc::new(cause),
        };
        // tokio panics where there is no runtime; here that is an error.
        Handle::try_current().map_err(|error| cannot(io::Error::other(error)))?;
        let (process, watch) = Process::start(self.command).map_err(|why| match why {
            NotStarted::Program(cause) => cannot(cause),
            NotStarted::Other(error) => error,
        })?;

        let (mut output, mut errors) = (Output::new(), ErrorOutput::new());
        // The key's limit ends it here too, and not from outside: what it said so far would be lost.
        let (left, limit) = self.request.left(self.time_limit);
        let Ok(ended) = timeout(left, ended(watch, &mut output, &mut errors)).await else {
            return Err(StoreError::TimedOut {
                stderr: errors.into_text(&output),
                program,
                limit,
            });
        };
        ended?;
        let status = process.finish(&program)?;
        if !status.success() {
            return Err(StoreError::Command {
                stderr: errors.into_text(&output),
                program,
                status,
            });
        }
        output.into_value(self.line_end).map(Into::into)
    }
}

/// Where a program that is no path was looked for, and the folder that a run is made in if it is not
/// this process's own.
fn where_it_was_looked_for(program: &str, command: &Command) -> String {
    let folder = command.get_current_dir();
    let folder = folder.map(|folder| format!(" in {}", folder.display()));
    let path = (!program.contains('/')).then(|| {
        let variable = |(name, _): &(&OsStr, _)| *name == "PATH";
        match command.get_envs().find(variable).and_then(|(_, path)| path) {
            Some(path) => format!(", looked for in PATH={}", path.display()),
            None => ", looked for where the system does without PATH".to_owned(),
        }
    });
    folder.unwrap_or_default() + &path.unwrap_or_default()
}

/// Waits for the program's end, and for all that it printed. A program that printed too much is not
/// waited for.
async fn ended(
    watch: ProcessWatch,
    output: &mut Output,
    errors: &mut ErrorOutput,
) -> Result<(), InvalidKey> {
    let ProcessWatch {
        end,
        stdout,
        stderr,
    } = watch;
    let reading = async {
        let errors = async {
            errors.read(stderr).await;
            Ok(())
        };
        tokio::try_join!(output.read(stdout), errors).map(|_| ())
    };
    tokio::pin!(reading);
    tokio::select! {
        read = &mut reading => {
            if read.is_ok() {
                end.wait().await;
            }
            read
        }
        () = end.wait() => timeout(GRACE, reading).await.unwrap_or(Ok(())),
    }
}
