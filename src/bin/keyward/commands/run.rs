//! `keyward run`: a program that knows nothing of keyward is given its keys, and supervised.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use clap::Args;
use keyward::{CommandLine, Join, KeyChange, SecretKeyFlow, SecretKeyValue, Worker};
use rustix::fs::Mode;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::connection::KeeperOptions;
use crate::hardening::complain;
use crate::run::error::RunError;
use crate::run::keys::{HeldKeys, KeyPlace, Place};
use crate::run::program::Program;
use crate::run::signals::{ReloadSignal, Signals};
use crate::run::supervisor::{NewKey, Supervisor, Telling};
use crate::runtime::runtime;
use crate::worker::on_change::Words;
use crate::worker::{LAST_WORDS, refused};

/// The exit status of a failure that is not the program's.
const OWN_FAILURE: u8 = 125;

/// So many changes wait for the program at most, one a key.
const WAITING: usize = 16;

/// Give a program its keys, and the changed ones, and supervise it
///
/// The program finds each key in a file (mode 0600, which is replaced at a change) or in a variable. At a change
/// it is sent the signal that --signal names, after its file was replaced; without one, and if it has the key in
/// a variable, it is ended with SIGTERM and started again.
///
/// A change has succeeded when the command of --ready does, which is run again and again for half the time limit
/// of the key's callbacks; without it, when the program goes on for 5 seconds. If the program ends in that time,
/// or does not catch the signal, the change has failed, and the program is started again with what it had.
///
/// Signals are passed on to the program. It must stay in the foreground. It is killed when this process ends.
///
/// Of a round-trip key the program is given the forward half.
///
/// Exit status: that of the program, 128 and the number of the signal that ended it, or 125 if `keyward run`
/// itself failed.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct RunOptions {
    /// The name of the worker that the program is, the same at each start
    name: String,
    /// Which key it is given, and where; may be given more than once
    #[arg(
        long = "key",
        value_name = "KEY=file:PATH|KEY=env:VARIABLE",
        required = true
    )]
    keys: Vec<KeyPlace>,
    /// The signal that has the program read its key files again, such as HUP
    #[arg(long, value_name = "NAME")]
    signal: Option<ReloadSignal>,
    /// A command that succeeds when the program works with its keys; split into words, run without a shell
    #[arg(long, value_name = "COMMAND")]
    ready: Option<Words>,
    /// More than one process may be this worker at the same time
    #[arg(long)]
    shared: bool,
    /// The name of the callbacks
    #[arg(long = "as", value_name = "CALLBACK", default_value = "on-change")]
    callback: String,
    #[command(flatten)]
    keeper: KeeperOptions,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

impl RunOptions {
    fn join(&self) -> Join {
        if self.shared {
            Join::shared(&self.name)
        } else {
            Join::sole(&self.name)
        }
    }

    fn telling(&self) -> Telling {
        let ready = self.ready.as_ref().map(|words| {
            let command = CommandLine::new(&words.program).bound_to_its_starter();
            let command = command.args(&words.arguments);
            // It belongs to the program, whose environment it gets but for the keys.
            std::env::vars_os().fold(command, |command, (name, value)| command.env(name, value))
        });
        Telling {
            signal: self.signal,
            ready,
        }
    }

    fn check(&self) -> Result<(), RunError> {
        for (no, one) in self.keys.iter().enumerate() {
            let same = |other: &&KeyPlace| one.place == other.place;
            if let Some(other) = self.keys.iter().skip(no + 1).find(same) {
                return Err(RunError::SamePlace {
                    one: one.key.clone(),
                    other: other.key.clone(),
                    place: match &one.place {
                        Place::File(path) => path.display().to_string(),
                        Place::Variable(name) => name.clone(),
                    },
                });
            }
        }
        Ok(())
    }
}

