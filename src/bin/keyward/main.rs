//! The command line: one file a command in `commands`.
//!
//! It uses the crate by its public name only. Keys never pass over the command line or the
//! environment; whatever needs one is given the path of its file, or standard input.
//!
//! What all commands share: `command_error` is why one fails, `ended` its exit status, `printing` its text and
//! JSON, `colour` whether there is to be some; `runtime` runs a command's future, `hardening` is what the
//! process does first, `log` is its log.

#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use rustix::fs::Mode;

mod colour;
mod command_error;
mod commands;
mod config;
mod connection;
mod demo;
mod ended;
mod given_keys;
mod hardening;
mod keeper;
mod key_file;
mod limits;
mod log;
mod printing;
mod run;
mod runtime;
mod shown;
mod signals;
mod values;
mod watch;
mod worker;

use commands::{
    Command, abort, backup, check_config, completions, dismiss, events, get, healthcheck, history,
    init, recover, reload, remove, restart, resume, rotate, rotations, serve, show, status, verify,
    versions, wait, workers,
};
use ended::{exit, within_runtime};
use printing::Printing;

/// Secret keys that many workers share and that change while everything runs.
///
/// Set KEYWARD_LOG to error, warn, info, debug or trace to see more or less of what happens, on
/// standard error. It takes a filter as well, such as keyward::rotation=debug.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 a rotation stopped or completed with
/// failures, 4 the keeper does not answer, 5 not permitted, 6 a time limit passed.
#[derive(Debug, Parser)]
#[command(name = "keyward", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    hardening::forbid_payloads_in_panics();
    let arguments = Arguments::try_parse().unwrap_or_else(|wrong| misused(&wrong));
    let mask = match hardening::harden() {
        Ok(mask) => mask,
        Err(error) => {
            hardening::complain(format_args!("this process could not be protected: {error}"));
            return ExitCode::FAILURE;
        }
    };
    // Its configuration says how much is told.
    if !matches!(arguments.command, Command::Serve(_))
        && let Err(error) = log::start(log::DEFAULT)
    {
        return exit(&Printing::for_people(), Err(error.into()));
    }
    run(&arguments.command, mask)
}

/// Says what is wrong with the command line, with `--json` in an object too, or what `--help` asks for.
fn misused(wrong: &clap::Error) -> ! {
    let json = env::args_os().any(|argument| argument == "--json");
    if wrong.use_stderr() {
        Printing { json }.failure("usage", &wrong.to_string().trim(), false);
    }
    wrong.exit()
}

/// Runs the command; the file mode mask is that which the process was started with.
fn run(command: &Command, mask: Mode) -> ExitCode {
    match command {
        Command::Abort(options) => within_runtime(&options.printing, abort::run(options)),
        Command::Backup(options) => within_runtime(&options.printing, backup::run(options)),
        Command::Dismiss(options) => within_runtime(&options.printing, dismiss::run(options)),
        Command::Events(options) => within_runtime(&options.printing, events::run(options)),
        Command::Get(options) => within_runtime(&options.printing, get::run(options)),
        Command::Healthcheck(options) => {
            within_runtime(&options.printing, healthcheck::run(options))
        }
        Command::History(options) => within_runtime(&options.printing, history::run(options)),
        Command::Recover(options) => within_runtime(&options.printing, recover::run(options)),
        Command::Remove(options) => within_runtime(&options.printing, remove::run(options)),
        Command::Reload(options) => within_runtime(&options.printing, reload::run(options)),
        Command::Restart(options) => within_runtime(&options.printing, restart::run(options)),
        Command::Resume(options) => within_runtime(&options.printing, resume::run(options)),
        Command::Rotate(options) => within_runtime(&options.printing, rotate::run(options)),
        Command::Rotations(options) => within_runtime(&options.printing, rotations::run(options)),
        Command::Show(options) => within_runtime(&options.printing, show::run(options)),
        Command::Status(options) => within_runtime(&options.printing, status::run(options)),
        Command::Versions(options) => within_runtime(&options.printing, versions::run(options)),
        Command::Wait(options) => within_runtime(&options.printing, wait::run(options)),
        Command::Workers(options) => within_runtime(&options.printing, workers::run(options)),
        Command::Completions(options) => exit(
            &options.printing,
            completions::run(options, &Arguments::command()),
        ),
        Command::CheckConfig(options) => exit(&options.printing, check_config::run(options)),
        Command::Demo(options) => demo::run(options),
        Command::DemoServer(options) => demo::server::run(options),
        Command::Run(options) => commands::run::run(options, mask),
        Command::Worker(options) => {
            within_runtime(&Printing::for_people(), commands::worker::run(options))
        }
        Command::Init(options) => exit(&options.printing, init::run(options)),
        Command::Serve(options) => serve::run(options),
        Command::Verify(options) => verify::run(options),
    }
}

