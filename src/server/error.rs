//! Why a socket cannot be served.

use std::io;
use std::path::PathBuf;

use crate::guard::forked::Forked;
use crate::guard::this_thread::MustNotBlock;
use crate::repo::error::Holder;
use crate::secret::visible::{Visible, debug_with_code};

/// Why a socket cannot be served. Nothing at its path was changed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A living process serves this socket. Stop it, or take another path.
    #[error("the socket {} is served already, {}", Visible(.path.display()), served_by(.holder))]
    InUse {
        /// The socket's path.
        path: PathBuf,
        /// The process that serves it, if the system tells.
        holder: Option<Holder>,
    },
    /// The path is longer than a socket's may be. Take a shorter one.
    #[error("the socket's path {} has {bytes} bytes, and the system takes {most}; take a shorter one", Visible(.path.display()))]
    PathTooLong {
        /// The socket's path.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// The path is empty, or ends in no name. Name a file in a folder.
    #[error("the socket's path {:?} names no file", .path.display().to_string())]
    NoFileName {
        /// The socket's path.
        path: PathBuf,
    },
    /// A folder lies at the path. Name a file in it.
    #[error("the socket's path {} is a folder; name a file in it", Visible(.path.display()))]
    PathIsFolder {
        /// The socket's path.
        path: PathBuf,
    },
    /// Something that is no socket lies at the path, and is left alone. Move it, or take another path.
    #[error("what lies at the socket's path {} is no socket; move it away or take another path", Visible(.path.display()))]
    PathTaken {
        /// The socket's path.
        path: PathBuf,
    },
    /// The folder of the socket is missing. Make it.
    #[error("the folder of the socket {} is missing; make it, or take another path", Visible(.path.display()))]
    NoFolder {
        /// The socket's path.
        path: PathBuf,
    },
    /// This user may not make the socket there. Change the folder's owner or mode, or take another path.
    #[error("the socket {} may not be made by user {user}: {cause}; change its folder or take another path", Visible(.path.display()))]
    NotPermitted {
        /// The socket's path.
        path: PathBuf,
        /// The user of this process.
        user: u32,
        /// What the system said.
        cause: io::Error,
    },
    /// The system refuses something else about the socket.
    #[error("the socket {} cannot be served: {doing}: {cause}", Visible(.path.display()))]
    Failed {
        /// The socket's path.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// What systemd passes is no Unix stream socket that listens. Mend the socket unit (`ListenStream=` with a path).
    #[error(
        "the socket that systemd passed cannot be used: {why}; mend its unit (ListenStream= with a path)"
    )]
    Passed {
        /// What is wrong with it.
        why: String,
    },
    /// The system refuses a thread. Raise what limits them.
    #[error(
        "a thread could not be started: {0}; raise the limit of threads (`ulimit -u`, TasksMax of systemd, pids.max of a cgroup)"
    )]
    Thread(io::Error),
    /// The process has so few descriptors that no connection is left. Raise their limit.
    #[error(
        "the limit of open files, {limit}, leaves none for connections; raise it (`ulimit -n`, LimitNOFILE of systemd)"
    )]
    Descriptor {
        /// The limit.
        limit: u64,
    },
    /// A bound is zero. Give it more.
    #[error("{what} is zero; give it more")]
    ZeroBound {
        /// Which bound.
        what: &'static str,
    },
    /// The manager is shut down or shutting down.
    #[error("the manager is shut down; start one, then serve it")]
    ShutDown,
    /// The process is a child of `fork()`. Start keyward after the fork and not before it.
    #[error(transparent)]
    Forked(#[from] Forked),
    /// [`block_on`](crate::guard::this_thread::block_on) on a thread that must not block. Use `await` there.
    #[error("a blocking call on a thread of an actor or an async plug-in; use serve().await")]
    MustNotBlock,
}

debug_with_code!(ServeError);

impl ServeError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "socket_in_use",
            Self::PathTooLong { .. } => "socket_path_too_long",
            Self::NoFileName { .. } => "socket_path_unnamed",
            Self::PathIsFolder { .. } => "socket_path_is_folder",
            Self::PathTaken { .. } => "socket_path_taken",
            Self::NoFolder { .. } => "socket_folder_missing",
            Self::NotPermitted { .. } => "socket_not_permitted",
            Self::Failed { .. } => "socket_failed",
            Self::Passed { .. } => "socket_passed_unusable",
            Self::Thread(_) => "no_thread",
            Self::Descriptor { .. } => "no_descriptor",
            Self::ZeroBound { .. } => "zero_bound",
            Self::ShutDown => "shut_down",
            Self::Forked(error) => error.code(),
            Self::MustNotBlock => "must_not_block",
        }
    }
}

impl From<MustNotBlock> for ServeError {
    fn from(MustNotBlock: MustNotBlock) -> Self {
        Self::MustNotBlock
    }
}

fn served_by(holder: &Option<Holder>) -> String {
    match holder {
        Some(holder) if holder.is_this_process => {
            format!("by {holder}, which is this one; stop it first, or take another path")
        }
        Some(holder) => format!("by {holder}; stop it, or take another path"),
        None => {
            "by a process that the system does not name; stop it, or take another path".to_owned()
        }
    }
}
