//! The arbiters that the actors run on: threads of keyward's own, so that a program on any runtime,
//! or on none, can use them.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix::{Arbiter, ArbiterHandle, System};
use tokio::runtime::{Builder, Runtime};

use crate::guard::place;

/// How many arbiters the key actors share.
const KEY_ARBITERS: usize = 2;

/// The running arbiters.
#[derive(Debug)]
pub struct House {
    system: System,
    thread: JoinHandle<()>,
    supervisor: ArbiterHandle,
    coordinator: ArbiterHandle,
    keys: Vec<ArbiterHandle>,
}

struct Opened {
    system: System,
    supervisor: ArbiterHandle,
    coordinator: ArbiterHandle,
    keys: Vec<ArbiterHandle>,
}

impl House {
    /// Starts the arbiters.
    ///
    /// # Errors
    /// What starting a thread answers; then none of them is left.
    pub fn open() -> io::Result<Self> {
        let (opened, wait) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("keyward-actors".to_owned())
            .spawn(move || live(&opened))?;
        let panicked = || io::Error::other("the thread of the actors panicked at its start");
        match wait.recv().unwrap_or_else(|_| Err(panicked())) {
            Ok(Opened {
                system,
                supervisor,
                coordinator,
                keys,
            }) => Ok(Self {
                system,
                thread,
                supervisor,
                coordinator,
                keys,
            }),
            Err(refused) => {
                drop(thread.join());
                Err(refused)
            }
        }
    }

    /// Where the supervisor runs: apart from everybody whom it watches.
    pub fn supervisor(&self) -> &ArbiterHandle {
        &self.supervisor
    }

    /// Where the coordinator and the workers run.
    pub fn coordinator(&self) -> &ArbiterHandle {
        &self.coordinator
    }

    /// Where the key of this number runs.
    pub fn key(&self, number: usize) -> &ArbiterHandle {
        self.keys
            .get(number % KEY_ARBITERS)
            .unwrap_or(&self.coordinator)
    }

    /// Ends the arbiters and everything on them, and waits for their threads. Not to be called on
    /// one of them.
    pub fn close(self) {
        self.system.stop();
        drop(self.thread.join());
    }
}

fn live(told: &mpsc::SyncSender<io::Result<Opened>>) {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(refused) => return drop(told.send(Err(refused))),
    };
    let runner = System::with_tokio_rt(|| runtime);
    let mut arbiters = Vec::new();
    let started = start(&mut arbiters);
    let runs = started.is_ok();
    let heard = told.send(started.map(|coordinator| opened(&arbiters, &coordinator)));
    if runs && heard.is_ok() {
        drop(runner.run());
    }
    for arbiter in arbiters {
        arbiter.stop();
        drop(arbiter.join());
    }
}

/// What an arbiter runs on. Actors need timers and no descriptors, so they take none from those who do.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_time().build()
}

/// Starts the arbiters of the keys and answers that of the coordinator.
fn start(arbiters: &mut Vec<Arbiter>) -> io::Result<ArbiterHandle> {
    for _ in 0..KEY_ARBITERS {
        arbiters.push(Arbiter::try_with_tokio_rt(runtime)?);
    }
    let coordinator = Arbiter::try_with_tokio_rt(runtime)?;
    let handle = coordinator.handle();
    arbiters.push(coordinator);
    Ok(handle)
}

fn opened(arbiters: &[Arbiter], coordinator: &ArbiterHandle) -> Opened {
    let system = System::current();
    let supervisor = system.arbiter().clone();
    supervisor.spawn_fn(place::mark_actor_thread);
    for arbiter in arbiters {
        arbiter.spawn_fn(place::mark_actor_thread);
    }
    let of_keys = arbiters.iter().take(KEY_ARBITERS);
    Opened {
        system,
        supervisor,
        coordinator: coordinator.clone(),
        keys: of_keys.map(Arbiter::handle).collect(),
    }
}
