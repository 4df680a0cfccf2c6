//! `keyward workers`: the roster.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;
use crate::shown::workers;

/// List the workers with their callbacks and instances.
#[derive(Debug, Args)]
pub struct WorkersOptions {
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks and prints.
pub async fn run(options: &WorkersOptions) -> Result<Ended, CommandError> {
    let workers = options.keeper.connect().await?.workers().await?;
    options.printing.object(&json!({ "workers": workers }))?;
    options
        .printing
        .line(workers::table(options.printing.paint(), &workers))?;
    Ok(Ended::Done)
}
