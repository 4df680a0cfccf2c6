//! `keyward dismiss`: lets a key go on without an unreadable rotation.

use clap::Args;
use keyward::RotationId;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::limits::parse_reason;
use crate::printing::Printing;

/// Move the records of an unreadable rotation to quarantine, so that its key goes on without it.
#[derive(Debug, Args)]
pub struct DismissOptions {
    /// The rotation
    id: RotationId,
    /// Why, for the listing and the history
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Dismisses it.
pub async fn run(options: &DismissOptions) -> Result<Ended, CommandError> {
    let client = options.keeper.connect().await?;
    client
        .dismiss(options.id, options.reason.as_deref())
        .await?;
    let id = options.id.to_string();
    options.printing.object(&json!({ "dismissed": id }))?;
    options.printing.line(format_args!(
        "The records of rotation {id} are in quarantine; its key goes on without it."
    ))?;
    Ok(Ended::Done)
}
