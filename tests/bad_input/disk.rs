//! A disk that is full: rotations pause with the error, keys are handed out, nothing is lost.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::{StateRepo, Visitor};
use keyward::worker::callback::KeyChange;
use keyward::{Change, MemoryRepo, RotationState, SecretKeyDefinition};
use uuid::Uuid;

use crate::support::{Gate, assert_says, define, on, within};

/// A repo in memory whose disk is full as long as it is told so.
#[derive(Clone, Default)]
struct Disk {
    repo: Arc<MemoryRepo>,
    full: Arc<AtomicBool>,
}

impl Disk {
    /// The same content, for the next life.
    fn again(&self) -> Self {
        Self {
            repo: Arc::new(MemoryRepo::clone(&self.repo)),
            full: Arc::new(AtomicBool::new(false)),
        }
    }
}

fn full() -> RepoError {
    RepoError::Full {
        path: PathBuf::from("/data/000004.log"),
        source: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
    }
}

impl StateRepo for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.repo.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(full());
        }
        self.repo.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(full());
        }
        self.repo.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}

fn stated() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("documents", || "value_1").stateless(false)
}

fn change() -> Change {
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    change.id(Uuid::from_u128(7))
}

#[tokio::test]
async fn on_a_full_disk_a_declaration_is_unknown_rotations_pause_and_keys_are_handed_out() {
    let disk = Disk::default();
    let manager = on(disk.clone()).await;
    define(&manager, stated()).await;
    manager
        .register_on_change("documents", "call", |_: KeyChange| {})
        .await
        .expect("it registers");
    manager
        .get_forward_path_key("documents")
        .await
        .expect("a key");
    manager.save_state("documents").await.expect("it is saved");

    disk.full.store(true, Ordering::SeqCst);
    let error = within(manager.declare(change()))
        .await
        .expect_err("the disk is full");
    let id = Uuid::from_u128(7).to_string();
    let names = [id.as_str(), "no room left on the disk", "/data/000004.log"];
    assert_says(error.code(), "write_unknown", &error.to_string(), &names);
    let status = manager.status().await.expect("a status");
    assert!(
        status
            .paused
            .expect("it is paused")
            .contains("no room left on the disk")
    );
    let error = within(manager.declare(change()))
        .await
        .expect_err("rotations are paused");
    assert_says(
        error.code(),
        "repo_unavailable",
        &error.to_string(),
        &["no room left"],
    );
    let error = within(manager.save_state("documents"))
        .await
        .expect_err("the disk is full");
    assert_says(
        error.code(),
        "repo_unavailable",
        &error.to_string(),
        &["documents"],
    );
    assert!(error.is_retriable());
    let answer = within(manager.get_back_path_key("documents"))
        .await
        .expect("keys are handed out");
    assert_eq!(answer.expose(), b"value_1");
    within(manager.shutdown()).await.expect("it shuts down");

    let manager = on(disk.again()).await;
    define(&manager, stated()).await;
    manager
        .register_on_change("documents", "call", |_: KeyChange| {})
        .await
        .expect("it registers");
    assert!(
        manager
            .status()
            .await
            .expect("a status")
            .rotations
            .is_empty()
    );
    let answer = manager
        .get_back_path_key("documents")
        .await
        .expect("its record");
    assert_eq!(answer.expose(), b"value_1");
    let report = within(manager.key_changed(change()))
        .await
        .expect("there is room again");
    assert_eq!(report.state, RotationState::Completed);
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_of_a_rotation_makes_its_step_run_again() {
    let disk = Disk::default();
    let manager = on(disk.clone()).await;
    define(&manager, stated()).await;
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = held.clone();
        async move { gate.pass().await }
    };
    manager
        .register_on_change("documents", "call", waits)
        .await
        .expect("it registers");
    let never = |_: KeyChange| Err::<(), _>("it was called although that was not durable");
    manager
        .register_on_change("documents", "next", never)
        .await
        .expect("it registers");
    let id = manager.declare(change()).await.expect("it is accepted");
    gate.arrived(1).await;
    disk.full.store(true, Ordering::SeqCst);
    gate.open();
    crate::support::until("rotations pause", async || {
        manager.status().await.expect("a status").paused.is_some()
    })
    .await;
    within(manager.shutdown()).await.expect("it shuts down");

    let manager = on(disk.again()).await;
    let found = manager.status().await.expect("a status").rotations;
    assert_eq!((found[0].id, found[0].state), (id, RotationState::Running));
    define(&manager, stated()).await;
    let (told, attempts) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let call = move |change: KeyChange| {
        let told = told.lock().expect("no panic under the lock");
        told.send((change.key.rotation_id(), change.key.attempt()))
            .map_err(|e| e.to_string())
    };
    manager
        .register_on_change("documents", "call", call)
        .await
        .expect("it registers");
    manager
        .register_on_change("documents", "next", |_: KeyChange| {})
        .await
        .expect("it registers");
    let report = within(manager.wait(id)).await.expect("it goes on");
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
    assert_eq!(attempts.try_iter().collect::<Vec<_>>(), [(id, 2)]);
    within(manager.shutdown()).await.expect("it shuts down");
}
