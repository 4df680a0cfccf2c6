//! Many rotations while the keeper and the workers' processes are killed, stopped and continued: what each process
//! did stands in its own log.

pub mod chaos;
mod logs;
mod twice;
mod worker;

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use keyward::{
    CallbackStatus, Change, Client, OnKeyChangedCallbackErrorStrategy as Strategy, RotationId,
    RotationReport, RotationState,
};
use uuid::Uuid;

use crate::keeper::process::Folder;
use crate::rotations::chaos::{Chaos, Died};
use crate::rotations::logs::Logs;
use crate::rotations::worker::{KEYS, now};

const CONFIGURATION: &str = r#"
[manager]
shutdown_grace = "500 ms"
reopen_every = "100 ms"
[keys.first]
use_case = "one_way_trip"
error_strategy = "halt"
[keys.second]
use_case = "one_way_trip"
error_strategy = "skip"
[keys.third]
use_case = "one_way_trip"
error_strategy = "skip_and_raise"
workers_at_once = 3
"#;

/// The key that several workers run callbacks for at once.
const AT_ONCE: &str = "third";

const STRATEGIES: [Strategy; 3] = [Strategy::Halt, Strategy::Skip, Strategy::SkipAndRaise];

/// No single rotation takes so long, whatever is killed.
const LONG: Duration = Duration::from_secs(150);

pub fn given(name: &str, otherwise: u64) -> u64 {
    let number = |text: String| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number"))
    };
    env::var(name).map_or(otherwise, number)
}

/// What an operator has seen of the rotations.
#[derive(Default)]
struct Seen {
    /// When each rotation was asked about that had not ended then.
    open: BTreeMap<String, u128>,
    /// When it was known of each rotation at the latest that it had ended.
    ended: BTreeMap<String, u128>,
}

impl Seen {
    fn take(&mut self, asked: u128, report: &RotationReport) {
        let id = report.id.to_string();
        let answered = now();
        if report.state.is_unfinished() {
            self.open.insert(id, asked);
        } else {
            self.ended.insert(id, answered);
        }
    }

    fn add(&mut self, other: Self) {
        for (id, at) in other.open {
            let known = self.open.entry(id).or_insert(at);
            *known = at.max(*known);
        }
        self.ended.extend(other.ended);
    }
}

