//! A process that is stopped in its call: whatever becomes of the keeper, no other process begins until it has ended
//! or its callback has returned.

use std::path::PathBuf;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::keeper::process::{Folder, Keeper};
use crate::rotations::logs::{Call, End, Logs};
use crate::rotations::worker::{EXECS, TAKES, command};

/// So long nothing may begin.
const WATCHED: Duration = Duration::from_secs(20);

/// A keeper and processes of the worker `web`; one has begun its callback of data.
struct Stopped {
    folder: Folder,
    keeper: Option<Keeper>,
    processes: Vec<Child>,
    id: String,
    first: Call,
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for process in &mut self.processes {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(20));
    }
}

impl Stopped {
    fn with(limit: &str, takes: &str) -> Self {
        let stopped = Self::begun(limit, 3, (TAKES, takes));
        stopped.signal(Signal::STOP);
        stopped
    }

    /// So many processes with this variable; one of them has begun.
    fn begun(limit: &str, count: u32, (name, value): (&str, &str)) -> Self {
        let folder = Folder::new("");
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        let key = |key: &str| {
            folder.key(&format!("keys/{key}"), "value 0");
            format!(
                "[keys.{key}]\nuse_case = \"one_way_trip\"\ncallback_time_limit = \"{limit}\"\n"
            )
        };
        let keys: String = super::KEYS.iter().map(|name| key(name)).collect();
        folder.configure(&format!("[manager]\nshutdown_grace = \"500 ms\"\n{keys}"));
        folder.key("next.key", "value 1");
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let keeper = folder.serve();
        let start = |number| {
            let mut command = command("web", number, &folder.socket(), &logs);
            command.env(name, value).spawn().unwrap()
        };
        let processes: Vec<Child> = (0..count).map(start).collect();
        until("all are ready", || {
            Logs::read(&logs).ready.len() == processes.len()
        });
        let rotate = ["rotate", "first", "--new-file", "next.key", "--no-wait"];
        let rotated = folder.run(&rotate);
        let said = String::from_utf8(rotated.stdout).unwrap();
        let id = said.lines().next().expect("an id").to_owned();
        let of = (id.clone(), "web".to_owned(), false);
        until("one has begun", || {
            Logs::read(&logs).calls.contains_key(&of)
        });
        let first = Logs::read(&logs).calls[&of][0].clone();
        Self {
            folder,
            keeper: Some(keeper),
            processes,
            id,
            first,
        }
    }

    /// Signals the process that has begun.
    fn signal(&self, signal: Signal) {
        let process = &self.processes[usize::try_from(self.first.process).unwrap()];
        kill_process(Pid::from_child(process), signal).unwrap();
    }

    fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    fn calls(&self) -> Vec<Call> {
        let of = (self.id.clone(), "web".to_owned(), false);
        Logs::read(&self.logs()).calls[&of].clone()
    }

    fn restart_keeper(&mut self, signal: Signal) {
        let keeper = self.keeper.take().unwrap();
        if signal == Signal::TERM {
            keeper.stop();
        } else {
            drop(keeper);
        }
        self.keeper = Some(self.folder.serve());
    }

    fn nothing_begins_for(&self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            let calls = self.calls();
            assert_eq!(calls.len(), 1, "{calls:?}");
            sleep(Duration::from_millis(100));
        }
    }

    /// The one step of data, as an operator sees it.
    fn step(&self) -> serde_json::Value {
        let shown = self.folder.run(&["show", &self.id, "--json"]).stdout;
        let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
        let steps = shown["report"]["steps"].as_array().expect("steps");
        let of_data = steps.iter().find(|step| step["kind"] == "callback");
        of_data.expect("a step of data").clone()
    }

    fn completes(&self) {
        let waited = self.folder.run(&["wait", &self.id]);
        assert_eq!(waited.status.code(), Some(0), "{waited:?}");
    }
}

fn goes_on(keeper: Signal) {
    let mut stopped = Stopped::with("60 s", "2000");
    stopped.restart_keeper(keeper);
    stopped.nothing_begins_for(WATCHED);
    stopped.signal(Signal::CONT);
    stopped.completes();
    let calls = stopped.calls();
    let [only] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert!(
        matches!(only.end, End::Done(_)) && only.attempt == 1,
        "{calls:?}"
    );
}

fn dies(keeper: Signal) {
    let mut stopped = Stopped::with("60 s", "2000");
    stopped.restart_keeper(keeper);
    stopped.nothing_begins_for(WATCHED);
    stopped.signal(Signal::KILL);
    until("another process begins", || stopped.calls().len() == 2);
    assert_eq!(stopped.step()["crashes"], 1);
    stopped.completes();
    let calls = stopped.calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!((calls[1].attempt, calls[0].end), (2, End::Unknown));
    assert_ne!(calls[0].process, calls[1].process);
}

#[test]
fn a_stopped_process_that_goes_on_ends_its_call_though_the_keeper_was_killed() {
    goes_on(Signal::KILL);
}

#[test]
fn a_stopped_process_that_goes_on_ends_its_call_though_the_keeper_has_ended() {
    goes_on(Signal::TERM);
}

#[test]
fn another_process_begins_when_the_stopped_one_is_killed_though_the_keeper_was_killed() {
    dies(Signal::KILL);
}

#[test]
fn another_process_begins_when_the_stopped_one_is_killed_though_the_keeper_has_ended() {
    dies(Signal::TERM);
}

#[test]
fn past_its_limit_a_stopped_call_has_failed_and_a_resume_waits_until_it_has_returned() {
    let mut stopped = Stopped::with("1 s", "2000");
    until("it has failed", || stopped.step()["status"] == "failed");
    let step = stopped.step();
    let said = step["error"].as_str().unwrap();
    assert!(said.starts_with("still running: instance "), "{said}");
    stopped.restart_keeper(Signal::KILL);
    let resumed = stopped.folder.run(&["resume", &stopped.id]);
    assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
    stopped.nothing_begins_for(Duration::from_secs(10));
    stopped.signal(Signal::CONT);
    until("it is called again", || stopped.calls().len() >= 2);
    let calls = stopped.calls();
    let End::Done(returned) = calls[0].end else {
        panic!("{calls:?}");
    };
    assert!(
        calls[1].begun > returned && calls[1].attempt == 2,
        "{calls:?}"
    );
}

#[test]
fn a_process_that_calls_exec_in_a_callback_is_one_crash_and_is_called_again() {
    let begun = Stopped::begun("60 s", 1, (EXECS, "1"));
    begun.completes();
    let calls = begun.calls();
    let [first, second] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert_eq!(
        (first.attempt, first.end, second.attempt),
        (1, End::Unknown, 2)
    );
    assert!(matches!(second.end, End::Done(_)) && first.process == second.process);
}
