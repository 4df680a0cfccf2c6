//! `keyward wait`: waits for a rotation's end.

use std::time::Duration;

use clap::Args;
use keyward::RotationId;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::limits::parse_limit;
use crate::printing::Printing;
use crate::signals::Interruption;
use crate::watch::settle;

/// Wait until a rotation neither waits nor runs, and say how it ended.
#[derive(Debug, Args)]
pub struct WaitOptions {
    /// The rotation
    id: RotationId,
    /// How long to wait, such as 30s, 5min or 2h
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    time_limit: Option<Duration>,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Waits.
pub async fn run(options: &WaitOptions) -> Result<Ended, CommandError> {
    let client = options.keeper.connect().await?;
    let commands = options.keeper.commands();
    let interruption = Interruption::watch().map_err(CommandError::process("watching signals"))?;
    settle(
        &client,
        options.id,
        options.time_limit,
        interruption,
        &options.printing,
        &commands,
    )
    .await
}
