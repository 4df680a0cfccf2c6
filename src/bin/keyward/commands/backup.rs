//! `keyward backup`: has the keeper make a consistent copy of its data folder.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;

/// Have the keeper copy its data folder, while it is in use, into the folder that its configuration names.
#[derive(Debug, Args)]
pub struct BackupOptions {
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Makes it.
pub async fn run(options: &BackupOptions) -> Result<Ended, CommandError> {
    let folder = options.keeper.connect().await?.backup().await?;
    options
        .printing
        .object(&json!({ "backup": folder.to_string_lossy() }))?;
    options.printing.line(format_args!(
        "The backup is {}. It opens with the same master key, of which it has no copy.",
        folder.display()
    ))?;
    Ok(Ended::Done)
}
