//! Ends, stops and continues the keeper and the processes of its workers, at moments that a seed draws.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::keeper::process::{Folder, Keeper};
use crate::rotations::worker::{now, start};

#[path = "../../processes/crash/chance.rs"]
pub mod chance;

use chance::Chance;

/// Two processes each.
const WORKERS: [&str; 6] = ["anna", "anna", "ben", "ben", "cleo", "cleo"];

/// What was done to whom.
pub struct Died {
    /// When each process was killed, at the earliest, by its number.
    pub killed: BTreeMap<u32, u128>,
    done: BTreeMap<&'static str, u32>,
    folder: Folder,
}

impl Died {
    pub fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.done)
    }
}

/// What goes on until it is told to end.
pub struct Chaos {
    ends: Arc<AtomicBool>,
    runs: Option<JoinHandle<Died>>,
    socket: PathBuf,
}

impl Drop for Chaos {
    /// Where the test has failed, the keeper and all processes end too.
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        drop(self.runs.take().map(JoinHandle::join));
    }
}

impl Chaos {
    /// Starts the keeper and every process.
    pub fn begin(folder: Folder, seed: u64) -> Self {
        let socket = folder.socket();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ends);
        let mut all = All::start(folder);
        let runs = thread::spawn(move || {
            let mut chance = Chance::of(seed, 0);
            while !until.load(Ordering::SeqCst) {
                all.strike(&mut chance);
            }
            all.died
        });
        let runs = Some(runs);
        Self { ends, runs, socket }
    }

    pub fn socket(&self) -> PathBuf {
        self.socket.clone()
    }

    /// Whether it goes on: it has ended where a keeper did not start, for example.
    pub fn goes_on(&self) -> bool {
        self.runs.as_ref().is_some_and(|runs| !runs.is_finished())
    }

    pub fn end(mut self) -> Died {
        self.ends.store(true, Ordering::SeqCst);
        self.runs.take().unwrap().join().unwrap()
    }
}

struct All {
    keeper: Option<Keeper>,
    processes: Vec<Process>,
    /// How many processes were started.
    started: u32,
    died: Died,
}

/// A worker's process and its number. It ends with this.
struct Process(Child, u32);

impl Process {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl All {
    fn start(folder: Folder) -> Self {
        let keeper = Some(folder.serve());
        let logs = folder.path().join("logs");
        let begin = |(number, name)| Process(start(name, number, &folder.socket(), &logs), number);
        let processes = (1..).zip(WORKERS).map(begin).collect();
        let (killed, done) = (BTreeMap::new(), BTreeMap::new());
        let died = Died {
            killed,
            done,
            folder,
        };
        Self {
            keeper,
            processes,
            started: 6,
            died,
        }
    }

    fn strike(&mut self, chance: &mut Chance) {
        let mut up_to = |most: f64| Duration::from_secs_f64(chance.part() * most);
        let (before, while_stopped) = (up_to(0.25), up_to(0.6));
        let (kind, which) = (chance.number() % 24, chance.number() % 6);
        let which = usize::try_from(which).unwrap();
        sleep(before);
        let what = match kind {
            0 => {
                self.kill_keeper();
                "keeper killed"
            }
            1 => {
                self.end_keeper();
                "keeper ended"
            }
            2 => {
                self.signal_keeper(Signal::STOP);
                sleep(while_stopped);
                self.signal_keeper(Signal::CONT);
                "keeper stopped"
            }
            5..=14 => {
                self.kill(which);
                "process killed"
            }
            15..=23 => {
                self.processes[which].signal(Signal::STOP);
                sleep(while_stopped);
                self.processes[which].signal(Signal::CONT);
                "process stopped"
            }
            3 => {
                self.processes[which].signal(Signal::STOP);
                self.kill_keeper();
                sleep(while_stopped);
                self.processes[which].signal(Signal::CONT);
                "keeper killed while a process was stopped"
            }
            _ => {
                // It dies while the keeper is not there.
                self.keeper = None;
                self.kill(which);
                self.keeper = Some(self.died.folder.serve());
                "process killed without a keeper"
            }
        };
        *self.died.done.entry(what).or_default() += 1;
    }

    fn signal_keeper(&self, signal: Signal) {
        if let Some(keeper) = &self.keeper {
            keeper.signal(signal);
        }
    }

    fn kill_keeper(&mut self) {
        // It is killed where it is dropped.
        self.keeper = None;
        self.keeper = Some(self.died.folder.serve());
    }

    fn end_keeper(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.stop();
        }
        self.keeper = Some(self.died.folder.serve());
    }

    fn kill(&mut self, which: usize) {
        let process = &mut self.processes[which];
        self.died.killed.insert(process.1, now());
        drop(process.0.kill());
        drop(process.0.wait());
        let folder = &self.died.folder;
        let logs = folder.path().join("logs");
        self.started += 1;
        let begun = start(WORKERS[which], self.started, &folder.socket(), &logs);
        self.processes[which] = Process(begun, self.started);
    }
}
