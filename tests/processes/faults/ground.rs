//! What the lives of a test stand on: a repo in memory or in a folder, and a program with keys and
//! callbacks that wait at a gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward::management::builder::KeysManagementBuilder;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::worker::callback::KeyChange;
use keyward::{Change, Effect, KeysManagement, MemoryRepo, SecretKeyDefinition, SecretKeyValue};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::faulty::FaultyRepo;
use crate::support::{Gate, builder, define, until, within};

/// Content that outlives managers.
pub enum Ground {
    /// In memory.
    Memory(MemoryRepo),
    /// RocksDB, in a folder.
    Folder(TempDir),
}

impl Ground {
    /// One of each.
    pub fn both() -> [Self; 2] {
        let folder = tempfile::tempdir().expect("a folder");
        [Self::memory(), Self::Folder(folder)]
    }

    /// One in memory.
    pub fn memory() -> Self {
        Self::Memory(MemoryRepo::new())
    }

    /// The repo of the next life.
    pub fn repo(&self) -> FaultyRepo {
        match self {
            Self::Memory(content) => FaultyRepo::on(content.clone()),
            Self::Folder(folder) => {
                let options = FolderOptions::new(folder.path().join("data"));
                FaultyRepo::on(RocksDbRepo::open(&options).expect("the folder is free"))
            }
        }
    }
}

/// A builder that reopens its repo as often as a test can wait for.
pub fn reopening() -> KeysManagementBuilder {
    builder().reopen_every(Duration::from_millis(100))
}

/// A manager on this repo.
pub async fn on(repo: &FaultyRepo) -> KeysManagement {
    let started = reopening().state_repo(repo.clone()).start().await;
    started.expect("a manager on a good repo starts")
}

/// A stated round-trip key, whose store answers `value_1`, and whose callbacks may wait for long.
pub fn stated(key: &str) -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip(key, || "value_1")
        .stateless(false)
        .callback_time_limit(Duration::from_secs(300))
}

/// The change of a key from `value_1` to `value_2`, under an id of its own.
pub fn change(key: &str) -> Change {
    let id = key
        .bytes()
        .fold(0, |id: u128, byte| id << 8 | u128::from(byte));
    let change = Change::of(key).old("value_1").new_keys("value_2");
    change.id(Uuid::from_u128(id))
}

/// A callback of a key of a program, which waits at a gate and counts its calls.
#[derive(Clone)]
pub struct Callback {
    /// Where each call waits.
    pub gate: Gate,
    ended: Arc<AtomicUsize>,
}

impl Callback {
    /// Registers one of `main`, that waits until its gate is open and re-encrypts then.
    pub async fn register(manager: &KeysManagement, key: &str, name: &str) -> Self {
        let callback = Self {
            gate: Gate::default(),
            ended: Arc::default(),
        };
        let this = callback.clone();
        let call = move |_: KeyChange| {
            let this = this.clone();
            async move {
                this.gate.pass().await;
                this.ended.fetch_add(1, Ordering::SeqCst);
                Effect::Reencrypted
            }
        };
        let registered = manager.register_on_change(key, name, call).await;
        registered.expect("it registers");
        callback
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.gate.count()
    }

    /// How many of its calls have come to their end.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

/// A manager with a stated key that holds `value_1`, and has a record of that.
pub async fn with_record(repo: &FaultyRepo, key: &str) -> KeysManagement {
    let manager = on(repo).await;
    define(&manager, stated(key)).await;
    let forward = manager.get_forward_path_key(key).await;
    drop(forward.expect("a key"));
    manager.save_state(key).await.expect("it is saved");
    manager
}

/// What the key answers on its back path.
pub async fn back(manager: &KeysManagement, key: &str) -> String {
    let answer = within(manager.get_back_path_key(key)).await;
    let answer = answer.expect("keys are handed out");
    answer.expose_str().expect("tests use text").to_owned()
}

/// The keys that data of `documents` may be under.
pub async fn candidates(manager: &KeysManagement) -> Vec<String> {
    let found = within(manager.back_path_candidates("documents")).await;
    let found = found.expect("what fails hides nothing of the rest");
    let text = |key: &SecretKeyValue| key.expose_str().expect("tests use text").to_owned();
    found.iter().map(text).collect()
}

/// Whether rotations are paused.
pub async fn is_paused(manager: &KeysManagement) -> bool {
    let status = within(manager.status()).await.expect("a status");
    status.paused.is_some()
}

/// Waits until rotations are paused no more.
pub async fn goes_on(manager: &KeysManagement) {
    until("rotations go on", async || !is_paused(manager).await).await;
}

/// What the record of a key says to a life that has not asked its store.
pub async fn recorded(ground: &Ground, key: &str) -> String {
    let manager = on(&ground.repo()).await;
    let definition = SecretKeyDefinition::round_trip(key, || "the store was asked");
    define(&manager, definition.stateless(false)).await;
    let recorded = back(&manager, key).await;
    within(manager.shutdown()).await.expect("it shuts down");
    recorded
}
