//! `keyward healthcheck`: whether the keeper is well, for what watches it.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;

/// Ask whether rotations can run in the keeper: exit status 0 if they can, 1 if not, 4 if it does not answer.
#[derive(Debug, Args)]
pub struct HealthcheckOptions {
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks.
pub async fn run(options: &HealthcheckOptions) -> Result<Ended, CommandError> {
    let serving = options.keeper.connect().await?.is_serving().await?;
    options.printing.object(&json!({ "serving": serving }))?;
    options.printing.line(match serving {
        true => "serving",
        false => "not serving: rotations cannot run; `keyward status` says why",
    })?;
    Ok(match serving {
        true => Ended::Done,
        false => Ended::Failed,
    })
}
