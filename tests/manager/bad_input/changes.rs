//! Declarations and operator's calls that are refused.

use keyward::worker::callback::KeyChange;
use keyward::{
    Change, KeysManagement, RotationId, RotationState, SecretKeyDefinition, SecretKeyPair,
};
use uuid::Uuid;

use crate::support::{Gate, assert_says, statuses, with_documents, within};

async fn assert_refused(manager: &KeysManagement, change: Change, code: &str, names: &[&str]) {
    let error = manager
        .key_changed(change)
        .await
        .expect_err("it is refused");
    assert_says(error.code(), code, &error.to_string(), names);
    let status = manager.status().await.expect("a status");
    assert!(status.rotations.is_empty(), "it was journaled");
    assert!(
        manager
            .history(10)
            .await
            .expect("a history")
            .rotations
            .is_empty()
    );
}

#[tokio::test]
async fn declared_keys_that_are_equal_empty_or_oversized_are_refused_before_the_journal() {
    let manager = with_documents().await;
    let one_way = SecretKeyDefinition::one_way("password", || "value_1");
    manager.define_key(one_way).await.expect("it is defined");
    let change = || Change::of("documents");
    let long = || vec![7_u8; 1024 * 1024 + 1];
    assert_refused(
        &manager,
        change().old("a").new_keys("a"),
        "same_keys",
        &["documents"],
    )
    .await;
    let pair = SecretKeyPair::new("a", "a");
    let equal = change().old("a").new_keys(pair.clone());
    assert_refused(&manager, equal, "same_keys", &["documents"]).await;
    let empty = ["documents", "empty"];
    assert_refused(
        &manager,
        change().old(""),
        "invalid_key",
        &[empty[0], "old", empty[1]],
    )
    .await;
    assert_refused(
        &manager,
        change().new_keys(""),
        "invalid_key",
        &["new", empty[1]],
    )
    .await;
    assert_refused(
        &manager,
        change().old(long()),
        "invalid_key",
        &["old", "1048577"],
    )
    .await;
    assert_refused(
        &manager,
        change().new_keys(long()),
        "invalid_key",
        &["new", "1 MiB"],
    )
    .await;
    let pair = Change::of("password").new_keys(pair);
    assert_refused(&manager, pair, "invalid_key", &["password", "new", "pair"]).await;
}

#[tokio::test]
async fn a_change_that_is_declared_while_another_runs_waits_for_it() {
    let manager = with_documents().await;
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = held.clone();
        async move { gate.pass().await }
    };
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .expect("it registers");
    let declare = |new: &'static str| manager.declare(Change::of("documents").new_keys(new));
    let first = declare("value_2").await.expect("it is accepted");
    gate.arrived(1).await;
    let second = declare("value_3").await.expect("it is accepted");
    let status = manager.status().await.expect("a status");
    let states: Vec<RotationState> = status.rotations.iter().map(|r| r.state).collect();
    assert_eq!(states, [RotationState::Running, RotationState::Waiting]);
    assert_eq!(gate.count(), 1);
    gate.open();
    for id in [first, second] {
        let report = within(manager.wait(id)).await.expect("it settles");
        assert_eq!(report.state, RotationState::Completed);
    }
    assert_eq!(gate.count(), 2);
}

#[tokio::test]
async fn the_same_declaration_under_one_id_is_one_rotation_and_another_one_is_refused() {
    let manager = with_documents().await;
    let other = SecretKeyDefinition::round_trip("other", || "value_1");
    manager.define_key(other).await.expect("it is defined");
    let id = Uuid::from_u128(7);
    let change = || Change::of("documents").old("a").new_keys("b").id(id);
    let first = within(manager.key_changed(change()))
        .await
        .expect("it is accepted");
    assert_eq!(
        manager.declare(change()).await,
        Ok(RotationId::new(id)),
        "it is the same one"
    );
    for another in [
        Change::of("documents").old("a").new_keys("c").id(id),
        Change::of("documents").new_keys("b").id(id),
        Change::of("documents").old("a").id(id),
        Change::of("other").old("a").new_keys("b").id(id),
    ] {
        let error = manager
            .declare(another)
            .await
            .expect_err("it is another one");
        let names = [&id.to_string(), "another declaration"];
        assert_says(
            error.code(),
            "other_declaration",
            &error.to_string(),
            &names,
        );
    }
    let history = manager.history(10).await.expect("a history").rotations;
    assert_eq!(history, [first]);
}

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
