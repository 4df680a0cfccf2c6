//! `keyward reload`: has the keeper read its configuration anew.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::Printing;

/// Have the keeper read its configuration anew: keys are added and grants changed, all or nothing.
///
/// Everything else that differs is named; it needs a restart of the keeper, and is not changed.
#[derive(Debug, Args)]
pub struct ReloadOptions {
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Has it read anew.
pub async fn run(options: &ReloadOptions) -> Result<Ended, CommandError> {
    let report = options.keeper.connect().await?.reload().await?;
    options.printing.object(&json!({
        "changed": report.changed, "needs_restart": report.needs_restart,
    }))?;
    for what in &report.changed {
        options.printing.line(what)?;
    }
    for what in &report.needs_restart {
        let what = format_args!("{what}; restart the keeper for it");
        options.printing.line(what)?;
    }
    if report.changed.is_empty() && report.needs_restart.is_empty() {
        options.printing.line("nothing differs")?;
    }
    Ok(Ended::Done)
}
