//! Why the demo could not go on.

use std::io;
use std::path::{Path, PathBuf};

use keyward::{CryptoError, KeyError, RotationError, StartError};

/// Why the demo, or its server, could not go on. No variant holds a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The operating system refused something: look at its reason, at the free space of the
    /// temporary folder, and at its rights.
    #[error("{action} {} failed: {cause}", path.display())]
    Io {
        /// What was done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Nothing can be written to standard output, or signals cannot be watched.
    #[error("{what} failed: {cause}")]
    Process {
        /// What was done.
        what: &'static str,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A manager did not start.
    #[error("keyward did not start: {0}")]
    Start(#[from] StartError),
    /// A key could not be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A call on workers or rotations failed.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// A document could not be sealed, or its key is too short.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The change came to a callback without its keys: a fault of the demo's.
    #[error("the callback was given no old or no new keys")]
    NoKeys,
    /// A document opens with neither key: it was damaged, or the keys are not those of this folder.
    #[error("the document {name} opens with neither the old nor the new key")]
    Lost {
        /// Which document.
        name: String,
    },
    /// The server did something that it was not asked to do. Its own reason, if it had one, is on
    /// standard error.
    #[error("the server {what}")]
    Server {
        /// What it did.
        what: String,
    },
    /// A signal ended the demo.
    #[error("interrupted")]
    Interrupted,
}

impl DemoError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Process { .. } => "io",
            Self::Start(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Rotation(error) => error.code(),
            Self::Crypto(error) => error.code(),
            Self::NoKeys => "no_keys",
            Self::Lost { .. } => "document_lost",
            Self::Server { .. } => "server_failed",
            Self::Interrupted => "interrupted",
        }
    }

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
}
