//! The arbiters that the actors run on: threads of keyward's own, so that a program on any runtime,
//! or on none, can use them.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix::{Arbiter, ArbiterHandle, System};

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
    /// What starting a thread answers.
    pub fn open() -> io::Result<Self> {
        let (opened, wait) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("keyward-actors".to_owned())
            .spawn(move || live(&opened))?;
        let ended = |_| io::Error::other("the thread of the actors ended at its start");
        let Opened {
            system,
            supervisor,
            coordinator,
            keys,
        } = wait.recv().map_err(ended)?;
        Ok(Self {
            system,
            thread,
            supervisor,
            coordinator,
            keys,
        })
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

fn live(opened: &mpsc::SyncSender<Opened>) {
    let runner = System::new();
    let arbiters: Vec<Arbiter> = (0..=KEY_ARBITERS).map(|_| Arbiter::new()).collect();
    for arbiter in &arbiters {
        arbiter.spawn_fn(place::mark_actor_thread);
    }
    let mut handles: Vec<ArbiterHandle> = arbiters.iter().map(Arbiter::handle).collect();
    if let Some(coordinator) = handles.pop() {
        let system = System::current();
        let keys = handles;
        let supervisor = system.arbiter().clone();
        supervisor.spawn_fn(place::mark_actor_thread);
        let told = opened.send(Opened {
            system,
            supervisor,
            coordinator,
            keys,
        });
        if told.is_ok() {
            drop(runner.run());
        }
    }
    for arbiter in arbiters {
        arbiter.stop();
        drop(arbiter.join());
    }
}
