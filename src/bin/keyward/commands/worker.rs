//! `keyward worker`: callbacks that are commands.

use std::collections::BTreeSet;

use clap::Args;
use keyward::{Join, Worker};

use crate::command_error::CommandError;
use crate::connection::KeeperOptions;
use crate::ended::Ended;
use crate::signals::Interruption;
use crate::worker::calls::Calls;
use crate::worker::on_change::OnChange;
use crate::worker::{LAST_WORDS, refused};

/// Be a worker whose callbacks are commands, until a signal ends it
///
/// At a change of KEY, COMMAND is run once. It finds the change on its standard input, one line of JSON:
///
///   {"rotation":ID,"key":KEY,"worker":NAME,"attempt":1,"old":KEYS,"new":KEYS}
///
/// KEYS are {"forward":BASE64,"back":BASE64}, or null if they are not known. Exit status 0 is success. The last
/// line of its standard output may tell what it did to the data: `effect: decrypted` or `effect: reencrypted`.
/// Any other exit status is a failure, and what it said on its standard error is the failure's text.
///
/// A command may be run more than once for one rotation, with a higher attempt, and for a key that has one
/// already: it must be able to go on where an earlier run was interrupted.
///
/// COMMAND is split into words as a shell does it, but there is no shell: no variable is replaced. It gets PATH,
/// HOME and the variables that --pass-env names, no open file, and a process group of its own, which is killed
/// whole when the time limit of the key's callbacks has passed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct WorkerOptions {
    /// The worker's name, the same at each start
    name: String,
    /// The command for a change of this key; may be given for more keys
    #[arg(long = "on-change", value_name = "KEY=COMMAND", required = true)]
    on_change: Vec<OnChange>,
    /// What the commands change ends with this process: each instance is called, and none has an effect
    #[arg(long)]
    memory: bool,
    /// More than one process may be this worker at the same time
    #[arg(long)]
    shared: bool,
    /// The name of the callbacks
    #[arg(long = "as", value_name = "CALLBACK", default_value = "on-change")]
    callback: String,
    /// A variable that the commands get besides PATH and HOME; may be given more than once
    #[arg(long, value_name = "VARIABLE")]
    pass_env: Vec<String>,
    #[command(flatten)]
    keeper: KeeperOptions,
}

impl WorkerOptions {
    fn join(&self) -> Join {
        if self.shared {
            Join::shared(&self.name)
        } else {
            Join::sole(&self.name)
        }
    }

    fn check(&self) -> Result<(), CommandError> {
        let mut keys = BTreeSet::new();
        for OnChange { key, .. } in &self.on_change {
            if !keys.insert(key) {
                return Err(CommandError::Usage(format!(
                    "--on-change names the key {key} twice; give it one command, or start another worker"
                )));
            }
        }
        Ok(())
    }
}

/// Works until a signal ends it, and then waits for the commands that run; a second signal ends it at once.
///
/// # Errors
/// The keeper does not answer, or refuses the worker or a callback.
pub async fn run(options: &WorkerOptions) -> Result<Ended, CommandError> {
    options.check()?;
    let mut signals = Interruption::watch().map_err(CommandError::process("watching signals"))?;
    let mut calls = Calls::new();
    let works = async {
        let client = options.keeper.connect().await?;
        let worker = client.join(options.join()).await?;
        serve(options, &worker, &mut calls).await
    };
    tokio::select! {
        refused = works => return refused.map(|()| Ended::Done),
        // This drops the worker, which is then called no more.
        () = signals.next() => {}
    }
    tokio::select! {
        () = calls.finish(LAST_WORDS) => Ok(Ended::Done),
        () = signals.next() => Ok(Ended::Failed),
    }
}

async fn serve(
    options: &WorkerOptions,
    worker: &Worker,
    calls: &mut Calls,
) -> Result<(), CommandError> {
    for on_change in &options.on_change {
        let (name, variables) = (&options.callback, &options.pass_env);
        calls
            .register(worker, on_change, name, variables, options.memory)
            .await?;
    }
    tokio::select! {
        refused = refused(worker) => Err(refused.into()),
        () = calls.serve() => Ok(()),
    }
}
