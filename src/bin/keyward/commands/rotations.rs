//! `keyward rotations`: the rotations that have not ended.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::{Printing, now_ms};
use crate::shown::rotation;

/// List the rotations that have not ended, in the order of the declarations.
#[derive(Debug, Args)]
pub struct RotationsOptions {
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks and prints.
pub async fn run(options: &RotationsOptions) -> Result<Ended, CommandError> {
    let rotations = options.keeper.connect().await?.rotations().await?;
    options
        .printing
        .object(&json!({ "rotations": rotations }))?;
    options.printing.line(match rotations.as_slice() {
        [] => "No rotation is open.".to_owned(),
        some => rotation::table(options.printing.paint(), some, &[], now_ms()),
    })?;
    Ok(Ended::Done)
}
