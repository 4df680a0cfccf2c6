//! Rotations that were stopped or overtaken: resumed, aborted, their keys recovered.

use keyward::rotation::report::WaitsFor;
use keyward::{Effect, MemoryRepo, RotationId, RotationState, SecretKeyDefinition, SecretKeyPair};

use crate::support::{assert_says, define, documents, on, with_documents, within};

use crate::operator::{Mendable, change, patient, report};

#[tokio::test]
async fn an_obsolete_rotation_keeps_its_keys_until_it_is_aborted() {
    let manager = with_documents().await;
    let worker = manager.join("w1").await.expect("it joins");
    let calls = Mendable::default();
    calls.register(&worker, "call", true, Effect::Nothing).await;
    let first = within(manager.key_changed(change("a", "b")))
        .await
        .expect("Halt");
    calls.mend();
    let second = within(manager.key_changed(change("b", "c")))
        .await
        .expect("it ends");
    assert_eq!(second.state, RotationState::Completed);
    assert_eq!(
        report(&manager, first.id).await.state,
        RotationState::Obsolete
    );
    let error = manager.resume(first.id).await.expect_err("it is too late");
    assert_says(
        error.code(),
        "wrong_state",
        &error.to_string(),
        &["obsolete", "abort"],
    );
    let keys = manager
        .recover_keys(first.id)
        .await
        .expect("they may be the last copy");
    assert_eq!(keys.old, Some(SecretKeyPair::of("a")));
    assert_eq!(keys.new, Some(SecretKeyPair::of("b")));

    let error = manager
        .abort(first.id, &[])
        .await
        .expect_err("w1 must be named");
    assert_says(error.code(), "not_confirmed", &error.to_string(), &["w1"]);
    manager
        .abort(first.id, &["w1"])
        .await
        .expect("it is confirmed");
    assert!(
        manager
            .status()
            .await
            .expect("a status")
            .rotations
            .is_empty()
    );
    let ended = manager.wait(first.id).await.expect("it is in the history");
    assert_eq!(ended.state, RotationState::Aborted);
    let error = manager
        .recover_keys(first.id)
        .await
        .expect_err("they are gone");
    assert_says(
        error.code(),
        "wrong_state",
        &error.to_string(),
        &["aborted"],
    );
    let history = manager.history(10).await.expect("a history").rotations;
    let ids: Vec<RotationId> = history.iter().map(|report| report.id).collect();
    assert_eq!(ids, [second.id, first.id], "the latest declaration first");
}

#[tokio::test]
async fn a_rotation_of_a_key_that_is_not_defined_can_be_aborted() {
    let repo = MemoryRepo::new();
    let manager = patient(&repo).await;
    define(&manager, documents()).await;
    let worker = manager.join("w1").await.expect("it joins");
    Mendable::default()
        .register(&worker, "call", false, Effect::Nothing)
        .await;
    drop(worker);
    let id = manager
        .declare(change("a", "b"))
        .await
        .expect("it is accepted");
    manager.shutdown().await.expect("it shuts down");
    let manager = patient(&repo).await;
    assert_eq!(report(&manager, id).await.waits_for, [WaitsFor::Definition]);
    manager.abort(id, &["w1"]).await.expect("it is confirmed");
    let ended = manager.wait(id).await.expect("it is in the history");
    assert_eq!(ended.state, RotationState::Aborted);
}

#[tokio::test]
async fn a_stopped_rotation_waits_for_the_operator_in_the_next_life_too() {
    let repo = MemoryRepo::new();
    let calls = Mendable::default();
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let worker = manager.join("w1").await.expect("it joins");
    calls.register(&worker, "call", true, Effect::Nothing).await;
    let stopped = within(manager.key_changed(change("a", "b")))
        .await
        .expect("Halt");
    drop(worker);
    manager.shutdown().await.expect("it shuts down");

    calls.mend();
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let worker = manager.join("w1").await.expect("it joins");
    calls.register(&worker, "call", true, Effect::Nothing).await;
    let found = within(manager.wait(stopped.id))
        .await
        .expect("a report at once");
    assert_eq!(found, stopped, "nothing has happened to it");
    manager.resume(stopped.id).await.expect("it is resumed");
    let ended = within(manager.wait(stopped.id)).await.expect("it ends");
    assert_eq!(ended.state, RotationState::Completed);
    assert_eq!(calls.story.lines(), ["w1/call 1", "w1/call 2"]);
}

#[tokio::test]
async fn the_definition_must_fit_the_unfinished_rotations() {
    let repo = MemoryRepo::new();
    let manager = patient(&repo).await;
    define(&manager, documents()).await;
    let worker = manager.join("w1").await.expect("it joins");
    Mendable::default()
        .register(&worker, "call", false, Effect::Nothing)
        .await;
    drop(worker);
    let id = manager
        .declare(change("a", "b"))
        .await
        .expect("it is accepted");
    manager.shutdown().await.expect("it shuts down");
    let manager = patient(&repo).await;
    let one_way = || SecretKeyDefinition::one_way("documents", || "value_1");
    let error = manager
        .define_key(one_way())
        .await
        .expect_err("it does not fit");
    let names = ["documents", &id.to_string(), "use case"];
    assert_says(
        error.code(),
        "invalid_definition",
        &error.to_string(),
        &names,
    );
    manager.abort(id, &["w1"]).await.expect("it is confirmed");
    define(&manager, one_way()).await;
}
