//! What the program of a test lives in: a source of keys that it can change, and a disk that it can
//! break.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::{
    Change, KeyAnswer, KeyChange, KeyError, KeyStatus, KeysManagement, MemoryRepo, RotationId,
    RotationState, SecretKeyDefinition, SecretKeys, StateRepo,
};

use crate::support::{Gate, builder, define, within};

/// A source of keys that a test changes, and that counts its calls.
#[derive(Clone)]
pub struct Source {
    keys: Arc<Mutex<Result<SecretKeys, &'static str>>>,
    calls: Arc<AtomicUsize>,
}

impl Source {
    pub fn new(keys: impl Into<SecretKeys>) -> Self {
        Self {
            keys: Arc::new(Mutex::new(Ok(keys.into()))),
            calls: Arc::default(),
        }
    }

    pub fn set(&self, keys: impl Into<SecretKeys>) {
        *self.keys.lock().unwrap() = Ok(keys.into());
    }

    pub fn fail(&self) {
        *self.keys.lock().unwrap() = Err("out of order");
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// A round-trip key `documents` of this source.
    pub fn documents(&self) -> SecretKeyDefinition {
        self.round_trip("documents")
    }

    pub fn round_trip(&self, name: &str) -> SecretKeyDefinition {
        let source = self.clone();
        SecretKeyDefinition::round_trip(name, move || source.ask())
    }

    pub fn one_way(&self, name: &str) -> SecretKeyDefinition {
        let source = self.clone();
        SecretKeyDefinition::one_way(name, move || source.ask())
    }

    pub fn ask(&self) -> Result<SecretKeys, &'static str> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.keys.lock().unwrap().clone()
    }
}

/// A disk in memory that outlives managers, and takes no writes while it is broken.
#[derive(Clone, Default)]
pub struct Disk {
    content: MemoryRepo,
    broken: Arc<AtomicBool>,
}

impl Disk {
    /// From now on each write fails, and what became of it is unknown.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Everything in a space.
    pub fn all(&self, space: Space) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            all.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        };
        self.content.clone().scan(space, b"", visit).unwrap();
        all
    }

    /// Overwrites every record of a space that its key tells to be one of these.
    pub fn spoil(&self, space: Space, which: impl Fn(&[u8]) -> bool) {
        let mut batch = Batch::new();
        for (key, _) in self.all(space) {
            if which(&key) {
                batch = batch.put(space, key, "spoilt");
            }
        }
        assert!(!batch.is_empty(), "there is nothing to spoil");
        self.content.clone().apply(&batch).unwrap();
    }

    fn whole(&self) -> Result<(), RepoError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(RepoError::Failed {
                action: "using a broken disk".to_owned(),
                cause: "it is broken".into(),
            });
        }
        Ok(())
    }

    /// A life of the program on this disk.
    pub async fn life(&self) -> KeysManagement {
        let started = builder().state_repo(self.clone()).start().await;
        started.expect("a manager on a good disk starts")
    }

    /// A life in which this key is defined.
    pub async fn life_with(&self, definition: SecretKeyDefinition) -> KeysManagement {
        let manager = self.life().await;
        define(&manager, definition).await;
        manager
    }
}

impl StateRepo for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.content.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.content.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.whole()?;
        self.content.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.whole()
    }

    /// The content outlives the manager.
    fn close(&self) -> Result<(), RepoError> {
        Ok(())
    }
}

/// Ends a life in order.
pub async fn end(manager: KeysManagement) {
    within(manager.shutdown()).await.expect("it ends once");
}

/// A manager with one key in memory.
pub async fn with(definition: SecretKeyDefinition) -> KeysManagement {
    Disk::default().life_with(definition).await
}

pub async fn forward(manager: &KeysManagement) -> String {
    text(within(manager.get_forward_path_key("documents")).await)
}

pub async fn back(manager: &KeysManagement) -> String {
    text(within(manager.get_back_path_key("documents")).await)
}

/// The value, or the code of the error.
pub fn text(answer: Result<KeyAnswer, KeyError>) -> String {
    match answer {
        Ok(answer) => answer.expose_str().expect("tests use text").to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

/// What an operator is told of the key `documents`.
pub async fn facts(manager: &KeysManagement) -> KeyStatus {
    let status = within(manager.status()).await.expect("it lives");
    let found = status
        .keys
        .into_iter()
        .find(|key| key.name.as_str() == "documents");
    found.expect("it is defined")
}

/// A callback that waits at the gate.
pub fn waits_at(gate: &Gate) -> impl Fn(KeyChange) -> Waiting + Clone + Send + Sync + 'static {
    let gate = gate.clone();
    move |_| {
        let gate = gate.clone();
        Box::pin(async move { gate.pass().await })
    }
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Registers a callback that fails until the switch is turned.
pub async fn fails_until(manager: &KeysManagement, callback: &str) -> Arc<AtomicBool> {
    let mended = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&mended);
    let call = move |_: KeyChange| {
        if asks.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err("not yet")
        }
    };
    manager
        .register_on_change("documents", callback, call)
        .await
        .unwrap();
    mended
}

pub async fn declare(manager: &KeysManagement, new: &str) -> RotationId {
    manager
        .declare(Change::of("documents").new_keys(new))
        .await
        .unwrap()
}

pub async fn state(manager: &KeysManagement, id: RotationId) -> RotationState {
    let listed = manager.rotations().await.unwrap();
    match listed.into_iter().find(|report| report.id == id) {
        Some(report) => report.state,
        None => within(manager.wait(id)).await.unwrap().state,
    }
}
