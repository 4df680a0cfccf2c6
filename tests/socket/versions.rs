//! A key with versions, of a keeper that is killed while processes write documents, read them all the time and
//! re-encrypt them: no read fails, and in the end nothing is left under an earlier version.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use keyward::{
    Change, Client, Effect, Join, KeyChange, KeyError, RotationId, RotationState, VersionId,
    VersionListing, Worker, split, tag,
};
use uuid::Uuid;

use crate::keeper::process::{Folder, Keeper};
use crate::rotations::chaos::chance::Chance;
use crate::rotations::{client, given};
use crate::support::alone::again;

/// In the environment of a process: the keeper's folder and the worker's name.
const FOLDER: &str = "KEYWARD_TEST_FOLDER";
const NAME: &str = "KEYWARD_TEST_WORKER";

/// Two processes of each worker.
const PROCESSES: [&str; 4] = ["anna", "anna", "ben", "ben"];
const DOCUMENTS: usize = 6;

/// How long a copy of the key is used, as the configuration says.
const DRAIN: Duration = Duration::from_secs(1);

const CONFIGURATION: &str = r#"
[manager]
shutdown_grace = "500 ms"
max_crashes = 1000
[keys.letters]
store.file = "letters.key"
versions = true
drain = "1 s"
max_readable_versions = 1000
"#;

/// After how long what has not ended hangs.
const HANGS: Duration = Duration::from_secs(150);

/// What the processes share.
#[derive(Clone)]
struct Shared(PathBuf);

impl Shared {
    fn documents_of(&self, worker: &str) -> PathBuf {
        self.0.join("documents").join(worker)
    }

