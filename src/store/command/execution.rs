//! One execution of a command, from its start to the value that it printed.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::secret::text::ForeignText;
use crate::secret::value::{InvalidKey, SecretKeyValue};
use crate::store::buffer::LineEnd;
use crate::store::command::output::{ErrorOutput, LastLine, Output};
use crate::store::command::process::{CommandProcess, CommandWatch, LeaderEnd, NotStarted};
use crate::store::error::StoreError;
use crate::store::keys_store::{FetchResult, StoreRequest};

/// How long the pipes are still read after the program itself has ended. What it wrote is in them
/// by then; only processes that it left behind can hold them open.
const GRACE: Duration = Duration::from_millis(200);

/// A command that is ready to be run once.
pub(super) struct Execution {
    pub(super) program: String,
    pub(super) command: Command,
}

impl Execution {
    /// Runs it for the value that it prints. Dropped at an await, the whole process group is killed.
    pub(super) async fn fetched(
        mut self,
        line_end: LineEnd,
        limit: Duration,
        request: StoreRequest,
    ) -> FetchResult {
        let (process, watch) = self.start(false)?;
        let (mut output, mut errors) = (Output::new(), ErrorOutput::new());
        let talk = async {
            let errors = async {
                errors.read(watch.stderr).await;
                Ok(())
            };
            tokio::try_join!(output.read(watch.stdout), errors).map(|_| ())
        };
        // The key's limit ends it here too, and not from outside: what it said so far would be lost.
        let time = request.left(limit);
        let ended = ended(watch.end, time.0, talk).await;
        self.judge(process, ended, time.1, || errors.into_text(&output))?;
        output.into_value(line_end).map(Into::into)
    }

    /// Runs it with an input, for the last line that it prints. Dropped at an await, the whole process
    /// group is killed.
    pub(super) async fn run(
        mut self,
        input: SecretKeyValue,
        limit: Duration,
    ) -> Result<SecretKeyValue, StoreError> {
        let (process, watch) = self.start(true)?;
        let (mut output, mut errors) = (LastLine::new(), ErrorOutput::new());
        let write = async {
            if let Some(mut stdin) = watch.stdin {
                // A program that closes its input does not want the rest of it.
                drop(stdin.write_all(input.expose()).await);
            }
        };
        let talk = async {
            tokio::join!(write, output.read(watch.stdout), errors.read(watch.stderr));
            Ok(())
        };
        let ended = ended(watch.end, limit, talk).await;
        self.judge(process, ended, limit, || errors.into_whole_text())?;
        Ok(output.into_value())
    }

    fn start(&mut self, input: bool) -> Result<(CommandProcess, CommandWatch), StoreError> {
        // tokio panics where there is no runtime; here that is an error.
        Handle::try_current().map_err(|error| self.cannot(io::Error::other(error)))?;
        let started = CommandProcess::start(&mut self.command, input);
        started.map_err(|why| match why {
            NotStarted::Program(cause) => self.cannot(cause),
            NotStarted::Other(error) => error,
        })
    }

    fn cannot(&self, cause: io::Error) -> StoreError {
        let looked = where_it_was_looked_for(&self.program, &self.command);
        StoreError::Start {
            program: format!("{}{looked}", self.program),
            cause: Arc::new(cause),
        }
    }

    /// Ends its group, and answers whether it ended in time and with success.
    fn judge(
        self,
        process: CommandProcess,
        ended: Option<Result<(), InvalidKey>>,
        limit: Duration,
        said: impl FnOnce() -> ForeignText,
    ) -> Result<(), StoreError> {
        let program = self.program;
        let Some(ended) = ended else {
            return Err(StoreError::TimedOut {
                stderr: said(),
                program,
                limit,
            });
        };
        ended?;
        let status = process.finish(&program)?;
        if !status.success() {
            return Err(StoreError::Command {
                stderr: said(),
                program,
                status,
            });
        }
        Ok(())
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

/// Waits for the program's end, and for what is read and written meanwhile; `None` if that takes longer than
/// the limit. A program that printed too much is not waited for.
async fn ended(
    end: LeaderEnd,
    limit: Duration,
    talk: impl Future<Output = Result<(), InvalidKey>>,
) -> Option<Result<(), InvalidKey>> {
    let ended = async {
        tokio::pin!(talk);
        tokio::select! {
            talked = &mut talk => {
                if talked.is_ok() {
                    end.wait().await;
                }
                talked
            }
            () = end.wait() => timeout(GRACE, talk).await.unwrap_or(Ok(())),
        }
    };
    timeout(limit, ended).await.ok()
}
