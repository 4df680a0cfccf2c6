//! The supervisor with real programs. Each test has a process of its own, which adopts what its program leaves
//! behind and is sent signals.

use std::any::type_name;
use std::env;
use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use keyward::{CommandLine, SecretKeyValue};
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, getpid, kill_process};
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

#[test]
fn a_program_that_catches_the_signal_reads_its_new_key_from_its_file() {
    alone(
        a_program_that_catches_the_signal_reads_its_new_key_from_its_file,
        async {
            let script =
                format!("trap 'cat $KEY_FILE >> $LOG; echo >> $LOG' HUP; echo up >> $LOG\n{WAIT}");
            let program = Supervised::start(&script, in_file(), by_signal()).await;
            program.wrote("up").await;
            let key = fs::read(program.path("key")).unwrap();
            assert_eq!(key, OLD.as_bytes());
            let begun = Instant::now();
            assert_eq!(program.change(LIMIT).await, Ok(()));
            assert!(begun.elapsed() >= Duration::from_secs(5));
            program.wrote(NEW).await;
            let mode = fs::metadata(program.path("key"))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(fs::read_dir(program.folder.path()).unwrap().count(), 2);
            assert_eq!(program.starts().len(), 1);
            // What it has already needs no change.
            let begun = Instant::now();
            assert_eq!(program.change(LIMIT).await, Ok(()));
            assert!(begun.elapsed() < Duration::from_secs(4));
        },
    );
}

#[test]
fn a_signal_that_the_program_does_not_catch_is_not_sent_and_the_change_has_failed() {
    alone(
        a_signal_that_the_program_does_not_catch_is_not_sent_and_the_change_has_failed,
        async {
            for script in ["trap '' HUP; exec sleep 1000", "exec sleep 1000"] {
                let program = Supervised::start(script, in_file(), by_signal()).await;
                let failed = program.change(LIMIT).await.unwrap_err();
                assert!(failed.contains("does not catch SIGHUP"), "{failed}");
                let key = fs::read(program.path("key")).unwrap();
                assert_eq!(key, OLD.as_bytes());
                let starts = program.starts();
                assert!(starts.len() == 1 && runs(starts[0]), "{starts:?}");
                program.ends().await;
            }
        },
    );
}

#[test]
fn a_program_that_ends_with_the_new_key_is_started_again_with_the_old_one() {
    alone(
        a_program_that_ends_with_the_new_key_is_started_again_with_the_old_one,
        async {
            for (code, telling) in [
                (3, by_signal()),
                (0, by_signal()),
                (3, by_restart()),
                (0, by_restart()),
            ] {
                let check = format!("grep -q new $KEY_FILE && {{ kill $!; exit {code}; }}");
                let script = format!("trap '{check}' HUP; {check}; echo up >> $LOG\n{WAIT}");
                let program = Supervised::start(&script, in_file(), telling).await;
                program.wrote("up").await;
                let failed = program.change(LIMIT).await.unwrap_err();
                assert!(
                    failed.contains(&format!("ended (exit status: {code})")),
                    "{failed}"
                );
                assert!(
                    failed.contains("started again with what it had"),
                    "{failed}"
                );
                let key = fs::read(program.path("key")).unwrap();
                assert_eq!(key, OLD.as_bytes());
                eventually("it runs again", || {
                    let last = program.starts().last().copied();
                    let ups = program.lines().iter().filter(|line| *line == "up").count();
                    ups == 2 && last.is_some_and(runs)
                })
                .await;
                program.ends().await;
            }
        },
    );
}

#[test]
fn a_program_with_its_key_in_a_variable_is_started_again() {
    alone(
        a_program_with_its_key_in_a_variable_is_started_again,
        async {
            let script = format!("echo $TOKEN >> $LOG; umask >> $LOG\n{WAIT}");
            let place = Place::Variable("TOKEN".to_owned());
            // The signal is of no use then.
            let program = Supervised::start(&script, place, by_signal()).await;
            program.wrote(OLD).await;
            assert_eq!(program.change(LIMIT).await, Ok(()));
            program.wrote(NEW).await;
            program.wrote("0022").await;
            let starts = program.starts();
            assert!(starts.len() == 2 && !runs(starts[0]) && runs(starts[1]));
            let own = fs::read("/proc/self/environ").unwrap();
            assert!(!own.windows(6).any(|part| part == b"canary"));
        },
    );
}

