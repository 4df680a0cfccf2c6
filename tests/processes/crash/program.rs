//! One life of a program that rotates 3 stated keys at once, again and again, with 4 workers that
//! have documents under each. It tells what it does in a file that survives it.

use std::fs;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::worker::callback::KeyChange;
use keyward::{
    Change, Effect, KeysManagement, OnKeyChangedCallbackErrorStrategy, RotationReport,
    RotationState, SecretKeyDefinition, SecretKeyValue, Worker,
};
use uuid::Uuid;

use crate::crash::chance::Chance;
use crate::crash::documents::{Document, replace};
use crate::crash::life::Log;
use crate::support;

/// The workers; each has all callbacks for each key.
pub const WORKERS: [&str; 4] = ["w0", "w1", "w2", "w3"];
/// The callbacks of a worker, in their order.
pub const CALLBACKS: [&str; 2] = ["a", "b"];
/// How many rotations of each key a life makes, if it lives to its end.
const ROTATIONS: u32 = 2;
/// No callback has failed for good in this program, however often it was killed in it.
const MANY_CRASHES: u32 = 1_000;

/// A key of the program.
#[derive(Debug, Clone, Copy)]
pub struct Rotating {
    /// Its name.
    pub name: &'static str,
    /// Its strategy.
    pub strategy: OnKeyChangedCallbackErrorStrategy,
    /// How many of its workers run at once.
    pub at_once: usize,
    /// How many of its rotations are declared before the first of them has ended.
    pub ahead: u32,
    /// Whether some of its callbacks fail at their first attempt.
    pub fails: bool,
}

/// The keys of a program; each variant has other strategies.
pub fn keys(variant: usize) -> [Rotating; 3] {
    let all = OnKeyChangedCallbackErrorStrategy::ALL;
    let strategy = |no: usize| all[(variant + no) % all.len()];
    let key = |name, no, at_once, ahead| Rotating {
        name,
        strategy: strategy(no),
        at_once,
        ahead,
        fails: ahead == 1,
    };
    [
        key("letters", 0, 1, 3),
        key("invoices", 1, 1, 1),
        key("parcels", 2, 2, 1),
    ]
}

/// Every callback of a key, in the plan's order.
pub fn plan() -> Vec<String> {
    let of_worker = |worker| CALLBACKS.map(|callback| format!("{worker}/{callback}"));
    WORKERS.into_iter().flat_map(of_worker).collect()
}

/// The value of a key after so many rotations.
pub fn value(key: &str, version: u32) -> SecretKeyValue {
    let mut chance = Chance::of(u64::from(version), number_of(key));
    let (one, two) = (chance.number(), chance.number());
    SecretKeyValue::from(format!("{key} {version} {one:016x}{two:016x}"))
}

