//! How a command ended: its exit status.

use std::process::ExitCode;

use crate::command_error::CommandError;
use crate::hardening::complain;
use crate::printing::Printing;
use crate::runtime::runtime;

/// How a command ended. Its number is the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ended {
    /// What was asked for is done.
    Done = 0,
    /// It failed, or found something that is not well.
    Failed = 1,
    /// The command line or a configuration is wrong; nothing was done.
    Usage = 2,
    /// A rotation stopped, or completed with failures.
    RotationFailed = 3,
    /// The keeper does not answer.
    NoAnswer = 4,
    /// The keeper does not permit it.
    NotPermitted = 5,
    /// A time limit passed.
    TimeLimit = 6,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(ended as u8)
    }
}

impl From<&CommandError> for Ended {
    fn from(error: &CommandError) -> Self {
        match error.code() {
            "usage" | "invalid_socket" | "configuration_refused" => Self::Usage,
            "keeper_unavailable" | "untrusted_keeper" | "shut_down" => Self::NoAnswer,
            "permission_denied" => Self::NotPermitted,
            "timed_out" if error.is_unanswered() => Self::NoAnswer,
            "timed_out" => Self::TimeLimit,
            "callbacks_failed" => Self::RotationFailed,
            _ => Self::Failed,
        }
    }
}

/// The exit status of a command; says on standard error why it failed, and with `--json` in an object too.
pub fn exit(printing: &Printing, ended: Result<Ended, CommandError>) -> ExitCode {
    let ended = ended.unwrap_or_else(|error| {
        if !error.is_closed_pipe() {
            printing.failure(error.code(), &error, error.is_retriable());
            complain(format_args!("{error} ({})", error.code()));
        }
        Ended::from(&error)
    });
    ended.into()
}

/// Runs a command that is a future, as [`exit`].
pub fn within_runtime(
    printing: &Printing,
    command: impl Future<Output = Result<Ended, CommandError>>,
) -> ExitCode {
    let ended = runtime()
        .map_err(CommandError::process("starting the runtime"))
        .and_then(|runtime| runtime.block_on(command));
    exit(printing, ended)
}
