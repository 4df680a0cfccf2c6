//! The keeper that a command asks.

use std::path::PathBuf;

use clap::Args;
use keyward::Client;

use crate::command_error::CommandError;
use crate::shown::command::Commands;

/// Which keeper is asked.
#[derive(Debug, Args)]
pub struct KeeperOptions {
    /// The keeper's socket: a path or a unix: address [default: KEYWARD_SOCKET, else
    /// /run/keyward/keyward.sock]
    #[arg(long, global = true, value_name = "SOCKET")]
    socket: Option<PathBuf>,
}

impl KeeperOptions {
    /// Connects to it.
    ///
    /// # Errors
    /// It does not answer, or is not trusted.
    pub async fn connect(&self) -> Result<Client, CommandError> {
        Ok(match &self.socket {
            Some(socket) => Client::at(socket).await?,
            None => Client::connect().await?,
        })
    }

    /// For the commands that a person is told: they go to the same keeper.
    pub fn commands(&self) -> Commands {
        let socket = self.socket.as_ref();
        Commands {
            socket: socket.map(|path| path.to_string_lossy().into_owned()),
        }
    }
}
