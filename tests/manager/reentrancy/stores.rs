//! Stores that block for ever, or are never ready.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::{MemoryRepo, SecretKeyDefinition};

use crate::reentrancy::{LATER, other};
use crate::support::{Gate, SHORT, assert_says, builder, define, in_memory, until, within};

/// A key whose store answers once and then hangs until the gate is open.
fn answers_once(gate: &Gate) -> SecretKeyDefinition {
    let (gate, calls) = (gate.clone(), AtomicUsize::new(0));
    let store = move || {
        if calls.fetch_add(1, Ordering::SeqCst) > 0 {
            gate.pass_blocking();
        }
        "value_1"
    };
    SecretKeyDefinition::round_trip("documents", store).store_time_limit(SHORT)
}

#[tokio::test]
async fn while_a_blocking_store_hangs_held_keys_and_other_keys_are_answered() {
    let manager = in_memory().await;
    let gate = Gate::default();
    define(&manager, answers_once(&gate)).await;
    define(&manager, other()).await;
    manager
        .get_forward_path_key("documents")
        .await
        .expect("the store answers once");
    let hanging = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get_forward_path_key("documents").await }
    });
    gate.arrived(1).await;
    let held = within(manager.get_back_path_key("documents"))
        .await
        .expect("it is held");
    assert_eq!(held.expose(), b"value_1");
    within(manager.get_key("other"))
        .await
        .expect("another key is answered");
    let failed = within(hanging)
        .await
        .expect("no panic")
        .expect_err("its time has passed");
    assert_says(
        failed.code(),
        "store_failed",
        &failed.to_string(),
        &["documents", "time limit"],
    );

    let failed = manager
        .get_forward_path_key("documents")
        .await
        .expect_err("it still hangs");
    let names = ["documents", "still runs"];
    assert_says(failed.code(), "store_failed", &failed.to_string(), &names);
    let held = within(manager.get_back_path_key("documents"))
        .await
        .expect("it is held still");
    assert_eq!(held.expose(), b"value_1");
    assert_eq!(
        gate.count(),
        1,
        "a second fetch was started beside the first"
    );

    gate.open();
    until("the store is asked again", async || {
        manager.get_forward_path_key("documents").await.is_ok()
    })
    .await;
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn an_async_store_that_is_never_ready_has_failed_after_its_time_limit() {
    let manager = in_memory().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let store = move || {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if call == 0 {
                std::future::pending::<()>().await;
            }
            "value_1"
        }
    };
    let definition = SecretKeyDefinition::round_trip("documents", store).store_time_limit(SHORT);
    define(&manager, definition).await;
    define(&manager, other()).await;
    let hanging = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get_key("documents").await }
    });
    within(manager.get_key("other"))
        .await
        .expect("another key is answered");
    let failed = within(hanging)
        .await
        .expect("no panic")
        .expect_err("its time has passed");
    assert_says(
        failed.code(),
        "store_failed",
        &failed.to_string(),
        &["documents", "time limit"],
    );
    let answer = within(manager.get_key("documents"))
        .await
        .expect("it is asked again");
    assert_eq!(answer.expose(), b"value_1");
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_request_that_waits_too_long_for_a_store_has_timed_out() {
    let manager = in_memory().await;
    let gate = Gate::default();
    let definition = answers_once(&gate)
        .store_time_limit(LATER)
        .request_time_limit(SHORT);
    define(&manager, definition).await;
    manager
        .get_forward_path_key("documents")
        .await
        .expect("the store answers once");
    let late = within(manager.get_forward_path_key("documents"))
        .await
        .expect_err("it hangs");
    assert_says(
        late.code(),
        "timed_out",
        &late.to_string(),
        &["documents", "1s"],
    );
    assert!(late.is_retriable());
    gate.open();
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn more_hanging_stores_than_threads_fail_at_once_and_held_keys_are_answered() {
    let manager = builder()
        .state_repo(MemoryRepo::new())
        .store_threads(1)
        .start()
        .await
        .expect("it starts");
    let gate = Gate::default();
    define(&manager, answers_once(&gate)).await;
    define(&manager, other()).await;
    manager
        .get_forward_path_key("documents")
        .await
        .expect("the store answers once");
    let hanging = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get_forward_path_key("documents").await }
    });
    gate.arrived(1).await;
    let refused = within(manager.get_key("other"))
        .await
        .expect_err("no thread is left");
    assert_says(
        refused.code(),
        "store_failed",
        &refused.to_string(),
        &["other", "no thread"],
    );
    within(manager.get_back_path_key("documents"))
        .await
        .expect("it is held");
    let late = within(hanging).await.expect("no panic");
    late.expect_err("it hangs");
    gate.open();
    until("a thread is free again", async || {
        manager.get_key("other").await.is_ok()
    })
    .await;
    within(manager.shutdown()).await.expect("it shuts down");
}