/// A client, for as long as the keeper is not there.
pub async fn client(socket: &PathBuf) -> Client {
    loop {
        match Client::at(socket).await {
            Ok(client) => return client,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Declares so many changes of a key, two at a time, and sees each to its end.
async fn rotate(socket: PathBuf, key: usize, count: usize) -> (Vec<RotationReport>, Seen) {
    let (mut reports, mut seen) = (Vec::new(), Seen::default());
    let mut numbers = (0..count).peekable();
    while numbers.peek().is_some() {
        let mut ids = Vec::new();
        for number in numbers.by_ref().take(2) {
            let change = Change::of(KEYS[key])
                .id(Uuid::now_v7())
                .old(format!("value {number}"))
                .new_keys(format!("value {}", number + 1));
            ids.push(declared(&socket, change).await);
        }
        for id in ids {
            let ended = ended(&socket, id, &mut seen);
            match tokio::time::timeout(LONG, ended).await {
                Ok(report) => reports.push(report),
                Err(_) => {
                    let report = client(&socket).await.rotation(id).await;
                    panic!("{id} does not end: {report:?}")
                }
            }
        }
    }
    (reports, seen)
}

/// It is accepted, once, however often the keeper ends meanwhile.
async fn declared(socket: &PathBuf, change: Change) -> RotationId {
    loop {
        match client(socket).await.declare(change.clone()).await {
            Ok(id) => return id,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
    }
}

async fn ended(socket: &PathBuf, id: RotationId, seen: &mut Seen) -> RotationReport {
    loop {
        let client = client(socket).await;
        let asked = now();
        let report = match client.rotation(id).await {
            Ok(report) => report,
            Err(error) => {
                assert!(error.is_retriable(), "{id}: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        seen.take(asked, &report);
        match report.state {
            RotationState::Completed | RotationState::Obsolete => return report,
            RotationState::Stopped | RotationState::CompletedWithFailures => {
                // Another one may have made it obsolete meanwhile, or the keeper is killed.
                drop(client.resume(id, None).await);
            }
            RotationState::Waiting | RotationState::Running => {}
            other => panic!("{id}: {other}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a task answers, while the chaos goes on.
async fn within_chaos<T>(chaos: &Chaos, mut task: tokio::task::JoinHandle<T>) -> T {
    loop {
        match tokio::time::timeout(Duration::from_secs(1), &mut task).await {
            Ok(done) => return done.unwrap(),
            Err(_) => assert!(
                chaos.goes_on(),
                "a keeper did not start, or did not end well"
            ),
        }
    }
}

/// What must hold of every rotation that has ended.
fn wrong_with_reports(key: usize, reports: &[RotationReport]) -> Vec<String> {
    let mut wrong = Vec::new();
    let sequence: Vec<u64> = reports.iter().map(|report| report.sequence).collect();
    if !sequence.is_sorted() {
        wrong.push(format!("the order of {}: {sequence:?}", KEYS[key]));
    }
    for report in reports {
        if report.strategy != STRATEGIES[key] || report.key.as_str() != KEYS[key] {
            wrong.push(format!("it is another one: {report}"));
        }
        let undone =
            |step: &&keyward::Step| step.status != CallbackStatus::Succeeded && !step.removed;
        if report.state == RotationState::Completed && report.steps.iter().find(undone).is_some() {
            wrong.push(format!("it has completed: {report}"));
        }
    }
    wrong
}

/// Processes that were there while a rotation ran, lived when it had ended, and have not loaded its key.
fn not_loaded(logs: &Logs, died: &Died, seen: &Seen, reports: &[RotationReport]) -> Vec<String> {
    let mut wrong = Vec::new();
    for report in reports
        .iter()
        .filter(|r| r.state == RotationState::Completed)
    {
        let id = report.id.to_string();
        let open = seen.open.get(&id).copied().unwrap_or_default();
        for (process, (worker, ready)) in &logs.ready {
            let killed = died.killed.get(process);
            let lived = killed.is_none_or(|at| *at > seen.ended[&id]);
            if lived && *ready < open && !logs.has_loaded(*process, &id, worker) {
                wrong.push(format!(
                    "process {process} of {worker} has not loaded the key of {id}"
                ));
            }
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_repeated_while_keeper_and_processes_are_killed_and_stopped() {
    let rotations = given("KEYWARD_ROTATIONS", 100);
    let seed = given("KEYWARD_SEED", u64::from(std::process::id()));
    println!("KEYWARD_ROTATIONS={rotations} KEYWARD_SEED={seed}");
    let folder = Folder::new("");
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    for key in KEYS {
        folder.key(&format!("keys/{key}"), "value 0");
    }
    folder.configure(CONFIGURATION);
    let chaos = Chaos::begin(folder, seed);
    let count = usize::try_from(rotations).unwrap().div_ceil(KEYS.len());
    let all = (0..KEYS.len()).map(|key| tokio::spawn(rotate(chaos.socket(), key, count)));
    let all: Vec<_> = all.collect();
    let (mut seen, mut reports) = (Seen::default(), Vec::new());
    for of_key in all {
        let (of_key, saw) = within_chaos(&chaos, of_key).await;
        reports.push(of_key);
        seen.add(saw);
    }
    let died = tokio::task::spawn_blocking(|| chaos.end()).await.unwrap();
    let logs = Logs::read(&died.logs());
    let mut wrong = logs.wrong_with_data(&died.killed);
    wrong.extend(logs.given_twice());
    for (key, reports) in reports.iter().enumerate() {
        wrong.extend(wrong_with_reports(key, reports));
        let ids: Vec<String> = reports.iter().map(|report| report.id.to_string()).collect();
        wrong.extend(logs.out_of_order(&ids));
        if KEYS[key] != AT_ONCE {
            wrong.extend(logs.after_success(&ids, &died.killed));
        }
        wrong.extend(not_loaded(&logs, &died, &seen, reports));
    }
    for report in reports.iter().flatten() {
        let id = report.id.to_string();
        if wrong.iter().any(|wrong| wrong.contains(&id)) {
            println!("{report:?}");
        }
    }
    let calls: usize = logs.calls.values().map(Vec::len).sum();
    let ended: usize = reports.iter().map(Vec::len).sum();
    println!("{ended} rotations, {calls} calls, {died}");
    assert_eq!(wrong, Vec::<String>::new(), "KEYWARD_SEED={seed}");
}