#[cfg(test)]
mod tests {
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

    /// The words of each command that a person is told, in these sources.
    fn told() -> Vec<String> {
        let sources = [
            include_str!("commands/resume.rs"),
            include_str!("commands/rotate.rs"),
            include_str!("shown/history.rs"),
            include_str!("shown/needs.rs"),
            include_str!("shown/plan.rs"),
            include_str!("shown/status.rs"),
            include_str!("watch/mod.rs"),
        ];
        let calls = sources
            .iter()
            .flat_map(|source| source.split("keyward(").skip(1))
            // A closure that takes the words from its callers.
            .filter(|call| !call.starts_with("command,"));
        calls
            .map(|call| call.split('"').nth(1).unwrap().replace("{next}", "7"))
            .collect()
    }

    #[test]
    fn every_command_that_a_person_is_told_is_one_and_takes_the_same_socket() {
        use clap::error::ErrorKind::{
            DisplayHelpOnMissingArgumentOrSubcommand, MissingRequiredArgument,
        };
        let told = told();
        assert!(told.len() > 20, "{told:?}");
        for words in told {
            let line = format!("keyward {words} --socket /s --trust-user 7");
            let parsed = Arguments::try_parse_from(line.split(' '));
            // What it is about comes behind these words.
            let kind = parsed.err().map(|error| error.kind());
            let lacks = [
                MissingRequiredArgument,
                DisplayHelpOnMissingArgumentOrSubcommand,
            ];
            assert!(
                kind.is_none_or(|kind| lacks.contains(&kind)),
                "{line}: {kind:?}"
            );
        }
    }

    #[test]
    fn an_abort_that_is_told_confirms_whoever_is_named() {
        let commands = shown::command::Commands {
            socket: Some("/s".to_owned()),
            trust_user: None,
        };
        let id = "018f3a5e-1111-7222-8333-123456789abc";
        for workers in [&["anna", "ben"][..], &["-anna", "ben"], &[]] {
            let line = commands.confirmed_abort(id, workers);
            let parsed = Arguments::try_parse_from(line.split(' '));
            let Ok(Arguments {
                command: Command::Abort(options),
            }) = parsed
            else {
                panic!("{line}");
            };
            assert_eq!(options.confirmed(), workers, "{line}");
        }
    }

    /// The commands in the docs: what stands between backticks, or on a line of a block of code.
    fn in_docs() -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut pages = vec![root.join("README.md")];
        let docs = std::fs::read_dir(root.join("src/docs")).unwrap();
        pages.extend(docs.map(|entry| entry.unwrap().path()));
        pages.retain(|page| page.extension().is_some_and(|kind| kind == "md"));
        let mut found = Vec::new();
        for page in pages {
            let text = std::fs::read_to_string(page).unwrap();
            let code = text.split('`').skip(1).step_by(2);
            let lines = code.flat_map(str::lines).map(str::trim);
            let commands =
                lines.filter(|line| line.starts_with("keyward ") && !line.contains(" = "));
            found.extend(commands.map(str::to_owned));
        }
        found
    }

    #[test]
    fn every_command_in_the_docs_is_one_with_the_options_that_it_names() {
        let mut keyward = Arguments::command();
        keyward.build();
        let found = in_docs();
        assert!(found.len() > 40, "{found:?}");
        for line in found {
            let mut command = &keyward;
            // What follows is a program's, or another command's.
            let own = line.split([';', '|', '>', '&']).next().unwrap();
            let own = own.split(" -- ").next().unwrap();
            for word in own.split_whitespace().skip(1) {
                if let Some(inner) = command.find_subcommand(word) {
                    command = inner;
                } else if std::ptr::eq(command, &keyward) && !word.starts_with('-') {
                    assert!(
                        word.chars().any(|c| !c.is_ascii_lowercase()),
                        "{line}: {word}"
                    );
                }
                let option = word.trim_start_matches('[').trim_end_matches(']');
                let Some(option) = option.strip_prefix("--") else {
                    continue;
                };
                let name = option.split('=').next().unwrap_or(option);
                let known = command
                    .get_arguments()
                    .any(|known| known.get_long() == Some(name));
                assert!(
                    known || ["help", "version"].contains(&name),
                    "{line}: --{name}"
                );
            }
        }
    }
}
