//! Replays a file of scenarios and prints what was seen, one JSON line a scenario, in order:
//! `cargo run --example conformance -- FILE`.
//!
//! A scenario says what one key is, what its store answers, and what is done with it. It is replayed
//! through the public calls of keyward: real actors, and RocksDB in a temporary folder. A line
//! that differs from what its scenario expects is told on the other stream; it is printed all the
//! same, and is no failure of this program.

mod driver;

use std::io::{self, Write};
use std::process::ExitCode;

use driver::all::replay_all;
use driver::compare::differences;
use driver::replay::Seen;
use driver::scenario::{Scenario, scenarios};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(file), None) = (arguments.next(), arguments.next()) else {
        eprintln!("conformance: name one file of scenarios");
        return ExitCode::FAILURE;
    };
    let content = match std::fs::read_to_string(&file) {
        Ok(content) => content,
        Err(error) => {
            eprintln!("conformance: {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    };
    let scenarios = match scenarios(&content) {
        Ok(scenarios) => scenarios,
        Err(why) => {
            eprintln!("conformance: {}: {why}", file.display());
            return ExitCode::FAILURE;
        }
    };
    let mut all_well = true;
    let mut tell = |scenario: Result<&Scenario, &str>, seen: Result<Seen, String>| {
        let name = scenario.map_or_else(|name| name, |scenario| &scenario.name);
        if let Err(why) = seen.and_then(|seen| print(scenario.ok(), &seen)) {
            eprintln!("conformance: scenario {name}: {why}");
            all_well = false;
        }
    };
    if let Err(why) = replay_all(scenarios, &mut tell) {
        eprintln!("conformance: {why}");
        return ExitCode::FAILURE;
    }
    if all_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints a line; where it is not what the scenario expects, the other stream says so.
fn print(scenario: Option<&Scenario>, seen: &Seen) -> Result<(), String> {
    let line = serde_json::to_string(seen).map_err(|error| error.to_string())?;
    writeln!(io::stdout().lock(), "{line}").map_err(|error| error.to_string())?;
    if let Some(scenario) = scenario {
        for difference in differences(scenario, seen) {
            eprintln!(
                "conformance: scenario {} differs: {difference}",
                scenario.name
            );
        }
    }
    Ok(())
}
