//! A keeper that is a process, and what is asked of it on the command line.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command_line::program::Ran;
use crate::keeper::process::{self, Folder, START};

/// In every key of these tests, and nowhere else.
pub const CANARY: &str = "canary-0123456789";

const KEYS: &str = r#"
[keys.token]
use_case = "one_way_trip"
callback_time_limit = "20 s"
store.file = "token.key"
[keys.documents]
store.file = "documents.key"
"#;

/// A keeper of the keys `token` (one way) and `documents` (round trip).
pub struct Keeper {
    folder: Folder,
    process: Option<process::Keeper>,
}

impl Keeper {
    pub fn start() -> Self {
        let folder = Folder::new("");
        folder.write(&format!("{START}{KEYS}"));
        for (name, part) in [
            ("token.key", "old"),
            ("documents.key", "old"),
            ("next.key", "new"),
            ("third.key", "third"),
        ] {
            folder.key(name, &format!("{CANARY}-{part}"));
        }
        let process = Some(folder.serve());
        Self { folder, process }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.socket()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A command that asks this keeper.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.folder.keyward(arguments)
    }

    pub fn ran(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.folder.run(arguments))
    }

    /// Starts a command that goes on until it is ended.
    pub fn begin(&self, arguments: &[&str]) -> Begun {
        let said = fs::File::create(self.path("said")).unwrap();
        let mut command = self.command(arguments);
        command.stdout(said.try_clone().unwrap()).stderr(said);
        // A child that is left behind by a test that fails is killed with the test.
        Begun(command.process_group(0).spawn().unwrap())
    }

    /// Waits until this worker's callbacks would be called at a change of the key.
    pub fn knows(&self, key: &str, worker: &str) {
        eventually("the worker has registered", || {
            let workers = self.ran(&["workers"]).out;
            let plan = self.ran(&["rotate", key, "--plan"]).out;
            plan.contains(worker) && workers.contains(worker)
        });
    }

    /// Waits until so many processes of a worker may be called.
    pub fn has_instances(&self, worker: &str, wanted: usize) {
        eventually("so many processes may be called", || {
            let said = self.ran(&["workers"]).out;
            let start = format!("{worker}: instance ");
            let instances = said.lines().filter(|line| line.starts_with(&start));
            let instances: Vec<&str> = instances.collect();
            let ready = instances.iter().filter(|line| line.contains(", ready"));
            instances.len() == wanted && ready.count() == wanted
        });
    }

    /// Kills the keeper, and starts it again.
    pub fn kill(&mut self) {
        self.process = None;
        self.process = Some(self.folder.serve());
    }
}

/// A process that goes on; dropped, it is killed.
pub struct Begun(Child);

impl Begun {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("it ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// Whether a process runs; one that has ended and waits for its parent does not.
pub fn runs(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ");
    state.is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
