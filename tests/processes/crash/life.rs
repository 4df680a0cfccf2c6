//! One life of a program: 3 workers with 2 callbacks each, a declared change, and a resume by its
//! operator. It tells what it does in a file that survives it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::worker::callback::KeyChange;
use keyward::{
    Change, Effect, KeysManagement, OnKeyChangedCallbackErrorStrategy, RotationId, RotationReport,
    RotationState, SecretKeyDefinition, SecretKeyFlow, Worker,
};
use uuid::Uuid;

use crate::support;
use crate::support::killer::{Counter, Kill, KillingRepo};

/// The id that the program gives its declaration, so that declaring again starts nothing.
pub const ID: RotationId =
    RotationId::new(Uuid::from_u128(0x018f_0000_0000_7000_8000_0000_0000_0001));
/// The callback that fails until the operator has resumed the rotation.
pub const FAILS: &str = "w1/a";
/// Every callback, in the plan's order.
pub const PLAN: [&str; 6] = ["w0/a", "w0/b", "w1/a", "w1/b", "w2/a", "w2/b"];

/// What a life is told.
pub struct Orders {
    /// Where everything is.
    pub folder: PathBuf,
    /// The strategy of the key.
    pub strategy: OnKeyChangedCallbackErrorStrategy,
    /// When to die.
    pub kill: Kill,
    /// Whether writes count from the start of the manager on, or from the declaration on.
    pub from_start: bool,
}

/// The strategy of this name.
pub fn strategy(name: &str) -> OnKeyChangedCallbackErrorStrategy {
    let all = OnKeyChangedCallbackErrorStrategy::ALL;
    let named = all
        .into_iter()
        .find(|strategy| strategy.to_string() == name);
    named.expect("the name of a strategy")
}

/// A file of lines; each line is on the disk before the next thing happens.
#[derive(Clone)]
pub struct Log {
    file: Arc<Mutex<File>>,
}

impl Log {
    /// The log in this folder, as earlier lives left it.
    pub fn open(folder: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"));
        Self {
            file: Arc::new(Mutex::new(file.expect("a log"))),
        }
    }

    /// Adds a line.
    pub fn tell(&self, line: &str) {
        let mut file = self.file.lock().expect("no panic under the lock");
        file.write_all(format!("{line}\n").as_bytes())
            .expect("the log takes a line");
        file.sync_data().expect("the log is on the disk");
    }
}

/// Lives until the orders' death, or to the end.
pub async fn live(orders: Orders) {
    let log = Log::open(&orders.folder);
    let counter = Counter::new(orders.kill);
    let options = FolderOptions::new(orders.folder.join("data"));
    let repo = RocksDbRepo::open(&options).expect("the database opens after a crash");
    if orders.from_start {
        counter.arm();
    }
    let repo = KillingRepo {
        repo,
        counter: counter.clone(),
    };
    let manager = support::on(repo).await;
    log.tell(&format!("found {}", found(&manager).await));
    manager
        .define_key(definition(orders.strategy, "old key"))
        .await
        .expect("it is defined");
    save_once(&manager, &orders.folder).await;
    let mut workers = Vec::new();
    for name in ["w0", "w1", "w2"] {
        workers.push(manager.join(name).await.expect("it joins"));
    }
    for worker in &workers {
        register(worker, &log, &counter, &orders.folder).await;
    }
    counter.arm();
    let report = declare(&manager, &log, &orders.folder).await;
    log.tell(&format!("report {}", told(&report)));
    drop(workers);
    manager.shutdown().await.expect("it shuts down");
    look_again(&orders, &log).await;
}

fn definition(
    strategy: OnKeyChangedCallbackErrorStrategy,
    value: &'static str,
) -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("documents", move || value)
        .stateless(false)
        .error_strategy(strategy)
}