    fn documents(&self) -> Vec<PathBuf> {
        let of = |worker| fs::read_dir(self.documents_of(worker)).unwrap();
        let entries = ["anna", "ben"].into_iter().flat_map(of);
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_none()).collect()
    }

    /// Writes a document beside its place; it is whole or as it was once it is renamed.
    fn beside(&self, path: &Path, id: VersionId, key: &[u8]) -> PathBuf {
        let beside = path.with_extension(Uuid::new_v4().to_string());
        let mut file = File::create(&beside).unwrap();
        file.write_all(&tag(id, key)).unwrap();
        file.sync_all().unwrap();
        beside
    }

    /// What may never be seen.
    fn fails(&self, what: &str) {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.0.join("failed"));
        writeln!(file.unwrap(), "{what}").unwrap();
    }

    fn counts(&self, what: &str) {
        let file = File::options()
            .create(true)
            .append(true)
            .open(self.0.join(what));
        file.unwrap().write_all(b".").unwrap();
    }

    fn count(&self, what: &str) -> u64 {
        fs::metadata(self.0.join(what)).map_or(0, |file| file.len())
    }

    /// Whether processes are to write no more.
    fn is_quiet(&self) -> bool {
        self.0.join("quiet").exists()
    }

    async fn reencrypt(&self, change: &KeyChange) -> Result<Effect, String> {
        let new = change.key.new_version().ok_or("no id")?;
        let keys = change.new_keys.clone().ok_or("no keys")?;
        for entry in fs::read_dir(self.documents_of(change.key.worker())).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some() {
                continue;
            }
            let stored = fs::read(&path).map_err(|error| error.to_string())?;
            let (id, under) = split(&stored).map_err(|error| error.to_string())?;
            if id == new {
                continue;
            }
            let half = change.key.get_version(id).await;
            let half = half.map_err(|error| error.to_string())?;
            if half.expose() != under {
                self.fails("a callback was given another version's key");
            }
            fs::rename(self.beside(&path, new, keys.forward().expose()), &path).unwrap();
        }
        Ok(Effect::Reencrypted)
    }

    /// Writes one document after the other with the current version.
    async fn write(&self, worker: &Worker) {
        for number in (0..DOCUMENTS).cycle() {
            if self.is_quiet() {
                return;
            }
            let asked = Instant::now();
            match worker.get_forward_path_key("letters").await {
                Ok(key) => {
                    let path = self.documents_of(worker.name()).join(number.to_string());
                    let id = key.version.unwrap().id;
                    let beside = self.beside(&path, id, key.expose());
                    // A copy that is too old is not written with: the next one is got.
                    match asked.elapsed() < DRAIN / 2 {
                        true => fs::rename(beside, path).unwrap(),
                        false => fs::remove_file(beside).unwrap(),
                    }
                    self.counts("written");
                }
                Err(error) => self.wait_for_keeper("a get", &error).await,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads all documents all the time, by the ids that they carry.
    async fn read(&self, worker: &Worker) {
        loop {
            for path in self.documents() {
                let stored = fs::read(&path).unwrap();
                let (id, under) = split(&stored).unwrap();
                match worker.get_version("letters", id).await {
                    Ok(half) if half.expose() == under => self.counts("read"),
                    Ok(_) => self.fails("a read was given another version's key"),
                    Err(error) => self.wait_for_keeper("a read", &error).await,
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Only that the keeper is away is no failure.
    async fn wait_for_keeper(&self, what: &str, error: &KeyError) {
        if !error.is_retriable() {
            self.fails(&format!("{what} failed: {error}"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn joined(shared: &Shared, name: &str) -> Result<Worker, Box<dyn std::error::Error>> {
    let client = Client::at(shared.0.join("s")).await?;
    let worker = client.join(Join::shared(name)).await?;
    let own = shared.clone();
    let reencrypt = move |change: KeyChange| {
        let own = own.clone();
        async move { own.reencrypt(&change).await }
    };
    worker
        .register_on_change("letters", "reencrypt", reencrypt)
        .await?;
    worker.ready().await?;
    Ok(worker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is started by the test beside it"]
async fn process() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let (shared, name) = (Shared(folder.into()), env::var(NAME).unwrap());
    let worker = loop {
        match joined(&shared, &name).await {
            Ok(worker) => break Arc::new(worker),
            // The keeper is not there, or it ends.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    tokio::join!(shared.write(&worker), shared.read(&worker));
}

/// A process of a worker. It ends with this.
struct Process(Child);

impl Process {
    fn start(folder: &Path, name: &str) -> Self {
        let mut command = again(process);
        command.env(FOLDER, folder).env(NAME, name);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Sees a change to its end, however often the keeper is killed meanwhile; `strikes` is called again and again.
async fn changed(folder: &Folder, mut strikes: impl FnMut()) {
    let value = Uuid::new_v4().to_string();
    let change = Change::of("letters").new_keys(value).id(Uuid::now_v7());
    let begun = Instant::now();
    let mut declared: Option<RotationId> = None;
    loop {
        assert!(begun.elapsed() < HANGS, "{declared:?} hangs");
        strikes();
        let client = client(&folder.socket()).await;
        let Some(id) = declared else {
            match client.declare(change.clone()).await {
                Ok(id) => declared = Some(id),
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
            continue;
        };
        match client.rotation(id).await {
            Ok(report) => match report.state {
                RotationState::Completed => return,
                RotationState::Waiting | RotationState::Running => {}
                // A callback of a process that lost its keeper has failed.
                RotationState::Stopped => drop(client.resume(id, None).await),
                _ => panic!("{report}"),
            },
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_of_another_process_fails_while_the_key_rotates_and_keeper_and_processes_are_killed()
 {
    let (rotations, seed) = (
        given("KEYWARD_ROTATIONS", 5),
        given("KEYWARD_SEED", u64::from(std::process::id())),
    );
    println!("KEYWARD_ROTATIONS={rotations} KEYWARD_SEED={seed}");
    let folder = Folder::new("");
    folder.key("letters.key", "the first key");
    folder.configure(CONFIGURATION);
    let shared = Shared(folder.path().to_owned());
    for worker in ["anna", "ben"] {
        fs::create_dir_all(shared.documents_of(worker)).unwrap();
    }
    let mut keeper: Option<Keeper> = Some(folder.serve());
    let start = |name: &&str| Process::start(folder.path(), name);
    let mut processes: Vec<Process> = PROCESSES.iter().map(start).collect();
    let mut chance = Chance::of(seed, 0);
    let (mut keepers, mut killed) = (0, 0);
    for _ in 0..rotations {
        changed(&folder, || match chance.number() % 60 {
            0 | 1 => {
                drop(keeper.take());
                keeper = Some(folder.serve());
                keepers += 1;
            }
            number @ 2..6 => {
                let which = usize::try_from(number).unwrap() - 2;
                processes[which] = start(&PROCESSES[which]);
                killed += 1;
            }
            _ => thread::yield_now(),
        })
        .await;
    }
    // Nothing is written any more, for these are other processes, and one more change takes all documents along.
    File::create(folder.path().join("quiet")).unwrap();
    processes.clear();
    processes.extend(PROCESSES.iter().map(start));
    changed(&folder, || {}).await;
    let failed = fs::read_to_string(folder.path().join("failed")).unwrap_or_default();
    assert_eq!(failed, "", "KEYWARD_SEED={seed}");
    let client = client(&folder.socket()).await;
    let versions = client.versions("letters").await.unwrap();
    let (current, earlier): (Vec<_>, Vec<_>) = versions.iter().partition(|of| of.is_current);
    let [current] = current.as_slice() else {
        panic!("{versions:?}");
    };
    let key = client.get_version("letters", current.id).await.unwrap();
    assert_eq!(
        fs::read(folder.path().join("letters.key")).unwrap(),
        key.expose()
    );
    for path in shared.documents() {
        let stored = fs::read(&path).unwrap();
        let (id, under) = split(&stored).unwrap();
        assert_eq!(
            (id, under),
            (current.id, key.expose()),
            "{}",
            path.display()
        );
    }
    let owes = |version: &&&VersionListing| !version.debts.is_empty();
    assert_eq!(earlier.iter().find(owes), None, "all have re-encrypted");
    let (written, read) = (shared.count("written"), shared.count("read"));
    assert!(written > 0 && read > written, "{written} {read}");
    println!(
        "{} versions, {written} writes, {read} reads, keeper killed {keepers} times, processes {killed} times",
        versions.len()
    );
}
