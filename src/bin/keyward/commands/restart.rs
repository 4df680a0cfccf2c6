//! `keyward restart`: starts an actor of the keeper again that has failed.

use clap::{Args, Subcommand};
use keyward::{ActorName, KeyName, WorkerName};
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;

/// Start an actor of the keeper again that died too often and stays down, as the status tells.
#[derive(Debug, Args)]
pub struct RestartOptions {
    #[command(subcommand)]
    actor: Actor,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Which actor.
#[derive(Debug, Subcommand)]
enum Actor {
    /// The coordinator of all rotations
    Coordinator,
    /// The actor of a key
    Key {
        /// The key
        name: String,
    },
    /// The actor of a worker
    Worker {
        /// The worker
        name: String,
    },
}

/// Restarts it.
pub async fn run(options: &RestartOptions) -> Result<Ended, CommandError> {
    let actor = match &options.actor {
        Actor::Coordinator => ActorName::Coordinator,
        Actor::Key { name } => ActorName::Key(KeyName::new(name).map_err(CommandError::name)?),
        Actor::Worker { name } => {
            ActorName::Worker(WorkerName::new(name).map_err(CommandError::name)?)
        }
    };
    options.keeper.connect().await?.restart(&actor).await?;
    options
        .printing
        .object(&json!({ "restarted": actor.to_string() }))?;
    options
        .printing
        .line(format_args!("The actor of {actor} runs again."))?;
    Ok(Ended::Done)
}