/// Encrypts something before the change, in the first life.
async fn save_once(manager: &KeysManagement, folder: &Path) {
    let saved = folder.join("saved");
    if saved.exists() {
        return;
    }
    manager
        .get_forward_path_key("documents")
        .await
        .expect("the old key");
    manager.save_state("documents").await.expect("it is saved");
    mark(&saved);
}

fn mark(path: &Path) {
    let file = File::create(path).expect("a mark");
    file.sync_all().expect("the mark is on the disk");
}

async fn register(worker: &Worker, log: &Log, counter: &Counter, folder: &Path) {
    for callback in ["a", "b"] {
        let place = format!("{}/{callback}", worker.name());
        let (log, counter, resumed) = (log.clone(), counter.clone(), folder.join("resumed"));
        let call = move |change: KeyChange| {
            log.tell(&format!("begin {place} {}", change.key.attempt()));
            assert_eq!(change.key.rotation_id(), ID);
            counter.called();
            let old = change
                .old_keys
                .as_ref()
                .map(|keys| keys.back().expose().to_vec());
            assert_eq!(old.as_deref(), Some("old key".as_bytes()));
            if place == FAILS && !resumed.exists() {
                return Err("not yet".to_owned());
            }
            log.tell(&format!("end {place} {}", change.key.attempt()));
            Ok(if place == "w2/b" {
                Effect::Reencrypted
            } else {
                Effect::Nothing
            })
        };
        worker
            .register_on_change("documents", callback, call)
            .await
            .expect("it registers");
    }
}

async fn declare(manager: &KeysManagement, log: &Log, folder: &Path) -> RotationReport {
    let change = Change::of("documents")
        .old("old key")
        .new_keys("new key")
        .id(ID.as_uuid());
    let id = manager.declare(change).await.expect("it is accepted, once");
    assert_eq!(id, ID);
    log.tell("accepted");
    let report = manager.wait(ID).await.expect("it settles");
    if report.state == RotationState::Completed {
        return report;
    }
    if report.resumes == 0 {
        log.tell(&format!("settled {}", told(&report)));
        mark(&folder.join("resumed"));
        manager.resume(ID).await.expect("it is resumed");
    }
    manager.wait(ID).await.expect("it settles again")
}

/// Whether and how the journal has the rotation, before the program does anything.
async fn found(manager: &KeysManagement) -> String {
    let status = manager.status().await.expect("a listing");
    assert!(status.unreadable_records.is_empty() && status.unreadable_rotations.is_empty());
    let history = manager.history(10).await.expect("a history");
    let all: Vec<&RotationReport> = status.rotations.iter().chain(&history.rotations).collect();
    assert!(
        all.len() <= 1,
        "one declaration became two rotations: {all:?}"
    );
    all.first()
        .map_or_else(|| "nothing".to_owned(), |report| told(report))
}

/// A report in one line.
pub fn told(report: &RotationReport) -> String {
    assert_eq!(report.id, ID);
    let step = |s: &keyward::rotation::plan::Step| {
        assert!(!s.removed);
        format!(
            "{}/{}:{}:{}:{}",
            s.worker, s.callback, s.status, s.attempt, s.crashes
        )
    };
    let steps: Vec<String> = report.steps.iter().map(step).collect();
    format!("{} {}", report.state, steps.join(" "))
}

/// What the next program finds: the record of the stated key, without asking the store.
async fn look_again(orders: &Orders, log: &Log) {
    let options = FolderOptions::new(orders.folder.join("data"));
    let manager = support::on(RocksDbRepo::open(&options).expect("the folder is free")).await;
    log.tell(&format!("finally {}", found(&manager).await));
    let definition = definition(orders.strategy, "the store was asked");
    manager.define_key(definition).await.expect("it is defined");
    let answer = manager.get_key("documents").await.expect("a key");
    assert_eq!(answer.flow, SecretKeyFlow::BackPath);
    log.tell(&format!("back {}", answer.expose_str().unwrap_or_default()));
    drop(manager.shutdown_within(Duration::ZERO).await);
}