#[test]
fn a_program_that_does_not_end_is_killed_with_all_that_it_started() {
    alone(
        a_program_that_does_not_end_is_killed_with_all_that_it_started,
        async {
            let script = format!("trap '' TERM; setsid sleep 1000 & echo child $! >> $LOG\n{WAIT}");
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            eventually("its child runs", || program.lines().len() == 2).await;
            let child = program.lines()[1]
                .strip_prefix("child ")
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(program.change(Duration::from_secs(12)).await, Ok(()));
            let starts = program.starts();
            assert!(starts.len() == 2 && !runs(starts[0]) && !runs(child));
        },
    );
}

#[test]
fn a_program_that_goes_to_the_background_is_ended_with_a_sentence() {
    alone(
        a_program_that_goes_to_the_background_is_ended_with_a_sentence,
        async {
            let script = "setsid sleep 1000 & echo child $! >> $LOG; exit 0";
            let program = Supervised::start(script, in_file(), by_restart()).await;
            let lines = program.path("log");
            let failed = program.end.await.unwrap().unwrap_err().to_string();
            assert!(failed.contains("stays in the foreground"), "{failed}");
            let child = fs::read_to_string(lines).unwrap();
            let child = child.lines().find_map(|line| line.strip_prefix("child "));
            assert!(!runs(child.unwrap().parse().unwrap()));

            // At a change, too.
            let script =
                format!("if grep -q new $KEY_FILE; then setsid sleep 1000 & exit 0; fi\n{WAIT}");
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            let failed = program.change(LIMIT).await.unwrap_err();
            assert!(failed.contains("stays in the foreground"), "{failed}");
            eventually("it runs again", || {
                program.starts().len() == 3 && program.starts().last().copied().is_some_and(runs)
            })
            .await;
        },
    );
}

#[test]
fn a_ready_command_that_hangs_has_half_the_limit_and_is_killed_whole() {
    alone(
        a_ready_command_that_hangs_has_half_the_limit_and_is_killed_whole,
        async {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("ready");
            let hangs = format!(
                "sleep 1000 & echo $! >> {0}; echo $$ >> {0}; wait",
                log.display()
            );
            let program = Supervised::start(WAIT, in_file(), ready(by_restart(), &hangs)).await;
            let begun = Instant::now();
            let failed = program.change(Duration::from_secs(6)).await.unwrap_err();
            let took = begun.elapsed();
            assert!(
                took >= Duration::from_secs(3) && took < Duration::from_secs(6),
                "{took:?}"
            );
            assert!(failed.contains("has not succeeded within 3s"), "{failed}");
            let processes = fs::read_to_string(&log).unwrap();
            let processes: Vec<i32> = processes
                .lines()
                .map(|line| line.parse().unwrap())
                .collect();
            assert_eq!(processes.len(), 2);
            eventually("both are gone", || {
                !processes.iter().any(|process| runs(*process))
            })
            .await;
            let key = fs::read(program.path("key")).unwrap();
            assert_eq!(key, OLD.as_bytes());
            eventually("it was started again", || program.starts().len() == 3).await;
        },
    );
}

#[test]
fn a_change_has_succeeded_when_the_ready_command_does() {
    alone(a_change_has_succeeded_when_the_ready_command_does, async {
        let folder = tempfile::tempdir().unwrap();
        let tries = folder.path().join("tries");
        let third = format!("echo >> {0}; test $(wc -l < {0}) -ge 3", tries.display());
        let program = Supervised::start(WAIT, in_file(), ready(by_restart(), &third)).await;
        assert_eq!(program.change(LIMIT).await, Ok(()));
        assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 3);
        program.ends().await;

        let program = Supervised::start(
            WAIT,
            in_file(),
            ready(by_restart(), "echo not yet >&2; exit 1"),
        )
        .await;
        let failed = program.change(Duration::from_secs(3)).await.unwrap_err();
        assert!(failed.contains("not yet"), "{failed}");
        program.ends().await;
        // A key in what it says is not told.
        let says = format!("echo {NEW} >&2; exit 1");
        let program = Supervised::start(WAIT, in_file(), ready(by_restart(), &says)).await;
        let failed = program.change(Duration::from_secs(3)).await.unwrap_err();
        assert!(!failed.contains("canary"), "{failed}");
        program.ends().await;
        let none = ready(by_restart(), "");
        let none = Telling {
            ready: Some(CommandLine::new("/no/such/command")),
            ..none
        };
        let program = Supervised::start(WAIT, in_file(), none).await;
        let failed = program.change(LIMIT).await.unwrap_err();
        assert!(failed.contains("cannot run /no/such/command"), "{failed}");
    });
}