/// The version that a value is of.
fn version(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// A number of its own for each short name.
fn number_of(name: &str) -> u64 {
    name.bytes()
        .fold(0, |number, byte| number << 8 | u64::from(byte))
}

fn id(key: &str, rotation: u32) -> Uuid {
    Uuid::from_u128(u128::from(number_of(key)) << 64 | u128::from(rotation))
}

fn rotation(id: Uuid) -> u32 {
    u32::try_from(id.as_u128() & u128::from(u32::MAX)).expect("it fits")
}

/// What a life is told.
pub struct Told {
    /// Where everything is.
    pub folder: PathBuf,
    /// Which keys.
    pub variant: usize,
    /// Whether it only completes what there is.
    pub last: bool,
}

/// Lives to the end, unless it is killed.
pub async fn live(told: Told) {
    let log = Log::open(&told.folder);
    let options = FolderOptions::new(told.folder.join("data"));
    let repo = RocksDbRepo::open(&options).expect("the database opens after a crash");
    let builder = support::builder().max_crashes(MANY_CRASHES);
    let manager = builder.state_repo(repo).start().await;
    let manager = manager.expect("it starts after a crash");
    let keys = keys(told.variant);
    log.tell(&found(&manager, &keys, &told.folder).await);
    for key in keys {
        let definition = SecretKeyDefinition::round_trip(key.name, move || value(key.name, 0))
            .stateless(false)
            .error_strategy(key.strategy)
            .workers_at_once(key.at_once)
            .callback_time_limit(support::LIMIT);
        support::define(&manager, definition).await;
    }
    save_once(&manager, &log, &keys, &told.folder).await;
    for key in keys {
        log.tell(&format!(
            "record {} {}",
            key.name,
            held(&manager, key).await
        ));
    }
    let mut workers = Vec::new();
    for name in WORKERS {
        let worker = manager.join(name).await.expect("it joins");
        for key in keys {
            register(&worker, key, &log, &told.folder).await;
        }
        workers.push(worker);
    }
    log.tell("ready");
    let rotating = keys.map(|key| rotate(&manager, key, &log, &told));
    join_all(rotating).await;
    if told.last {
        log.tell(&history(&manager).await);
    }
    log.tell("closing");
    drop(workers);
    manager.shutdown().await.expect("it shuts down");
    log.tell("closed");
}

/// What the journal has of every rotation that may be on its way, before the program does anything.
async fn found(manager: &KeysManagement, keys: &[Rotating], folder: &Path) -> String {
    let status = manager.status().await.expect("a listing");
    assert!(status.unreadable_records.is_empty() && status.unreadable_rotations.is_empty());
    let mut lines: Vec<String> = status.rotations.iter().map(|r| line("found", r)).collect();
    for key in keys {
        let next = done(folder, key) + 1;
        for no in next..=next + key.ahead {
            let id = id(key.name, no);
            if status.rotations.iter().any(|r| r.id.as_uuid() == id) {
                continue;
            }
            lines.push(match manager.wait(id.into()).await {
                Ok(report) => line("found", &report),
                Err(error) if error.code() == "unknown_rotation" => {
                    format!("missing {} {no}", key.name)
                }
                Err(error) => panic!("{error}"),
            });
        }
    }
    lines.push("found all".to_owned());
    lines.join("\n")
}

async fn history(manager: &KeysManagement) -> String {
    let mut rotations = Vec::new();
    let mut page = manager.history(usize::MAX).await.expect("a history");
    loop {
        assert!(page.unreadable.is_empty());
        rotations.append(&mut page.rotations);
        let Some(next) = page.next else {
            break;
        };
        let older = manager.history_before(next, usize::MAX).await;
        page = older.expect("a history");
    }
    let lines = rotations.iter().rev();
    lines
        .map(|r| line("history", r))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A report in one line.
fn line(what: &str, report: &RotationReport) -> String {
    let mut line = format!(
        "{what} {} {} {} {}",
        report.key,
        rotation(report.id.as_uuid()),
        report.state,
        report.sequence
    );
    for step in &report.steps {
        assert!(!step.removed);
        line += &format!(
            " {}/{}:{}:{}:{}",
            step.worker, step.callback, step.status, step.attempt, step.crashes
        );
    }
    line
}

/// Encrypts the documents before any change, once.
async fn save_once(manager: &KeysManagement, log: &Log, keys: &[Rotating], folder: &Path) {
    let saved = folder.join("saved");
    if saved.exists() {
        return;
    }
    for key in keys {
        let forward = manager.get_forward_path_key(key.name).await;
        drop(forward.expect("the first value"));
        manager.save_state(key.name).await.expect("it is saved");
        for place in plan() {
            for document in Document::all_of(folder, key.name, &place) {
                document.create(&value(key.name, 0));
            }
        }
    }
    replace(&saved, b"");
    log.tell("saved");
}

/// Which version a key holds, after its record was read where nothing else told.
async fn held(manager: &KeysManagement, key: Rotating) -> String {
    let answer = manager.get_back_path_key(key.name).await;
    version(answer.expect("the record is whole").expose())
}

async fn register(worker: &Worker, key: Rotating, log: &Log, folder: &Path) {
    for callback in CALLBACKS {
        let place = format!("{}/{callback}", worker.name());
        let (log, documents) = (log.clone(), Document::all_of(folder, key.name, &place));
        let call = move |change: KeyChange| called(&change, key, &place, &log, &documents);
        worker
            .register_on_change(key.name, callback, call)
            .await
            .expect("it registers");
    }
}

fn called(
    change: &KeyChange,
    key: Rotating,
    place: &str,
    log: &Log,
    documents: &[Document],
) -> Result<Effect, &'static str> {
    let (no, attempt) = (
        rotation(change.key.rotation_id().as_uuid()),
        change.key.attempt(),
    );
    let this = format!("{} {no} {place} {attempt}", key.name);
    log.tell(&format!("begin {this}"));
    let (old, new) = (value(key.name, no - 1), value(key.name, no));
    let given = [&change.old_keys, &change.new_keys]
        .map(|keys| keys.as_ref().map(|keys| [keys.forward(), keys.back()]));
    if given != [Some([&old, &old]), Some([&new, &new])] {
        log.tell(&format!("wrong keys {this}"));
    }
    let fails = key.fails && attempt == 1;
    let mut chance = Chance::of(u64::from(no), number_of(place));
    let (fails, early) = (fails && chance.part() < 0.15, chance.part() < 0.5);
    let some = if fails && early { 1 } else { documents.len() };
    if !documents.iter().take(some).all(|d| d.reencrypt(&old, &new)) {
        log.tell(&format!("lost document {this}"));
    }
    if fails {
        log.tell(&format!("fail {this}"));
        return Err("not at the first attempt");
    }
    log.tell(&format!("end {this}"));
    Ok(Effect::Reencrypted)
}

/// Takes a key through its rotations.
async fn rotate(manager: &KeysManagement, key: Rotating, log: &Log, told: &Told) {
    let mut ended = done(&told.folder, &key);
    let mut declared = ended;
    let mut target = ended + ROTATIONS;
    if told.last {
        let unfinished = manager.rotations().await.expect("a listing");
        let of_key = unfinished.iter().filter(|r| r.key.as_str() == key.name);
        let newest = of_key.map(|r| rotation(r.id.as_uuid())).max();
        target = newest.unwrap_or(ended).max(ended + 1);
    }
    while ended < target {
        while declared < target.min(ended + key.ahead) {
            declared += 1;
            log.tell(&format!("declare {} {declared}", key.name));
            let change = Change::of(key.name)
                .old(value(key.name, declared - 1))
                .new_keys(value(key.name, declared))
                .id(id(key.name, declared));
            manager.declare(change).await.expect("it is accepted");
            log.tell(&format!("accepted {} {declared}", key.name));
        }
        ended += 1;
        complete(manager, key, ended, log).await;
        replace(&done_file(&told.folder, &key), ended.to_string().as_bytes());
    }
    let held = held(manager, key).await;
    log.tell(&format!("holds {} {held}", key.name));
}

/// Waits for a rotation, and resumes it as its operator until it has completed.
async fn complete(manager: &KeysManagement, key: Rotating, no: u32, log: &Log) {
    let id = id(key.name, no).into();
    loop {
        let report = manager.wait(id).await.expect("it settles");
        log.tell(&line("report", &report));
        if report.state == RotationState::Completed {
            return;
        }
        manager.resume(id).await.expect("it is resumed");
    }
}

/// How many rotations of a key have ended as far as the program itself remembers: one that ended
/// just before a kill may not be among them.
fn done(folder: &Path, key: &Rotating) -> u32 {
    let told = fs::read_to_string(done_file(folder, key));
    told.map_or(0, |told| told.parse().expect("a number"))
}

fn done_file(folder: &Path, key: &Rotating) -> PathBuf {
    folder.join(format!("done-{}", key.name))
}
