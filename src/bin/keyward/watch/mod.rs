//! Waiting for a rotation's end: on a terminal with a bar a worker.
//!
//! Never in here: what a rotation does. It goes on whether it is watched or not.

mod bars;

use std::time::Duration;

use keyward::{Client, RotationError, RotationId, RotationReport, RotationState};
use serde_json::json;

use crate::command_error::CommandError;
use crate::ended::Ended;
use crate::hardening::complain;
use crate::printing::Printing;
use crate::shown::command::Commands;
use crate::shown::rotation;
use crate::signals::Interruption;
use crate::watch::bars::Bars;

/// How often a rotation is looked at while its bars are shown.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Waits until the rotation neither waits nor runs, and tells what became of it.
///
/// # Errors
/// The keeper does not answer, or standard output cannot be written.
pub async fn settle(
    client: &Client,
    id: RotationId,
    limit: Option<Duration>,
    mut interruption: Interruption,
    printing: &Printing,
    commands: &Commands,
) -> Result<Ended, CommandError> {
    let mut bars = Bars::on_terminal(printing);
    let passed = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let settled = tokio::select! {
        () = interruption.next() => Err((Ended::Failed, "interrupted")),
        report = client.wait(id) => Ok(report),
        () = passed => Err((Ended::TimeLimit, "time_limit")),
        never = look(client, id, &mut bars) => match never {},
    };
    let report = match settled {
        Ok(Ok(report)) => report,
        Ok(Err(RotationError::Raised { report })) => *report,
        Ok(Err(error)) => {
            bars.end();
            return Err(without_keeper(id, error.into(), commands));
        }
        Err((ended, because)) => {
            bars.end();
            goes_on(id, because, printing, commands)?;
            return Ok(ended);
        }
    };
    // The last look at it may have been before its end.
    bars.show(&report);
    bars.end();
    tell(&report, printing, commands)
}

/// Says, where the keeper has ended, that the rotation has not.
fn without_keeper(id: RotationId, error: CommandError, commands: &Commands) -> CommandError {
    if Ended::from(&error) == Ended::NoAnswer {
        let wait = commands.keyward("wait", &[&id.to_string()]);
        complain(format_args!(
            "rotation {id} goes on when the keeper runs again; to wait for it: {wait}"
        ));
    }
    error
}

/// Moves the bars as the rotation goes on.
async fn look(client: &Client, id: RotationId, bars: &mut Bars) -> std::convert::Infallible {
    if !bars.are_shown() {
        return std::future::pending().await;
    }
    loop {
        // What the wait answers is what counts; a look that failed is made again.
        if let Ok(report) = client.rotation(id).await {
            bars.show(&report);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn tell(
    report: &RotationReport,
    printing: &Printing,
    commands: &Commands,
) -> Result<Ended, CommandError> {
    printing.object(&json!({ "report": report }))?;
    printing.line(rotation::ended(printing.paint(), report, commands))?;
    Ok(match report.state {
        RotationState::Completed => Ended::Done,
        RotationState::Stopped | RotationState::CompletedWithFailures => Ended::RotationFailed,
        _ => Ended::Failed,
    })
}

/// Says that a rotation goes on without this command, and how to look at it.
///
/// # Errors
/// Standard output cannot be written.
pub fn goes_on(
    id: RotationId,
    because: &str,
    printing: &Printing,
    commands: &Commands,
) -> Result<(), CommandError> {
    let named = id.to_string();
    printing.object(&json!({ "goes_on": { "id": named, "because": because } }))?;
    let why = match because {
        "interrupted" => "Interrupted. ",
        "time_limit" => "The time limit has passed. ",
        _ => "",
    };
    let (show, wait) = (
        commands.keyward("show", &[&named]),
        commands.keyward("wait", &[&named]),
    );
    printing.line(format_args!(
        "{why}Rotation {named} goes on in the keeper.\n  to look at it:    {show}\n  to wait for it:  {wait}"
    ))
}
