//! Names, definitions, registrations and workers that are refused.

use std::time::Duration;

use keyward::worker::callback::KeyChange;
use keyward::{Change, SecretKeyDefinition};

use crate::support::{assert_says, documents, in_memory, until, with_documents};

#[tokio::test]
async fn a_name_that_is_empty_too_long_or_has_control_characters_is_refused() {
    let manager = with_documents().await;
    let long = "k".repeat(256);
    for (name, why) in [("", "empty"), (long.as_str(), "256"), ("a\nb", "control")] {
        let definition = SecretKeyDefinition::one_way(name, || "value");
        let error = manager
            .define_key(definition)
            .await
            .expect_err("a bad name");
        assert_says(
            error.code(),
            "invalid_name",
            &error.to_string(),
            &["key", why],
        );
        let error = manager.get_key(name).await.expect_err("a bad name");
        assert_says(
            error.code(),
            "invalid_name",
            &error.to_string(),
            &["key", why],
        );
        let change = Change::of(name).new_keys("value_2");
        let error = manager.declare(change).await.expect_err("a bad name");
        assert_says(
            error.code(),
            "invalid_name",
            &error.to_string(),
            &["key", why],
        );
        let error = manager.join(name).await.expect_err("a bad name");
        assert_says(
            error.code(),
            "invalid_name",
            &error.to_string(),
            &["worker", why],
        );
        let registered = manager
            .register_on_change("documents", name, |_: KeyChange| {})
            .await;
        let error = registered.expect_err("a bad name");
        assert_says(
            error.code(),
            "invalid_name",
            &error.to_string(),
            &["callback", why],
        );
    }
    assert!(manager.get_key("documents").await.is_ok());
}

#[tokio::test]
async fn a_key_that_is_not_defined_is_named() {
    let manager = with_documents().await;
    let error = manager
        .get_key("missing")
        .await
        .expect_err("it is not defined");
    assert_says(
        error.code(),
        "key_not_defined",
        &error.to_string(),
        &["missing"],
    );
    let error = manager
        .save_state("missing")
        .await
        .expect_err("it is not defined");
    assert_says(
        error.code(),
        "key_not_defined",
        &error.to_string(),
        &["missing"],
    );
    let error = manager
        .get_single_management("missing")
        .expect_err("it is not defined");
    assert_says(
        error.code(),
        "key_not_defined",
        &error.to_string(),
        &["missing"],
    );
    let change = Change::of("missing").new_keys("value_2");
    let error = manager
        .key_changed(change)
        .await
        .expect_err("it is not defined");
    assert_says(
        error.code(),
        "key_not_defined",
        &error.to_string(),
        &["missing"],
    );
    let registered = manager
        .register_on_change("missing", "call", |_: KeyChange| {})
        .await;
    let error = registered.expect_err("it is not defined");
    assert_says(
        error.code(),
        "key_not_defined",
        &error.to_string(),
        &["missing"],
    );
    assert!(
        manager
            .status()
            .await
            .expect("a status")
            .rotations
            .is_empty()
    );
}

#[tokio::test]
async fn a_name_that_is_defined_twice_keeps_its_first_definition() {
    let manager = with_documents().await;
    let again = SecretKeyDefinition::one_way("documents", || "another value");
    let error = manager.define_key(again).await.expect_err("it is defined");
    assert_says(
        error.code(),
        "invalid_definition",
        &error.to_string(),
        &["documents", "already"],
    );
    let answer = manager
        .get_key("documents")
        .await
        .expect("the first definition");
    assert_eq!(answer.expose(), b"value_1");
}

#[tokio::test]
async fn of_keys_that_are_defined_together_all_are_or_none_is() {
    let manager = with_documents().await;
    let key = |name: &str| SecretKeyDefinition::round_trip(name, || "value_2");
    let bad = [
        (documents(), "documents", "already"),
        (key("first"), "first", "already"),
        (key("zero").max_requests(0), "zero", "max_requests"),
    ];
    for (bad, name, why) in bad {
        let together = [key("first"), bad, key("last")];
        let error = manager.define_keys(together).await.expect_err("one is bad");
        let said = error.to_string();
        assert_says(error.code(), "invalid_definition", &said, &[name, why]);
        for name in ["first", "last", "zero"] {
            let error = manager.get_key(name).await.expect_err("none is defined");
            assert_eq!(error.code(), "key_not_defined");
        }
    }
    manager.define_keys([]).await.expect("no key is no fault");
    let together = [key("first"), key("last")];
    manager.define_keys(together).await.expect("both are good");
    for name in ["first", "last"] {
        let answer = manager.get_key(name).await.expect("it is defined");
        assert_eq!(answer.expose(), b"value_2");
    }
}

#[tokio::test]
async fn a_definition_with_a_limit_or_bound_of_zero_is_refused() {
    let manager = in_memory().await;
    let definitions = [
        (
            "store_time_limit",
            documents().store_time_limit(Duration::ZERO),
        ),
        (
            "request_time_limit",
            documents().request_time_limit(Duration::ZERO),
        ),
        (
            "callback_time_limit",
            documents().callback_time_limit(Duration::ZERO),
        ),
        ("workers_at_once", documents().workers_at_once(0)),
        ("max_requests", documents().max_requests(0)),
        (
            "max_waiting_rotations",
            documents().max_waiting_rotations(0),
        ),
    ];
    for (what, definition) in definitions {
        let error = manager.define_key(definition).await.expect_err("a zero");
        let names = ["documents", what];
        assert_says(
            error.code(),
            "invalid_definition",
            &error.to_string(),
            &names,
        );
    }
    manager
        .define_key(documents())
        .await
        .expect("none of them was taken");
}

#[tokio::test]
async fn a_callback_that_is_registered_twice_keeps_its_first_registration() {
    let manager = with_documents().await;
    let worker = manager.join("w1").await.expect("it joins");
    let first = |_: KeyChange| Err::<(), _>("the first one");
    worker
        .register_on_change("documents", "call", first)
        .await
        .expect("it registers");
    let again = worker
        .register_on_change("documents", "call", |_: KeyChange| {})
        .await;
    let error = again.expect_err("it is taken");
    let names = ["w1", "documents", "call"];
    assert_says(error.code(), "callback_taken", &error.to_string(), &names);
    let elsewhere = manager
        .register_on_change("documents", "call", |_: KeyChange| {})
        .await;
    elsewhere.expect("another worker may use the name");
    let change = Change::of("documents").new_keys("value_2");
    let report = manager
        .key_changed(change)
        .await
        .expect("Halt does not raise");
    assert_eq!(report.steps.len(), 2);
    assert_eq!(
        crate::support::error(&report, "w1", "call"),
        "the first one"
    );
}

#[tokio::test]
async fn a_worker_name_that_is_taken_is_free_again_when_its_handle_is_dropped() {
    let manager = with_documents().await;
    let worker = manager.join("w1").await.expect("it joins");
    for name in ["w1", "main"] {
        let error = manager.join(name).await.expect_err("it is taken");
        assert_says(
            error.code(),
            "worker_name_taken",
            &error.to_string(),
            &[name],
        );
    }
    worker
        .get_key("documents")
        .await
        .expect("the first one is unharmed");
    drop(worker);
    until("the name is free", async || {
        manager.join("w1").await.is_ok()
    })
    .await;
}
