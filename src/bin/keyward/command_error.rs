//! Why a command failed.

use std::io;
use std::path::{Path, PathBuf};

use keyward::{KeyError, RotationError};

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

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Io { .. } | Self::Process { .. } => "io",
            Self::Key(error) => error.code(),
            Self::Rotation(error) => error.code(),
        }
    }

    /// Nobody reads what is printed any more, as behind `head`.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Process { cause, .. } if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
