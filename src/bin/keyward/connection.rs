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
    /// Trust a keeper that runs as this user, by number. Trusted anyway are root, this user, and the owner of the
    /// socket's folder where everything above it is root's alone
    #[arg(long, global = true, value_name = "USER")]
    trust_user: Option<u32>,
}

impl KeeperOptions {
    /// Connects to it.
    ///
    /// # Errors
    /// It does not answer, or is not trusted.
    pub async fn connect(&self) -> Result<Client, CommandError> {
        let mut client = Client::builder();
        if let Some(socket) = &self.socket {
            client = client.socket(socket);
        }
        if let Some(user) = self.trust_user {
            client = client.trust_user(user);
        }
        Ok(client.connect().await?)
    }

    /// For the commands that a person is told: they go to the same keeper.
    pub fn commands(&self) -> Commands {
        let socket = self.socket.as_ref();
        Commands {
            socket: socket.map(|path| path.to_string_lossy().into_owned()),
            trust_user: self.trust_user,
        }
    }
}
