//! `keyward serve`: a keeper.

use std::env;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use tokio::runtime::{Builder, Runtime};

use crate::command_error::CommandError;
use crate::config::Config;
use crate::config::location::Location;
use crate::ended::{Ended, exit};
use crate::keeper;
use crate::log;
use crate::printing::Printing;

/// Serve the keys of a configuration on its socket, until SIGTERM or SIGINT.
///
/// A second signal ends it at once. SIGHUP, as `keyward reload`, has the configuration read anew: keys are added
/// and grants changed.
#[derive(Debug, Args)]
pub struct ServeOptions {
    #[command(flatten)]
    location: Location,
}

/// Serves. It starts the log itself, for the configuration says how much is told.
pub fn run(options: &ServeOptions) -> ExitCode {
    exit(&Printing::for_people(), serve(options))
}

fn serve(options: &ServeOptions) -> Result<Ended, CommandError> {
    let path = options.location.path().map_err(CommandError::Usage)?;
    let config = match Config::read(&path) {
        Ok(config) => config,
        Err(none) => {
            none.tell(&path);
            return Ok(Ended::Usage);
        }
    };
    log::start(&config.log)?;
    // Commands run where the configuration is, so that their relative arguments mean the same as its paths.
    let folder = path.parent().unwrap_or(Path::new("/"));
    env::set_current_dir(folder).map_err(CommandError::io("cannot enter", folder))?;
    let runtime = runtime().map_err(CommandError::process("starting the runtime"))?;
    runtime.block_on(keeper::run(&path, config))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}
