//! `keyward events`: what the keeper tells, as it happens.

use clap::{Args, ValueEnum};
use keyward::EventLevel;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;
use crate::shown::event;

/// Print what the keeper tells, a line each, from now on and until it is interrupted.
#[derive(Debug, Args)]
pub struct EventsOptions {
    /// The least serious ones that are wanted
    #[arg(long, value_enum, default_value_t = Level::Info)]
    level: Level,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// How serious an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// A person is needed
    Error,
    /// Something is not as it should be
    Warn,
    /// Something happened
    Info,
    /// For those who look for a fault
    Debug,
}

impl From<Level> for EventLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
        }
    }
}

/// Prints them until the keeper ends.
pub async fn run(options: &EventsOptions) -> Result<Ended, CommandError> {
    let printing = &options.printing;
    let client = options.keeper.connect().await?;
    let mut events = client.events(options.level.into()).await?;
    while let Some(event) = events.next().await? {
        printing.object(&json!(event))?;
        printing.line(event::line(printing.paint(), &event))?;
    }
    Ok(Ended::Done)
}
