//! The supervisor with real programs: how one is given its keys (`given`), what says that it works with them
//! (`ready`), how it and what it starts ends (`ends`). Each test has a process of its own, which adopts what its
//! program leaves behind and is sent signals.

mod ends;
mod given;
mod ready;

use std::any::type_name;
use std::env;
use std::fs;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use keyward::{CommandLine, SecretKeyValue};
use rustix::fs::Mode;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::run::children;
use crate::run::error::RunError;
use crate::run::keys::{KeyPlace, Place};
use crate::run::program::Program;
use crate::run::signals::Signals;
use crate::run::supervisor::{NewKey, Supervisor, Telling};

const ALONE: &str = "KEYWARD_TEST_ALONE";
const OLD: &str = "canary-old-0123456789";
const NEW: &str = "canary-new-0123456789";
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the body in a process of its own, which is this test program with that test alone.
#[track_caller]
fn alone<T>(_: T, body: impl Future<Output = ()>) {
    if env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        return runtime.block_on(async {
            let ended = AssertUnwindSafe(body).catch_unwind().await;
            // They would keep the pipes open in which this test says how it ended.
            children::end_all().await;
            ended.unwrap_or_else(|why| resume_unwind(why));
        });
    }
    let (_, test) = type_name::<T>().split_once("::").unwrap();
    // Under nohup a shell could not catch SIGHUP: what is ignored at its start stays so.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=HUP")
        .arg(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    let output = command.env(ALONE, "1").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
    assert!(!said.contains(OLD) && !said.contains(NEW), "{said}");
}

/// A shell script under supervision, which has its key where `$KEY_FILE` says, or in `$TOKEN`.
struct Supervised {
    folder: TempDir,
    changes: mpsc::Sender<NewKey>,
    end: JoinHandle<Result<ExitStatus, RunError>>,
}

impl Supervised {
    /// Starts it, and waits until it runs.
    async fn start(script: &str, place: Place, telling: Telling) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let place = match place {
            Place::File(name) => Place::File(folder.path().join(name)),
            Place::Variable(name) => Place::Variable(name),
        };
        let (log, key) = (path("log"), path("key"));
        let script = format!("LOG='{log}' KEY_FILE='{key}'\necho start $$ >> $LOG\n{script}");
        let program = Program {
            words: vec!["sh".into(), "-c".into(), script.into()],
            places: vec![KeyPlace {
                key: "documents".to_owned(),
                place,
            }],
            umask: Mode::from_raw_mode(0o022),
        };
        let held = [("documents".to_owned(), SecretKeyValue::from(OLD))];
        let signals = Signals::watch().unwrap();
        let supervisor = Supervisor::start(program, held.into(), telling, signals).unwrap();
        let (changes, mut received) = mpsc::channel(1);
        let end = tokio::spawn(async move { supervisor.run(&mut received).await });
        let started = Self {
            folder,
            changes,
            end,
        };
        eventually("it runs", || !started.starts().is_empty()).await;
        started
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn lines(&self) -> Vec<String> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// The process ids of the program, in the order of its starts.
    fn starts(&self) -> Vec<i32> {
        let lines = self.lines();
        let starts = lines.iter().filter_map(|line| line.strip_prefix("start "));
        starts.map(|process| process.parse().unwrap()).collect()
    }

    async fn change(&self, limit: Duration) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let change = NewKey {
            key: "documents".to_owned(),
            value: NEW.into(),
            limit,
            since: Instant::now(),
            answer,
        };
        self.changes.send(change).await.unwrap();
        answered.await.unwrap()
    }

    /// Ends it, and all that it started.
    async fn ends(self) {
        self.end.abort();
        drop(self.end.await);
        children::end_all().await;
    }

    async fn wrote(&self, line: &str) {
        eventually(line, || self.lines().iter().any(|found| found == line)).await;
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn runs(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn in_file() -> Place {
    Place::File("key".into())
}

fn by_signal() -> Telling {
    Telling {
        signal: "HUP".parse().ok(),
        ready: None,
    }
}

fn by_restart() -> Telling {
    Telling {
        signal: None,
        ready: None,
    }
}

fn ready(telling: Telling, script: &str) -> Telling {
    let ready = CommandLine::new("sh").args(["-c", script]);
    Telling {
        ready: Some(ready),
        ..telling
    }
}

/// Waits for signals, and for nothing else.
const WAIT: &str = "while :; do sleep 1000 & wait $!; done";
