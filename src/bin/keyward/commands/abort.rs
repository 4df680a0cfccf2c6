//! `keyward abort`: ends a rotation for good.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;
use keyward::{RotationId, RotationReport};
use serde_json::json;

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::limits::parse_reason;
use crate::printing::Printing;
use crate::shown::command::Commands;

/// End a rotation for good. It undoes nothing, and the rotation's keys leave the journal.
///
/// The workers whose steps have not succeeded may hold data under the old key. They have to be confirmed: on a
/// terminal by an answer, else by --yes with their names.
#[derive(Debug, Args)]
pub struct AbortOptions {
    /// The rotation
    id: RotationId,
    /// Do not ask: the workers whose steps have not succeeded, which are given up
    #[arg(long, value_name = "WORKER", num_args = 0..)]
    yes: Option<Vec<String>>,
    /// Why, for the listing and the history
    #[arg(long, value_parser = parse_reason)]
    reason: Option<String>,
    #[command(flatten)]
    keeper: KeeperOptions,
    #[command(flatten)]
    pub printing: Printing,
}

#[cfg(test)]
impl AbortOptions {
    /// The workers that --yes names.
    pub fn confirmed(&self) -> Vec<&str> {
        let named = self.yes.iter().flatten();
        named.map(String::as_str).collect()
    }
}

/// Aborts it.
pub async fn run(options: &AbortOptions) -> Result<Ended, CommandError> {
    let client = options.keeper.connect().await?;
    let confirmed = match &options.yes {
        Some(named) => named.clone(),
        None => {
            let report = client.rotation(options.id).await?;
            confirm(&report, &options.keeper.commands())?
        }
    };
    let named: Vec<&str> = confirmed.iter().map(String::as_str).collect();
    client
        .abort(options.id, &named, options.reason.as_deref())
        .await?;
    let id = options.id.to_string();
    options
        .printing
        .object(&json!({ "aborted": id, "given_up": confirmed }))?;
    options.printing.line(format_args!(
        "Rotation {id} is aborted; its keys have left the journal."
    ))?;
    Ok(Ended::Done)
}

/// Has a person confirm which workers are given up, and answers their names.
fn confirm(report: &RotationReport, commands: &Commands) -> Result<Vec<String>, CommandError> {
    let workers = report.unsucceeded_workers();
    let names: Vec<String> = workers
        .iter()
        .map(|worker| worker.as_str().to_owned())
        .collect();
    let (id, key) = (report.id, &report.key);
    if !io::stdin().is_terminal() {
        if names.is_empty() {
            return Ok(names);
        }
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(CommandError::Usage(format!(
            "these workers' steps have not succeeded, and may hold data under the old key; confirm them: {}",
            commands.confirmed_abort(&id.to_string(), &named)
        )));
    }
    let shown: Vec<String> = workers.iter().map(ToString::to_string).collect();
    let given_up = match shown.as_slice() {
        [] => "Every step of it has succeeded.".to_owned(),
        some => format!(
            "The steps of these workers have not succeeded, and may hold data under the old key: {}.",
            some.join(", ")
        ),
    };
    let asked = || {
        let mut out = io::stderr();
        write!(
            out,
            "Abort rotation {id} of key {key}. It undoes nothing, and its keys leave the journal.\n{given_up}\n\
             Type yes to give them up: "
        )?;
        out.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer)
    };
    let answer: String = asked().map_err(CommandError::process("asking on the terminal"))?;
    match answer.trim() {
        "yes" => Ok(names),
        _ => Err(CommandError::Interrupted(
            "nothing was aborted, for the answer was not yes".to_owned(),
        )),
    }
}
