//! `keyward history`: the rotations that have ended.

use clap::Args;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::printing::{Printing, now_ms};
use crate::shown::history;

/// List the rotations that have ended, the latest declaration first, a page at a time.
#[derive(Debug, Args)]
pub struct HistoryOptions {
    /// How many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
    /// Only those declared before the one of this number, as a page names it
    #[arg(long, value_name = "SEQUENCE")]
    before: Option<u64>,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Asks and prints.
pub async fn run(options: &HistoryOptions) -> Result<Ended, CommandError> {
    let (printing, commands) = (&options.printing, options.keeper.commands());
    let client = options.keeper.connect().await?;
    let limit = usize::from(options.limit);
    let page = match options.before {
        Some(sequence) => client.history_before(sequence, limit).await?,
        None => client.history(limit).await?,
    };
    printing.object(&serde_json::json!(page))?;
    printing.line(history::page(printing.paint(), &page, &commands, now_ms()))?;
    Ok(Ended::Done)
}
