//! Why `keyward run` itself failed.

use std::io;
use std::path::{Path, PathBuf};

use keyward::{KeyError, RotationError};

use crate::command_error::CommandError;

/// Why `keyward run` could not give a program its keys, or supervise it. No variant holds a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A key could not be written to its file: look at its folder, and at the free space.
    #[error("cannot write the key file {}: {cause}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The program cannot be started.
    #[error("cannot run {program}: {cause}")]
    Start {
        /// The program as it was named.
        program: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// A key's value has a byte that no variable can hold: give it in a file.
    #[error(
        "the key {key} has a zero byte, which no variable can hold; give it as {key}=file:PATH"
    )]
    ZeroByte {
        /// Which key.
        key: String,
    },
    /// The program went on in the background, where it cannot be supervised.
    #[error(
        "{program} ended with success while processes that it started went on: it puts itself into the \
         background, where it cannot be supervised, so they were ended; start it so that it stays in the \
         foreground"
    )]
    Daemon {
        /// The program as it was named.
        program: String,
    },
    /// Two keys are to be in one place.
    #[error(
        "the keys {one} and {other} are to be in the same place, {place}; give each a place of its own"
    )]
    SamePlace {
        /// One key.
        one: String,
        /// The other one.
        other: String,
        /// The path or the variable.
        place: String,
    },
    /// The system refused what supervision needs.
    #[error("{what} failed: {cause}")]
    System {
        /// What was done.
        what: &'static str,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The keeper does not answer.
    #[error(transparent)]
    Keeper(#[from] CommandError),
    /// A key could not be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The worker could not join or register.
    #[error(transparent)]
    Rotation(#[from] RotationError),
}

impl RunError {
    /// For `map_err`: which key file could not be written.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::File { path, cause }
    }

    /// For `map_err`: what was done.
    pub fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}
