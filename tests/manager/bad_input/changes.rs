//! Declarations and operator's calls that are refused.

use keyward::worker::callback::KeyChange;
use keyward::{Change, RotationId};
use uuid::Uuid;

use crate::support::{Gate, assert_says, statuses, with_documents, within};

#[tokio::test]
async fn unknown_rotations_are_named() {
    let manager = with_documents().await;
    let id = RotationId::new(Uuid::from_u128(7));
    let errors = [
        manager.wait(id).await.map(drop),
        manager.resume(id).await,
        manager.abort(id, &[]).await,
        manager.dismiss(id).await,
        manager.recover_keys(id).await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("it is unknown");
        let names = [&id.to_string(), "unknown"];
        assert_says(error.code(), "unknown_rotation", &error.to_string(), &names);
    }
}

#[tokio::test]
async fn a_rotation_that_has_ended_cannot_be_resumed_aborted_or_dismissed() {
    let manager = with_documents().await;
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let report = manager.key_changed(change).await.expect("it ends");
    let id = report.id;
    let errors = [
        manager.resume(id).await,
        manager.abort(id, &[]).await,
        manager.dismiss(id).await,
        manager.recover_keys(id).await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("it has ended");
        let names = [&id.to_string(), "completed"];
        assert_says(error.code(), "wrong_state", &error.to_string(), &names);
    }
    assert_eq!(manager.wait(id).await, Ok(report));
}

#[tokio::test]
async fn a_rotation_with_a_callback_under_way_can_be_neither_resumed_nor_aborted() {
    let manager = with_documents().await;
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| held.pass_blocking();
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .expect("it registers");
    let id = manager
        .declare(Change::of("documents"))
        .await
        .expect("it is accepted");
    gate.arrived(1).await;
    let error = manager.resume(id).await.expect_err("it runs");
    let names = [&id.to_string(), "running"];
    assert_says(error.code(), "wrong_state", &error.to_string(), &names);
    let error = manager
        .abort(id, &["main"])
        .await
        .expect_err("a callback runs");
    let names = [&id.to_string(), "waits", "main"];
    assert_says(error.code(), "callback_runs", &error.to_string(), &names);
    gate.open();
    let report = within(manager.wait(id)).await.expect("it settles");
    assert_eq!(statuses(&report), [keyward::CallbackStatus::Succeeded]);
}