#[test]
fn a_limit_that_is_too_short_for_a_change_is_told_before_anything_is_done() {
    alone(
        a_limit_that_is_too_short_for_a_change_is_told_before_anything_is_done,
        async {
            let program = Supervised::start(WAIT, in_file(), by_restart()).await;
            let failed = program.change(Duration::from_secs(5)).await.unwrap_err();
            assert!(failed.contains("raise the time limit"), "{failed}");
            let key = fs::read(program.path("key")).unwrap();
            assert_eq!(key, OLD.as_bytes());
        },
    );
}

#[test]
fn how_the_program_ends_is_told_and_signals_are_passed_on() {
    alone(
        how_the_program_ends_is_told_and_signals_are_passed_on,
        async {
            let program = Supervised::start("exit 7", in_file(), by_restart()).await;
            assert_eq!(program.end.await.unwrap().unwrap().code(), Some(7));
            let program = Supervised::start("kill -9 $$", in_file(), by_restart()).await;
            assert_eq!(program.end.await.unwrap().unwrap().signal(), Some(9));

            // What it leaves behind ends with it, and is no program in the background where it was asked to end.
            let script = format!(
                "trap 'exit 0' TERM; trap 'echo usr1 >> $LOG' USR1; setsid sleep 1000 & echo up >> $LOG\n{WAIT}"
            );
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            program.wrote("up").await;
            kill_process(getpid(), Signal::USR1).unwrap();
            program.wrote("usr1").await;
            kill_process(getpid(), Signal::TERM).unwrap();
            assert_eq!(program.end.await.unwrap().unwrap().code(), Some(0));
            assert!(
                fs::read_to_string("/proc/thread-self/children")
                    .unwrap()
                    .is_empty()
            );
        },
    );
}

#[test]
fn a_program_that_is_asked_to_end_during_a_change_is_not_started_again() {
    alone(
        a_program_that_is_asked_to_end_during_a_change_is_not_started_again,
        async {
            let program = Supervised::start(WAIT, in_file(), by_restart()).await;
            let change = program.change(LIMIT);
            let asked = async {
                eventually("it was started again", || program.starts().len() == 2).await;
                kill_process(getpid(), Signal::TERM).unwrap();
            };
            let (changed, ()) = tokio::join!(change, asked);
            assert!(changed.unwrap_err().contains("has ended"));
            let starts = program.path("log");
            assert_eq!(program.end.await.unwrap().unwrap().signal(), Some(15));
            assert_eq!(fs::read_to_string(starts).unwrap().lines().count(), 2);
        },
    );
}

#[test]
fn what_a_program_leaves_behind_is_reaped_while_it_runs() {
    alone(
        what_a_program_leaves_behind_is_reaped_while_it_runs,
        async {
            let script = format!(
                "for n in 1 2 3; do sh -c 'sleep 0.1 & echo left $! >> '$LOG; done\n{WAIT}"
            );
            let program = Supervised::start(&script, in_file(), by_restart()).await;
            let left = || -> Vec<i32> {
                let lines = program.lines();
                let left = lines.iter().filter_map(|line| line.strip_prefix("left "));
                left.map(|process| process.parse().unwrap()).collect()
            };
            eventually("three are left behind", || left().len() == 3).await;
            eventually("they are reaped", || {
                let there = |process: &i32| Path::new(&format!("/proc/{process}")).exists();
                !left().iter().any(there)
            })
            .await;
            let process = Pid::from_raw(program.starts()[0]).unwrap();
            assert!(runs(process.as_raw_nonzero().get()));
        },
    );
}
