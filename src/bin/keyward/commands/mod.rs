//! The commands: a file each, with its options and `run`. `main` calls it.
//!
//! Never in here: what two commands share.

use clap::Subcommand;

use crate::demo::options::{DemoOptions, ServerOptions};

pub mod abort;
pub mod backup;
pub mod check_config;
pub mod completions;
pub mod dismiss;
pub mod events;
pub mod get;
pub mod healthcheck;
pub mod history;
pub mod init;
pub mod recover;
pub mod reload;
pub mod remove;
pub mod restart;
pub mod resume;
pub mod rotate;
pub mod rotations;
pub mod run;
pub mod serve;
pub mod show;
pub mod status;
pub mod verify;
pub mod versions;
pub mod wait;
pub mod worker;
pub mod workers;

/// A command with its options.
#[derive(Debug, Subcommand)]
pub enum Command {
    Abort(abort::AbortOptions),
    Backup(backup::BackupOptions),
    CheckConfig(check_config::CheckConfigOptions),
    Completions(completions::CompletionsOptions),
    Demo(DemoOptions),
    Dismiss(dismiss::DismissOptions),
    Events(events::EventsOptions),
    Get(get::GetOptions),
    Healthcheck(healthcheck::HealthcheckOptions),
    History(history::HistoryOptions),
    Recover(recover::RecoverOptions),
    Reload(reload::ReloadOptions),
    Remove(remove::RemoveOptions),
    Restart(restart::RestartOptions),
    Resume(resume::ResumeOptions),
    Rotate(rotate::RotateOptions),
    Rotations(rotations::RotationsOptions),
    Show(show::ShowOptions),
    Status(status::StatusOptions),
    Versions(versions::VersionsOptions),
    Wait(wait::WaitOptions),
    Workers(workers::WorkersOptions),
    #[command(hide = true)]
    DemoServer(ServerOptions),
    Run(run::RunOptions),
    Worker(worker::WorkerOptions),
    Init(init::InitOptions),
    Serve(serve::ServeOptions),
    Verify(verify::VerifyOptions),
}
