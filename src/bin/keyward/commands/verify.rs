//! `keyward verify`: whether every record of a data folder can be read.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use keyward::KeysManagement;
use serde_json::json;

use crate::command_error::CommandError;
use crate::config::Config;
use crate::config::location::Location;
use crate::config::source::MASTER_KEY_TIME_LIMIT;
use crate::ended::{Ended, within_runtime};
use crate::printing::Printing;

/// Open every record of the data folder and name those that cannot be read. Nothing is changed.
///
/// No keeper may run on the folder meanwhile.
#[derive(Debug, Args)]
pub struct VerifyOptions {
    #[command(flatten)]
    location: Location,
    /// Another folder under the same master key, such as a backup
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    printing: Printing,
}

/// Verifies it.
pub fn run(options: &VerifyOptions) -> ExitCode {
    within_runtime(&options.printing, verify(options))
}

async fn verify(options: &VerifyOptions) -> Result<Ended, CommandError> {
    let path = options.location.path().map_err(CommandError::Usage)?;
    let config = match Config::read(&path) {
        Ok(config) => config,
        Err(none) => {
            let why = none.lines(&path).join("\n");
            options.printing.failure("usage", &why, false);
            none.tell(&path);
            return Ok(Ended::Usage);
        }
    };
    let master_key = config.master_key.store(MASTER_KEY_TIME_LIMIT);
    let folder = options.folder.as_ref().unwrap_or(&config.data_folder);
    let verified = KeysManagement::builder()
        .data_folder(folder)
        .allow_shared_folder(config.allow_shared_folder)
        .master_key(master_key.map_err(CommandError::Usage)?)
        .verify()
        .await?;
    let folder = folder.display();
    options
        .printing
        .line(format_args!("{folder}: {verified}"))?;
    options.printing.object(&json!({
        "folder": folder.to_string(),
        "whole": verified.is_whole(),
        "records": verified.records,
        "unreadable_rotations": verified.unreadable_rotations,
        "unreadable": verified.unreadable,
    }))?;
    Ok(match verified.is_whole() {
        true => Ended::Done,
        false => Ended::Failed,
    })
}
