//! A keeper in a process of its own, with its folder.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use keyward::{Change, KeyChange, RotationState};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::alone::{LONGEST, ended};
use crate::support::{MASTER_KEY, builder, define, documents, within};

/// What every configuration here begins with.
pub const START: &str =
    "data_folder = \"data\"\nsocket = \"s\"\nmaster_key.file = \"master.key\"\n";

/// A folder for a keeper: a master key, a key `documents`, and a configuration.
pub struct Folder {
    pub place: TempDir,
}

impl Folder {
    /// With the key `documents` and what is added to the configuration.
    pub fn new(more: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let folder = Self { place };
        folder.key("master.key", MASTER_KEY);
        folder.key("documents.key", "value_1");
        folder.configure(more);
        folder
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("s")
    }

    /// Writes a key's file.
    pub fn key(&self, name: &str, value: &str) {
        let path = self.path().join(name);
        fs::write(&path, value).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Writes the configuration.
    pub fn configure(&self, more: &str) {
        let text = format!("{START}{more}\n[keys.documents]\nstore.file = \"documents.key\"\n");
        self.write(&text);
    }

    /// Writes this as the configuration.
    pub fn write(&self, text: &str) {
        fs::write(self.path().join("keyward.toml"), text).unwrap();
    }

    /// The command line, which finds this keeper.
    pub fn keyward(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyward"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("KEYWARD_SOCKET", self.socket())
            .env_remove("KEYWARD_CONFIG")
            .env_remove("KEYWARD_LOG")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("LISTEN_FDS")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.keyward(arguments).output().unwrap()
    }

    /// Leaves a rotation of `documents`, as a round-trip key, that a failed callback has stopped.
    pub async fn leave_stopped(&self) {
        let manager = builder().data_folder(self.path().join("data"));
        let manager = within(manager.start()).await.unwrap();
        define(&manager, documents()).await;
        let fails = |_: KeyChange| Err::<(), _>("it cannot");
        let registered = manager.register_on_change("documents", "fails", fails);
        within(registered).await.unwrap();
        let change = Change::of("documents").old("value_1").new_keys("value_2");
        let report = within(manager.key_changed(change)).await.unwrap();
        assert_eq!(report.state, RotationState::Stopped);
        within(manager.shutdown()).await.unwrap();
    }

    /// Starts the keeper, which is ready when this answers.
    #[track_caller]
    pub fn serve(&self) -> Keeper {
        let keeper = Keeper::start(self.keyward(&["serve"]));
        keeper.says("keyward: ready;");
        keeper
    }
}

/// A keeper that runs. It is killed when this is dropped.
pub struct Keeper {
    child: Child,
    said: Arc<Mutex<String>>,
    reads: Option<JoinHandle<()>>,
}

impl Keeper {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        let reads = thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        let reads = Some(reads);
        Self { child, said, reads }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of its memory now.
    pub fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most bytes of its memory since its start, or since that was forgotten.
    pub fn most_resident(&self) -> usize {
        self.memory("VmHWM:")
    }

    /// The most bytes of its memory count from now on.
    pub fn forget_most(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    fn memory(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next());
        kib.unwrap().parse::<usize>().unwrap() * 1_024
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        let all = fs::read_dir(format!("/proc/{}/fd", self.pid()));
        all.unwrap().count()
    }

    /// What it has said on standard error.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn says(&self, what: &str) {
        let begun = Instant::now();
        while !self.said().contains(what) {
            assert!(
                begun.elapsed() < LONGEST,
                "it has not said {what:?}: {}",
                self.said()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its end, and all that it said.
    #[track_caller]
    pub fn ends(mut self) -> (ExitStatus, String) {
        let status = ended(&mut self.child);
        self.reads.take().unwrap().join().unwrap();
        (status, self.said())
    }

    /// Sends SIGTERM; it must end well.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::TERM);
        let (status, said) = self.ends();
        assert_eq!(status.code(), Some(0), "{said}");
        said
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How a command ended, and what it said on standard output and standard error.
pub fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
