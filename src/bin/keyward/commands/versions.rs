//! `keyward versions`: the versions of a key.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::{Printing, now_ms};
use crate::shown::versions;

/// List the versions of a key, the newest first: their states, and which workers may hold data under each.
#[derive(Debug, Args)]
pub struct VersionsOptions {
    /// The key
    key: String,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks and prints.
pub async fn run(options: &VersionsOptions) -> Result<Ended, CommandError> {
    let (printing, key) = (&options.printing, &options.key);
    let versions = options.keeper.connect().await?.versions(key).await?;
    printing.object(&json!({ "key": key, "versions": versions }))?;
    printing.line(versions::table(printing.paint(), &versions, now_ms()))?;
    Ok(Ended::Done)
}
