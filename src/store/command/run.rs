//! One run of a command, from its start to the value that it printed.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::secret::value::InvalidKey;
use crate::store::buffer::LineEnd;
use crate::store::command::output::{ErrorOutput, Output};
use crate::store::command::process::{Process, Watch};
use crate::store::error::StoreError;
use crate::store::keys_store::Fetched;

/// How long the pipes are still read after the program itself has ended. What it wrote is in them
/// by then; only processes that it left behind can hold them open.
const GRACE: Duration = Duration::from_millis(200);

/// A command that is ready to be run once.
pub(super) struct Run {
    pub(super) program: String,
    pub(super) command: Command,
    pub(super) line_end: LineEnd,
    pub(super) time_limit: Duration,
}

impl Run {
    /// Runs it. Dropped at an await, the whole process group is killed.
    pub(super) async fn fetched(self) -> Fetched {
        let program = self.program;
        let cannot = |source: io::Error| StoreError::Start {
            program: program.clone(),
            source: Arc::new(source),
        };
        // tokio panics where there is no runtime; here that is an error.
        Handle::try_current().map_err(|error| cannot(io::Error::other(error)))?;
        let (process, watch) = Process::start(self.command).map_err(cannot)?;

        let (mut output, mut errors) = (Output::new(), ErrorOutput::new());
        let limit = self.time_limit;
        timeout(limit, ended(watch, &mut output, &mut errors))
            .await
            .map_err(|_| StoreError::TimedOut { limit })?
            .map_err(cannot)??;
        let status = process.finish().map_err(cannot)?;
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

/// Waits for the program's end, and for all that it printed. A program that printed too much is not
/// waited for.
async fn ended(
    watch: Watch,
    output: &mut Output,
    errors: &mut ErrorOutput,
) -> io::Result<Result<(), InvalidKey>> {
    let Watch {
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
                end.readable().await?.retain_ready();
            }
            Ok(read)
        }
        ended = end.readable() => {
            ended?.retain_ready();
            Ok(timeout(GRACE, reading).await.unwrap_or(Ok(())))
        }
    }
}
