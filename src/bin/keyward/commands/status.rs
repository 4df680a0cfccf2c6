//! `keyward status`: whether a person is needed, for what, and how everything is.

use clap::Args;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::{Printing, now_ms};
use crate::shown::status;

/// Say whether a person is needed, for what, and by which commands; then how keys, workers and rotations are.
#[derive(Debug, Args)]
pub struct StatusOptions {
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks and prints.
pub async fn run(options: &StatusOptions) -> Result<Ended, CommandError> {
    let (printing, commands) = (&options.printing, options.keeper.commands());
    let status = options.keeper.connect().await?.status().await?;
    printing.object(&status::object(&status, &commands))?;
    printing.line(status::text(printing.paint(), &status, &commands, now_ms()))?;
    Ok(Ended::Done)
}
