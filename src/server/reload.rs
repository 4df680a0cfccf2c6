//! Reading the configuration again, which is the program's own: the socket only asks for it.

use std::fmt;
use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, oneshot};

use crate::guard::fault::catch;
use crate::guard::this_thread::MustNotBlock;
use crate::secret::visible::debug_with_code;
use crate::server::grants::Grants;

/// What came of reading the configuration again.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reloaded {
    /// The grants from now on, if they changed.
    pub grants: Option<Grants>,
    /// What was changed, a sentence each.
    pub changed: Vec<String>,
    /// What differs and needs a restart, a sentence each.
    pub needs_restart: Vec<String>,
}

/// Why the configuration was not read again. Nothing was changed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The program reads no configuration.
    #[error("this keeper has no configuration that could be read again; restart it")]
    None,
    /// The configuration has faults.
    #[error("the configuration was not taken, and nothing was changed: {why}")]
    Refused {
        /// Which, and where.
        why: String,
    },
    /// What reads it panicked, or the system refuses its thread.
    #[error("what reads the configuration failed: {why}")]
    Failed {
        /// Why.
        why: String,
    },
    /// [`block_on`](crate::guard::this_thread::block_on) on a thread that must not block. Use `await` there.
    #[error("a blocking call on a thread of an actor or an async plug-in; use reload().await")]
    MustNotBlock,
}

impl From<MustNotBlock> for ReloadError {
    fn from(MustNotBlock: MustNotBlock) -> Self {
        Self::MustNotBlock
    }
}

debug_with_code!(ReloadError);

impl ReloadError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::None => "nothing_to_reload",
            Self::Refused { .. } => "configuration_refused",
            Self::Failed { .. } => "reload_failed",
            Self::MustNotBlock => "must_not_block",
        }
    }
}

/// What reads the configuration again.
type Read = dyn Fn() -> Result<Reloaded, String> + Send + Sync;

/// What reads the configuration again, one at a time, on a thread of its own.
#[derive(Clone)]
pub(super) struct Reload {
    read: Arc<Read>,
    turn: Arc<Mutex<()>>,
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reload")
    }
}

impl Reload {
    pub(super) fn new(read: impl Fn() -> Result<Reloaded, String> + Send + Sync + 'static) -> Self {
        Self {
            read: Arc::new(read),
            turn: Arc::default(),
        }
    }

    /// Reads it.
    pub(super) async fn read(&self) -> Result<Reloaded, ReloadError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (told, read) = oneshot::channel();
        let reads = Arc::clone(&self.read);
        let failed = |why: String| ReloadError::Failed { why };
        let thread = thread::Builder::new().name("keyward-reload".to_owned());
        let started = thread.spawn(move || {
            let read = catch(|| reads());
            drop(turn);
            drop(told.send(read));
        });
        started.map_err(|error| failed(error.to_string()))?;
        match read.await {
            Ok(Ok(read)) => read.map_err(|why| ReloadError::Refused { why }),
            Ok(Err(fault)) => Err(failed(fault.to_string())),
            Err(_) => Err(failed("its thread ended".to_owned())),
        }
    }
}
