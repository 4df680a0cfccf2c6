//! Calls in places where they are refused, and where they are not.

use std::sync::{Arc, OnceLock};

use keyward::worker::callback::KeyChange;
use keyward::{CallbackStatus, Change, Effect, KeysManagement, SecretKeyDefinition, block_on};

use crate::reentrancy::other;
use crate::support::{
    assert_says, builder, change, define, error, in_memory, statuses, with_documents, within,
};

#[tokio::test]
async fn blocking_calls_in_an_async_callback_must_not_block() {
    let manager = with_documents().await;
    let inner = manager.clone();
    let blocks = move |change: KeyChange| {
        let manager = inner.clone();
        async move {
            let codes = [
                block_on(manager.get_key("documents"))
                    .map(drop)
                    .map_err(|e| e.code()),
                block_on(manager.save_states()).map_err(|e| e.code()),
                block_on(manager.declare(Change::of("documents")))
                    .map(drop)
                    .map_err(|e| e.code()),
                block_on(manager.join("w1")).map(drop).map_err(|e| e.code()),
                block_on(change.key.save_state()).map_err(|e| e.code()),
                block_on(change.key.declare(Change::of("documents")))
                    .map(drop)
                    .map_err(|e| e.code()),
                block_on(builder().start()).map(drop).map_err(|e| e.code()),
            ];
            if codes == [Err("must_not_block"); 7] {
                Ok(())
            } else {
                Err(format!("{codes:?}"))
            }
        }
    };
    manager
        .register_on_change("documents", "blocks", blocks)
        .await
        .expect("it registers");
    let report = within(manager.key_changed(change()))
        .await
        .expect("no strategy raises");
    assert_eq!(error(&report, "main", "blocks"), "");
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn blocking_calls_in_an_async_store_must_not_block() {
    let manager = in_memory().await;
    define(&manager, other()).await;
    let known = Arc::new(OnceLock::<KeysManagement>::new());
    let inner = Arc::clone(&known);
    let store = move || {
        let known = Arc::clone(&inner);
        async move {
            let manager = known.get().expect("it was set");
            block_on(manager.get_key("other")).map(|answer| answer.value)
        }
    };
    define(&manager, SecretKeyDefinition::one_way("asks", store)).await;
    drop(known.set(manager.clone()));
    let failed = within(manager.get_key("asks"))
        .await
        .expect_err("it must not block");
    assert_says(
        failed.code(),
        "store_failed",
        &failed.to_string(),
        &["asks", "blocking call"],
    );
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_blocking_store_may_ask_for_another_key() {
    let manager = in_memory().await;
    define(&manager, other()).await;
    let known = Arc::new(OnceLock::<KeysManagement>::new());
    let inner = Arc::clone(&known);
    let store = move || {
        let manager = inner.get().expect("it was set");
        block_on(manager.get_key("other")).map(|answer| answer.value)
    };
    define(&manager, SecretKeyDefinition::one_way("asks", store)).await;
    drop(known.set(manager.clone()));
    let answer = within(manager.get_key("asks")).await.expect("it may block");
    assert_eq!(answer.expose(), b"other_1");
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_shutdown_inside_a_callback_is_refused_and_the_manager_goes_on() {
    let manager = with_documents().await;
    let inner = manager.clone();
    let sync = move |_: KeyChange| match block_on(inner.shutdown()) {
        Err(error) if error.code() == "inside_callback" => Ok(()),
        other => Err(format!("{other:?}")),
    };
    manager
        .register_on_change("documents", "blocking", sync)
        .await
        .expect("it registers");
    let inner = manager.clone();
    let waits = move |_: KeyChange| {
        let manager = inner.clone();
        async move {
            match manager.shutdown().await {
                Err(error) if error.code() == "inside_callback" => Ok(Effect::Nothing),
                other => Err(format!("{other:?}")),
            }
        }
    };
    manager
        .register_on_change("documents", "async", waits)
        .await
        .expect("it registers");
    let report = within(manager.key_changed(change()))
        .await
        .expect("no strategy raises");
    assert_eq!(
        statuses(&report),
        [CallbackStatus::Succeeded; 2],
        "{report:?}"
    );
    within(manager.get_key("documents"))
        .await
        .expect("the manager goes on");
    within(manager.shutdown()).await.expect("it shuts down");
}
