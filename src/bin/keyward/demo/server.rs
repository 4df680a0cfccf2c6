//! The demo's server: the program that keyward is made for, with a manager, a key and workers. In
//! each life it defines and registers the same, and an interrupted rotation goes on by itself.
//!
//! It never outlives the demo: the kernel kills it with its parent, and it ends when its standard
//! input does.

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::time::Duration;

use keyward::{Change, KeyChange, KeysManagement, Worker};
use rustix::process::{Signal, getpid, getppid, kill_process, set_parent_process_death_signal};
use tokio::sync::mpsc;

use crate::demo::documents::Documents;
use crate::demo::error::DemoError;
use crate::demo::keys::{NEW, OLD, SHARED, start_manager};
use crate::demo::layout::{Layout, worker_names};
use crate::demo::options::ServerOptions;
use crate::demo::protocol::{ServerCommand, ServerEvent, tell};
use crate::demo::reencryption::Reencryption;
use crate::hardening::complain;
use crate::runtime::runtime;

/// The name of every worker's callback.
pub const CALLBACK: &str = "reencrypt";

/// Runs the server until it is told to stop.
pub fn run(options: &ServerOptions) -> ExitCode {
    let served = bind_to_parent(options.parent).and_then(|()| {
        let commands = read_commands().map_err(DemoError::process("starting a thread"))?;
        runtime()
            .map_err(DemoError::process("starting the runtime"))?
            .block_on(serve(options, commands))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("demo, server: {error} ({})", error.code()));
            ExitCode::FAILURE
        }
    }
}

fn bind_to_parent(parent: i32) -> Result<(), DemoError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(io::Error::from)
        .map_err(DemoError::process("binding the server to the demo"))?;
    // The parent may have ended before the line above.
    match getppid() {
        Some(pid) if pid.as_raw_nonzero().get() == parent => Ok(()),
        Some(_) | None => Err(DemoError::Server {
            what: "was not started by the demo".to_owned(),
        }),
    }
}

/// The commands from standard input, read on a thread of their own. Its end ends the process, as
/// the end of the demo would, whatever it is doing.
fn read_commands() -> io::Result<mpsc::UnboundedReceiver<ServerCommand>> {
    let (read, commands) = mpsc::unbounded_channel();
    std::thread::Builder::new().spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match line.parse() {
                Ok(command) => drop(read.send(command)),
                Err(error) => complain(format_args!("demo, server: {error}")),
            }
        }
        if kill_process(getpid(), Signal::KILL).is_err() {
            std::process::abort();
        }
    })?;
    Ok(commands)
}

async fn serve(
    options: &ServerOptions,
    mut commands: mpsc::UnboundedReceiver<ServerCommand>,
) -> Result<(), DemoError> {
    let layout = Layout::of(&options.folder);
    let limit = Duration::from_secs(60) + Duration::from_millis(200) * options.documents;
    let manager = start_manager(&layout, limit).await?;
    // The workers live as long as the server; a dropped handle is a dead worker.
    let _workers = join_workers(&manager, &layout, options).await?;
    tell(&ServerEvent::Ready)?;
    while let Some(command) = commands.recv().await {
        match command {
            ServerCommand::Declare => {
                let old = manager.get_key(OLD).await?;
                let new = manager.get_key(NEW).await?;
                let change = Change::of(SHARED).old(old.value).new_keys(new.value);
                tell(&ServerEvent::Accepted(manager.declare(change).await?))?;
            }
            ServerCommand::Wait(id) => {
                let report = manager.wait(id).await?;
                tell(&ServerEvent::Settled {
                    id,
                    state: report.state.to_string(),
                })?;
            }
            ServerCommand::Stop => {
                manager.shutdown().await?;
                return tell(&ServerEvent::Stopped);
            }
        }
    }
    Ok(())
}

async fn join_workers(
    manager: &KeysManagement,
    layout: &Layout,
    options: &ServerOptions,
) -> Result<Vec<Worker>, DemoError> {
    let mut workers = Vec::new();
    for name in worker_names(options.workers) {
        let worker = manager.join(&name).await?;
        let hold = options.hold.as_ref().filter(|hold| hold.worker == name);
        let task = Reencryption {
            documents: Documents::of(layout, &name, options.documents),
            worker: name,
            calls: layout.calls(),
            hold: hold.map(|hold| hold.documents),
        };
        let callback = move |change: KeyChange| task.run(&change);
        worker
            .register_on_change(SHARED, CALLBACK, callback)
            .await?;
        workers.push(worker);
    }
    Ok(workers)
}
