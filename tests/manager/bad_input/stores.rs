//! Stores that fail, hang, panic, or answer what no key can be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::{SecretKeyDefinition, SecretKeyFlow};

use crate::support::{SHORT, assert_says, in_memory, within};

/// Defines a key whose store answers badly once and then `value_1`; it must say so with this code,
/// and then go on as if nothing had been.
async fn assert_fails_once<A, F>(bad: F, code: &str, names: &[&str])
where
    A: keyward::store::closure::StoreAnswer + 'static,
    F: Fn() -> A + Send + Sync + 'static,
{
    let manager = in_memory().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let store = move || {
        let good = counted.fetch_add(1, Ordering::SeqCst) > 0;
        if good {
            "value_1".into_fetched()
        } else {
            bad().into_fetched()
        }
    };
    use keyward::store::closure::StoreAnswer as _;
    let definition = SecretKeyDefinition::round_trip("documents", store);
    manager.define_key(definition).await.expect("it is defined");
    let error = within(manager.get_key("documents"))
        .await
        .expect_err("a bad answer");
    assert_says(error.code(), code, &error.to_string(), &["documents"]);
    assert_says(error.code(), code, &error.to_string(), names);
    let answer = within(manager.get_key("documents"))
        .await
        .expect("a good answer");
    let seen = (answer.expose(), answer.flow);
    assert_eq!(
        seen,
        (b"value_1".as_slice(), SecretKeyFlow::ForwardPath),
        "it changed the state"
    );
}

#[tokio::test]
async fn a_store_that_fails_is_quoted() {
    let fails = || Err::<String, _>("the vault is sealed");
    assert_fails_once(fails, "store_failed", &["the vault is sealed"]).await;
}

#[tokio::test]
async fn a_store_that_panics_has_failed() {
    let panics = || -> String { panic!("the vault fell down") };
    assert_fails_once(panics, "store_failed", &["panicked", "the vault fell down"]).await;
}

#[tokio::test]
async fn a_store_that_answers_nothing_has_failed() {
    assert_fails_once(|| None::<String>, "store_failed", &["nothing"]).await;
}

#[tokio::test]
async fn a_store_that_answers_an_empty_value_is_told_so() {
    assert_fails_once(|| "", "invalid_key", &["empty"]).await;
    assert_fails_once(|| ("value", ""), "invalid_key", &["empty"]).await;
}

#[tokio::test]
async fn a_store_that_answers_more_than_a_mebibyte_is_told_so() {
    let long = || vec![7_u8; 1024 * 1024 + 1];
    assert_fails_once(long, "invalid_key", &["1048577", "1 MiB"]).await;
}

#[tokio::test]
async fn a_value_of_a_mebibyte_is_a_key() {
    let manager = in_memory().await;
    let store = || vec![7_u8; 1024 * 1024];
    let definition = SecretKeyDefinition::round_trip("documents", store).stateless(false);
    manager.define_key(definition).await.expect("it is defined");
    manager.get_key("documents").await.expect("a key");
    manager.save_state("documents").await.expect("it is saved");
    let answer = manager.get_back_path_key("documents").await.expect("a key");
    assert_eq!(answer.expose().len(), 1024 * 1024);
}

#[tokio::test]
async fn a_store_that_hangs_has_failed_when_its_time_has_passed() {
    let manager = in_memory().await;
    let store = || std::future::pending::<&str>();
    let definition = SecretKeyDefinition::round_trip("documents", store).store_time_limit(SHORT);
    manager.define_key(definition).await.expect("it is defined");
    let error = within(manager.get_key("documents"))
        .await
        .expect_err("it hangs");
    let names = ["documents", "time limit", "1s"];
    assert_says(error.code(), "store_failed", &error.to_string(), &names);
}

#[tokio::test]
async fn a_pair_for_a_one_way_key_is_refused_even_if_its_halves_are_equal() {
    let manager = in_memory().await;
    let pair = SecretKeyDefinition::one_way("password", || ("same", "same"));
    manager.define_key(pair).await.expect("it is defined");
    let error = manager.get_key("password").await.expect_err("a pair");
    assert_says(
        error.code(),
        "invalid_key",
        &error.to_string(),
        &["password", "pair"],
    );
}
