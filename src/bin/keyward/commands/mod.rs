//! The commands: a file each, with its options and `run`. `main` calls it.
//!
//! Never in here: what two commands share.

use clap::Subcommand;

use crate::demo::options::{DemoOptions, ServerOptions};

pub mod completions;
pub mod run;
pub mod worker;

/// A command with its options.
#[derive(Debug, Subcommand)]
pub enum Command {
    Completions(completions::CompletionsOptions),
    Demo(DemoOptions),
    #[command(hide = true)]
    DemoServer(ServerOptions),
    Run(run::RunOptions),
    Worker(worker::WorkerOptions),
}
