//! Why a command failed.

use std::io;
use std::path::{Path, PathBuf};

use keyward::{InvalidName, KeeperError, KeyError, RotationError, ServeError, StartError};
use tracing_subscriber::filter::ParseError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line or a configuration is wrong.
    #[error("{0}")]
    Usage(String),
    /// A file or a folder.
    #[error("{action} {path}: {cause}", path = path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Something of the process: standard input or output, signals, the runtime.
    #[error("{what} failed: {cause}")]
    Process {
        /// What was done.
        what: &'static str,
        /// What the operating system said.
        cause: io::Error,
    },
    /// What a file or standard input has is no key.
    #[error("{source_name} has no key: {why}")]
    NoKey {
        /// Which file, or standard input.
        source_name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A signal ended the command before it was done.
    #[error("{0}")]
    Interrupted(String),
    /// There is no way to the keeper.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The variable KEYWARD_LOG.
    #[error("KEYWARD_LOG is no filter: {0}; try KEYWARD_LOG=debug")]
    Log(#[from] ParseError),
    /// A keeper did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The socket is not served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A call on a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A call on workers or rotations.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

impl CommandError {
    /// For `map_err`: what was done to which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io {
            action,
            path,
            cause,
        }
    }

    /// For `map_err`: what was done.
    pub fn process(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Process { what, cause }
    }

    /// For `map_err`: a name that cannot be one.
    pub fn name(cause: InvalidName) -> Self {
        Self::Rotation(cause.into())
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Log(_) => "usage",
            Self::Io { .. } | Self::Process { .. } => "io",
            Self::Interrupted(_) => "interrupted",
            Self::NoKey { .. } => "invalid_key",
            Self::Keeper(error) => error.code(),
            Self::Start(error) => error.code(),
            Self::Serve(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Rotation(error) => error.code(),
        }
    }

    /// Whether the same command may succeed later without anything being mended first.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Usage(_)
            | Self::Log(_)
            | Self::Start(_)
            | Self::Serve(_)
            | Self::Io { .. }
            | Self::Process { .. }
            | Self::NoKey { .. }
            | Self::Interrupted(_) => false,
            Self::Keeper(error) => error.is_retriable(),
            Self::Key(error) => error.is_retriable(),
            Self::Rotation(error) => error.is_retriable(),
        }
    }

    /// Whether the keeper gave no answer within the client's time, as one that is stopped or hangs.
    pub fn is_unanswered(&self) -> bool {
        let error = match self {
            Self::Keeper(error)
            | Self::Key(KeyError::Keeper(error))
            | Self::Rotation(RotationError::Keeper(error)) => error,
            _ => return false,
        };
        error.code() == "timed_out" && !error.is_from_keeper()
    }

    /// The reader of what is printed has gone, as behind `head`.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Process { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
