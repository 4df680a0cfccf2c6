//! `keyward check-config`: everything that is wrong with a configuration.

use clap::Args;
use serde_json::json;

use crate::command_error::CommandError;
use crate::config::location::Location;
use crate::config::{Config, NoConfig};
use crate::ended::Ended;
use crate::hardening::complain;
use crate::printing::Printing;

/// Check a configuration: every fault is named with its line and column. Nothing is started.
#[derive(Debug, Args)]
pub struct CheckConfigOptions {
    #[command(flatten)]
    location: Location,
    #[command(flatten)]
    pub printing: Printing,
}

/// Checks it.
pub fn run(options: &CheckConfigOptions) -> Result<Ended, CommandError> {
    let path = options.location.path().map_err(CommandError::Usage)?;
    let config = match Config::read(&path) {
        Ok(config) => config,
        Err(none) => {
            let faults = match &none {
                NoConfig::Faults(faults) => faults.as_slice(),
                NoConfig::Unreadable(_) => &[],
            };
            let faults = faults.iter().map(
                |fault| json!({ "line": fault.line, "column": fault.column, "text": fault.text }),
            );
            let faults: Vec<_> = faults.collect();
            let why = none.unreadable();
            options.printing.object(&json!({
                "file": path.to_string_lossy(), "valid": false, "unreadable": why, "faults": faults,
            }))?;
            none.tell(&path);
            return Ok(Ended::Usage);
        }
    };
    for warning in config.warnings() {
        complain(format_args!("{}: {warning}", path.display()));
    }
    let keys = config.keys.len();
    let grants = config.grants.as_ref().map_or(0, Vec::len);
    options.printing.line(format_args!(
        "{} has no fault; keys: {keys}, grants: {grants}",
        path.display()
    ))?;
    options.printing.object(&json!({
        "file": path.to_string_lossy(), "valid": true, "faults": [], "warnings": config.warnings(),
        "keys": keys, "grants": grants,
    }))?;
    Ok(Ended::Done)
}
