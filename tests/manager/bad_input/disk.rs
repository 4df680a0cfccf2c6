//! A disk that is full: rotations pause with the error, keys are handed out, nothing is lost.

use keyward::repo::space::Space;
use keyward::worker::callback::KeyChange;
use keyward::{Change, MemoryRepo, RotationState, SecretKeyDefinition};
use uuid::Uuid;

use crate::support::faulty::{Fault, FaultyRepo};
use crate::support::{Gate, assert_says, define, on, within};

/// From its next write on the disk is full, as long as this life lasts.
fn fill(disk: &FaultyRepo) {
    disk.reopening_fails(u32::MAX);
    disk.next_write(Space::Rotations, Fault::Full);
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
    let content = MemoryRepo::new();
    let disk = FaultyRepo::on(content.clone());
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

    fill(&disk);
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

    let manager = on(content).await;
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
    let content = MemoryRepo::new();
    let disk = FaultyRepo::on(content.clone());
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
    fill(&disk);
    gate.open();
    crate::support::until("rotations pause", async || {
        manager.status().await.expect("a status").paused.is_some()
    })
    .await;
    within(manager.shutdown()).await.expect("it shuts down");

    let manager = on(content).await;
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
