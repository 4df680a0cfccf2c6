//! `keyward resume`: takes a rotation up again.

use clap::Args;
use keyward::RotationId;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::limits::parse_reason;
use crate::printing::Printing;

/// Take a rotation up again that was stopped or completed with failures.
///
/// Its Failed and Pending steps run when its turn comes, its Succeeded ones never again.
#[derive(Debug, Args)]
pub struct ResumeOptions {
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

/// Resumes it.
pub async fn run(options: &ResumeOptions) -> Result<Ended, CommandError> {
    let (printing, commands) = (&options.printing, options.keeper.commands());
    let client = options.keeper.connect().await?;
    client.resume(options.id, options.reason.as_deref()).await?;
    let id = options.id.to_string();
    printing.object(&json!({ "resumed": id }))?;
    printing.line(format_args!(
        "Rotation {id} runs again when its turn comes.\n  to wait for it:  {}",
        commands.keyward("wait", &[&id])
    ))?;
    Ok(Ended::Done)
}
