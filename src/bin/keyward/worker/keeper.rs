//! Which keeper a worker joins.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keyward::{Client, KeeperError};

/// How long a process waits with its end, so that what it has said last is written to the keeper.
pub const LAST_WORDS: Duration = Duration::from_millis(200);

/// Where the keeper is.
#[derive(Debug, Args)]
pub struct Keeper {
    /// The keeper's socket: a path or a unix: address [default: KEYWARD_SOCKET, or /run/keyward/keyward.sock]
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
}

impl Keeper {
    /// Connects to it.
    ///
    /// # Errors
    /// As `Client::connect`.
    pub async fn connect(&self) -> Result<Client, KeeperError> {
        match &self.socket {
            Some(socket) => Client::at(socket).await,
            None => Client::connect().await,
        }
    }
}