/// The exit status that tells how the program ended.
fn exit_status(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| Some(128 + ended.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(OWN_FAILURE)
}

/// Runs it to the program's end. The program gets that file mode mask.
pub fn run(options: &RunOptions, mask: Mode) -> ExitCode {
    let runtime = runtime().map_err(RunError::system("starting the runtime"));
    let ended = runtime.and_then(|runtime| runtime.block_on(join_and_supervise(options, mask)));
    match ended {
        Ok(status) => ExitCode::from(exit_status(status)),
        Err(error) => {
            complain(format_args!("{error}"));
            ExitCode::from(OWN_FAILURE)
        }
    }
}

async fn join_and_supervise(options: &RunOptions, mask: Mode) -> Result<ExitStatus, RunError> {
    options.check()?;
    let worker = options.keeper.connect().await?.join(options.join()).await?;
    let ended = supervise(options, mask, &worker).await;
    // Its last words, which the client's own threads write.
    drop(worker);
    sleep(LAST_WORDS).await;
    ended
}

/// Supervises the program of a worker that has joined, to the program's end.
async fn supervise(
    options: &RunOptions,
    mask: Mode,
    worker: &Worker,
) -> Result<ExitStatus, RunError> {
    let (ask, mut changes) = mpsc::channel(WAITING);
    let held = keys(options, worker, ask, &mut changes).await?;
    let program = Program {
        words: options.program.clone(),
        places: options.keys.clone(),
        umask: mask,
    };
    let signals = Signals::watch().map_err(RunError::system("watching signals"))?;
    let supervisor = Supervisor::start(program, held, options.telling(), signals)?;
    let ended = supervisor.run(&mut changes);
    tokio::pin!(ended);
    tokio::select! {
        ended = &mut ended => return ended,
        refused = refused(worker) => complain(format_args!(
            "{refused}; the program goes on with the keys that it has, and is told of no change"
        )),
    }
    ended.await
}

/// Registers the callbacks, and answers what the program has at its start.
async fn keys(
    options: &RunOptions,
    worker: &Worker,
    ask: mpsc::Sender<NewKey>,
    changes: &mut mpsc::Receiver<NewKey>,
) -> Result<HeldKeys, RunError> {
    let names: BTreeSet<&String> = options.keys.iter().map(|place| &place.key).collect();
    let mut held = HeldKeys::new();
    for name in &names {
        let registered = worker.register_in_memory(name, &options.callback, callback(&ask));
        tokio::pin!(registered);
        loop {
            tokio::select! {
                registered = &mut registered => break drop(registered?),
                // Called for a rotation that had been here before: the program is not there yet.
                Some(NewKey { key, value, answer, .. }) = changes.recv() => {
                    held.insert(key, value);
                    drop(answer.send(Ok(())));
                }
            }
        }
    }
    for name in names {
        if !held.contains_key(name) {
            held.insert(name.clone(), value(worker, name).await?);
        }
    }
    Ok(held)
}

fn callback(ask: &mpsc::Sender<NewKey>) -> impl Fn(KeyChange) -> Answered + Send + Sync + use<> {
    let ask = ask.clone();
    move |change| {
        let ask = ask.clone();
        let since = Instant::now();
        Box::pin(async move {
            let new = change.new_keys.as_ref().ok_or(
                "the change has no new keys, so that there is nothing to give the program; declare them",
            )?;
            let (answer, answered) = oneshot::channel();
            let change = NewKey {
                key: change.key.name().to_owned(),
                value: new.forward().clone(),
                limit: change.key.time_limit(),
                since,
                answer,
            };
            let ended = "the program has ended";
            ask.send(change).await.map_err(|_| ended)?;
            answered.await.map_err(|_| ended)?
        })
    }
}

/// What a callback answers, after a while.
type Answered = std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What a program uses of a key: the value of a one-way key, the forward half of another one.
async fn value(worker: &Worker, key: &str) -> Result<SecretKeyValue, RunError> {
    match worker.get_key_on(key, SecretKeyFlow::Default).await {
        Err(error) if error.code() == "invalid_flow" => {
            Ok(worker.get_forward_path_key(key).await?.value)
        }
        answer => Ok(answer?.value),
    }
}
