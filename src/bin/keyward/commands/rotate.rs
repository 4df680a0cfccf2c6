//! `keyward rotate`: declares a change of a key.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keyward::{Change, RotationId, Uuid};
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::given_keys::Reading;
use crate::limits::{parse_limit, parse_reason};
use crate::printing::Printing;
use crate::shown::command::Commands;
use crate::shown::plan;
use crate::signals::Interruption;
use crate::watch::{goes_on, settle};

/// Declare a change of a key: every worker's callback is called with the old keys and the new ones.
///
/// The new key is read from --new-file, or from standard input; one final line end is not part of it. The
/// first line that is printed is the id of the rotation: with --id the same change can be declared again
/// without starting anything twice. The store of the key switches after the rotation has ended; that of a key
/// with versions is written by the rotation itself, if it can be.
#[derive(Debug, Args)]
pub struct RotateOptions {
    /// The key
    key: String,
    /// The file of the new key; without it standard input is read
    #[arg(long, value_name = "FILE")]
    new_file: Option<PathBuf>,
    /// Have the keeper make the new key, of so many random bytes; for a key with versions
    #[arg(long, value_name = "BYTES", conflicts_with = "new_file", value_parser = clap::value_parser!(u32).range(1..))]
    generate: Option<u32>,
    /// An earlier version of the key may have had the new key; for a key with versions
    #[arg(long)]
    again: bool,
    /// The file of the new back half, if the new key is a pair; --new-file is the forward half then
    #[arg(long, value_name = "FILE", requires = "new_file")]
    new_back_file: Option<PathBuf>,
    /// The file of the old key; without it the old keys are what the store answers now
    #[arg(long, value_name = "FILE")]
    old_file: Option<PathBuf>,
    /// The file of the old back half, if the old key is a pair; --old-file is the forward half then
    #[arg(long, value_name = "FILE", requires = "old_file")]
    old_back_file: Option<PathBuf>,
    /// A final line end of a file belongs to the key
    #[arg(long)]
    exact: bool,
    /// Change nothing: print who would do what, who is missing and what is in the way
    #[arg(long, conflicts_with_all = ["new_file", "generate", "again", "old_file", "id", "reason", "no_wait", "time_limit"])]
    plan: bool,
    /// The id of the rotation, a UUID: the same change under the same id starts nothing twice
    #[arg(long)]
    id: Option<Uuid>,
    /// Why, for the listing and the history
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
    /// Do not wait for the end
    #[arg(long, conflicts_with = "time_limit")]
    no_wait: bool,
    /// How long to wait for the end, such as 30s, 5min or 2h; the rotation goes on after it
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    time_limit: Option<Duration>,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

/// Declares it, and waits unless it is not to.
pub async fn run(options: &RotateOptions) -> Result<Ended, CommandError> {
    let (printing, commands) = (&options.printing, options.keeper.commands());
    if options.plan {
        let plan = options.keeper.connect().await?.plan(&options.key).await?;
        printing.object(&json!({ "plan": plan }))?;
        printing.line(plan::text(printing.paint(), &plan, &commands))?;
        return Ok(Ended::Done);
    }
    let change = change(options)?;
    let client = options.keeper.connect().await?;
    let mut interruption =
        Interruption::watch().map_err(CommandError::process("watching signals"))?;
    let id = RotationId::new(options.id.unwrap_or_else(Uuid::now_v7));
    let change = change.id(id);
    printing.line(id)?;
    printing.object(&json!({ "id": id.to_string() }))?;
    tokio::select! {
        () = interruption.next() => return Err(undecided(id, &commands)),
        declared = client.declare(change) => { declared?; }
    }
    if options.no_wait {
        goes_on(id, "no_wait", printing, &commands)?;
        return Ok(Ended::Done);
    }
    settle(
        &client,
        id,
        options.time_limit,
        interruption,
        printing,
        &commands,
    )
    .await
}

/// The change, with the keys that the files have.
fn change(options: &RotateOptions) -> Result<Change, CommandError> {
    let reading = Reading {
        exact: options.exact,
    };
    let change = Change::of(&options.key);
    let mut change = match (&options.generate, &options.new_file) {
        (Some(bytes), _) => change.generate(usize::try_from(*bytes).unwrap_or(usize::MAX)),
        (None, Some(file)) => {
            change.new_keys(reading.files(file, options.new_back_file.as_deref())?)
        }
        (None, None) => change.new_keys(reading.standard_input("--new-file FILE")?),
    };
    change = match &options.old_file {
        Some(file) => change.old(reading.files(file, options.old_back_file.as_deref())?),
        None => change.old_from_store(),
    };
    if options.again {
        change = change.again();
    }
    if let Some(reason) = &options.reason {
        change = change.reason(reason);
    }
    Ok(change)
}

fn undecided(id: RotationId, commands: &Commands) -> CommandError {
    let show = commands.keyward("show", &[&id.to_string()]);
    CommandError::Interrupted(format!(
        "interrupted before the keeper had answered; whether it accepted rotation {id} tells: {show}. The same \
         command with --id {id} starts nothing twice"
    ))
}
