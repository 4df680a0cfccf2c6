//! The command line: `keyward demo`.
//!
//! It uses the crate by its public name only. Keys never pass over the command line or the
//! environment; whatever needs one is given the path of its file.
//!
//! Exit status: 0 if all went well, 1 if something failed, 2 if the command line is wrong.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod demo;
mod hardening;

use demo::options::{DemoOptions, ServerOptions};

/// Secret keys that many workers share and that change while everything runs.
///
/// Set KEYWARD_LOG to error, warn, info, debug or trace to see more or less of what happens, on
/// standard error. It takes a filter as well, such as keyward::rotation=debug.
#[derive(Debug, Parser)]
#[command(name = "keyward", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(DemoOptions),
    #[command(hide = true)]
    DemoServer(ServerOptions),
}

fn main() -> ExitCode {
    hardening::forbid_payloads_in_panics();
    let arguments = Arguments::parse();
    if let Err(error) = hardening::harden() {
        hardening::complain(format_args!("this process could not be protected: {error}"));
        return ExitCode::FAILURE;
    }
    if let Err(error) = hardening::start_log() {
        hardening::complain(format_args!(
            "KEYWARD_LOG is no filter: {error}; try KEYWARD_LOG=debug"
        ));
        return ExitCode::from(2);
    }
    match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::DemoServer(options) => demo::server::run(&options),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        for bad in [
            ["--workers", "0"],
            ["--workers", "65"],
            ["--documents", "0"],
            ["--documents", "10001"],
            ["--seed", "-1"],
            ["--seed", "one"],
        ] {
            let line = ["keyward", "demo"].into_iter().chain(bad);
            assert_eq!(
                Arguments::try_parse_from(line).unwrap_err().exit_code(),
                2,
                "{bad:?}"
            );
        }
    }
}
