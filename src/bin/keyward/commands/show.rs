//! `keyward show`: one rotation.

use clap::Args;
use keyward::RotationId;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::{Printing, now_ms};
use crate::shown::rotation;

/// Show a rotation with its steps, whether it has ended or not.
#[derive(Debug, Args)]
pub struct ShowOptions {
    /// The rotation
    id: RotationId,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks and prints.
pub async fn run(options: &ShowOptions) -> Result<Ended, CommandError> {
    let (printing, commands) = (&options.printing, options.keeper.commands());
    let report = options.keeper.connect().await?.rotation(options.id).await?;
    printing.object(&json!({ "report": report }))?;
    printing.line(rotation::whole(
        printing.paint(),
        &report,
        &commands,
        now_ms(),
    ))?;
    Ok(Ended::Done)
}
