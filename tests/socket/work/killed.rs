//! A keeper that is killed at each of its writes while many callbacks of other processes run at once: before the write is
//! made, and when it is durable and nobody has been told. Nothing is called twice, and nothing is lost.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::{
    Change, Client, Effect, Join, KeyChange, KeysManagement, RotationId, RotationReport,
    RotationState, SecretKeyDefinition, ServeOptions, Uuid, Worker,
};

use crate::support::MASTER_KEY;
use crate::support::alone::{LONGEST, again};
use crate::support::killer::{Counter, Kill, KillingRepo};

const FOLDER: &str = "KEYWARD_TEST_FOLDER";
const KILL: &str = "KEYWARD_TEST_KILL";

/// No rotation of this test makes more writes.
const MOST_WRITES: u64 = 60;

/// The keeper's process: it is killed at a write, once it is told on its standard input that writes count.
#[test]
#[ignore = "it is started by the tests beside it"]
fn keeper() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = FolderOptions::new(folder.join("data"));
        let counter = Counter::new(Kill::of_word(&env::var(KILL).unwrap()));
        let repo = KillingRepo {
            repo: RocksDbRepo::open(&options).unwrap(),
            counter: counter.clone(),
        };
        let builder = KeysManagement::builder().state_repo(repo);
        let keys = builder.master_key(|| MASTER_KEY).start().await.unwrap();
        let documents = SecretKeyDefinition::round_trip("documents", || "value_0");
        let documents = documents.workers_at_once(8);
        keys.define_key(documents).await.unwrap();
        let options = ServeOptions::at(folder.join("s"));
        let serving = keys.serve(options).await.unwrap();
        println!("it serves");
        let counts = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            counter.arm();
            println!("writes count");
        });
        counts.await.unwrap();
        serving.ended().await;
    });
}

struct Keeper {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Keeper {
    fn start(folder: &Path, kill: Kill) -> Self {
        let mut process = again(keeper)
            .env(FOLDER, folder)
            .env(KILL, kill.to_word())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut keeper = Self { process, said };
        keeper.says("it serves");
        keeper
    }

    fn says(&mut self, what: &str) {
        let mut lines = self.said.by_ref().lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(what)), "it says {what:?}");
    }

    /// From now on its writes count.
    fn arm(&mut self) {
        let mut orders = self.process.stdin.take().unwrap();
        orders.write_all(b"count\n").unwrap();
        self.says("writes count");
    }

    fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// How often each callback was called for each rotation.
type Calls = Arc<Mutex<BTreeMap<(RotationId, String), u32>>>;

/// The workers: three of data, and one of memory with three instances.
async fn workers(socket: &Path, calls: &Calls) -> Vec<(Client, Worker)> {
    let mut all = Vec::new();
    for name in ["anna", "ben", "carl", "web", "web", "web"] {
        let client = Client::at(socket).await.unwrap();
        let is_web = name == "web";
        let join = if is_web {
            Join::shared(name)
        } else {
            Join::sole(name)
        };
        let worker = client.join(join).await.unwrap();
        let (calls, named) = (Arc::clone(calls), format!("{name} {}", all.len()));
        let call = move |change: KeyChange| {
            let of = (change.key.rotation_id(), named.clone());
            *calls.lock().unwrap().entry(of).or_default() += 1;
            if is_web {
                Effect::Nothing
            } else {
                Effect::Reencrypted
            }
        };
        if is_web {
            worker
                .register_in_memory("documents", "c", call)
                .await
                .unwrap();
        } else {
            worker
                .register_on_change("documents", "c", call)
                .await
                .unwrap();
        }
        worker.ready().await.unwrap();
        all.push((client, worker));
    }
    all
}

/// Declares a change, under an id of its own: it is accepted once, however often it has to be asked.
async fn declared(
    socket: &Path,
    change: Change,
    keeper: &mut Keeper,
    next: impl Fn() -> Keeper,
) -> bool {
    let mut killed = false;
    loop {
        let declared = async {
            let client = Client::at(socket)
                .await
                .map_err(|error| error.to_string())?;
            client.declare(change.clone()).await.map_err(|error| {
                assert!(error.is_retriable(), "{error}");
                error.to_string()
            })
        };
        if declared.await.is_ok() {
            return killed;
        }
        if !killed && keeper.has_ended() {
            *keeper = next();
            killed = true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The report of a rotation that has settled, and whether the keeper was killed meanwhile.
async fn settled(
    socket: &Path,
    id: RotationId,
    keeper: &mut Keeper,
    next: impl Fn() -> Keeper,
) -> (RotationReport, bool) {
    let begun = std::time::Instant::now();
    let mut killed = false;
    loop {
        if let Ok(client) = Client::at(socket).await
            && let Ok(report) = client.rotation(id).await
            && !report.state.goes_on()
        {
            // It may be about to be killed at the write of this end.
            return (report, killed || keeper.has_ended());
        }
        if !killed && keeper.has_ended() {
            *keeper = next();
            killed = true;
        }
        assert!(begun.elapsed() < LONGEST, "{id} does not end");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn check(what: &str, report: &RotationReport, calls: &Calls) {
    assert_eq!(report.state, RotationState::Completed, "{what}: {report}");
    for step in report.steps.iter() {
        assert_eq!(step.crashes, 0, "{what}: {report}");
    }
    let calls = calls.lock().unwrap();
    let of_it = calls.iter().filter(|((id, _), _)| *id == report.id);
    let of_it: Vec<(&str, u32)> = of_it
        .map(|((_, name), count)| (name.as_str(), *count))
        .collect();
    let once = ["anna 0", "ben 1", "carl 2", "web 3", "web 4", "web 5"].map(|name| (name, 1));
    assert_eq!(of_it, once, "{what}: {report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_is_killed_at_any_write_of_many_calls_at_once_calls_nobody_twice_and_loses_nothing()
 {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let start = |kill| Keeper::start(folder.path(), kill);
    let mut keeper = start(Kill::Before(1));
    let calls = Calls::default();
    let workers = workers(&socket, &calls).await;
    let kills = (1..MOST_WRITES).flat_map(|no| [Kill::Before(no), Kill::After(no)]);
    let mut kills: Vec<Kill> = kills.collect();
    kills.push(Kill::Never);
    let mut killed_at = Vec::new();
    for (no, pair) in kills.windows(2).enumerate() {
        let (kill, following) = (pair[0], pair[1]);
        let id = Uuid::from_u128(u128::try_from(no).unwrap() + 1);
        let change = Change::of("documents")
            .id(id)
            .old(format!("value_{no}"))
            .new_keys(format!("value_{}", no + 1));
        keeper.arm();
        let next = || start(following);
        let at_declare = declared(&socket, change, &mut keeper, next).await;
        let (report, killed) = settled(&socket, RotationId::new(id), &mut keeper, next).await;
        check(&format!("{kill:?}"), &report, &calls);
        if !at_declare && !killed {
            break;
        }
        if keeper.has_ended() {
            keeper = next();
        }
        killed_at.push(kill);
    }
    println!(
        "killed {} times, last {:?}",
        killed_at.len(),
        killed_at.last()
    );
    assert!(killed_at.len() >= 8, "{killed_at:?}");
    drop(workers);
}
