//! Panics inside every call of every plug-in.

use keyward::management::testing::{Plugin, PluginPanics};
use keyward::{Change, Effect, KeyChange, MemoryRepo, RotationState};

use crate::support::{builder, define, until, within};
use crate::world::{Source, back, forward};

/// A life in which the call of this number of a plug-in panics; answers whether there was one.
async fn story(plugin: Plugin, call: u64) -> bool {
    let panics = PluginPanics::default();
    let started = builder()
        .state_repo(MemoryRepo::new())
        .plugin_panics(panics.clone())
        .reopen_every(std::time::Duration::from_millis(10))
        .start()
        .await;
    let manager = started.unwrap();
    let source = Source::new("value_1");
    define(&manager, source.documents().stateless(false)).await;
    let reencrypts = |_: KeyChange| Effect::Reencrypted;
    manager
        .register_on_change("documents", "callback", reencrypts)
        .await
        .unwrap();
    panics.panic_at(plugin, call);
    if forward(&manager).await != "value_1" {
        assert_eq!(plugin, Plugin::Store);
        assert_eq!(
            forward(&manager).await,
            "value_1",
            "a panic is of one request"
        );
    }
    if let Err(error) = manager.save_state("documents").await {
        assert!(error.is_retriable(), "{error}");
        until("it is saved", async || {
            manager.save_state("documents").await.is_ok()
        })
        .await;
    }
    let id = uuid::Uuid::from_u128(1);
    let change = || Change::of("documents").new_keys("value_2").id(id);
    until("it is accepted", async || {
        match manager.declare(change()).await {
            Ok(_) => true,
            Err(error) => {
                assert!(error.is_retriable(), "{error}");
                false
            }
        }
    })
    .await;
    let mut report = within(manager.wait(id.into())).await.unwrap();
    if report.state == RotationState::Stopped {
        assert_eq!(plugin, Plugin::Callback, "{report:?}");
        assert!(
            report.steps[0]
                .error
                .as_deref()
                .unwrap()
                .contains("panicked")
        );
        manager.resume(id.into()).await.unwrap();
        report = within(manager.wait(id.into())).await.unwrap();
    }
    assert_eq!(
        report.state,
        RotationState::Completed,
        "{plugin:?} {call}: {report:?}"
    );
    assert_eq!(back(&manager).await, "value_2");
    let died = manager.status().await.unwrap().actors;
    assert!(died.iter().all(|actor| actor.restarts == 0), "{died:?}");
    let panicked = !panics.is_to_come(plugin);
    panics.panic_at(plugin, 0);
    within(manager.shutdown()).await.unwrap();
    panicked
}

async fn stories(plugin: Plugin) -> u64 {
    let mut calls = 0;
    while story(plugin, calls + 1).await {
        calls += 1;
    }
    calls
}

#[tokio::test]
async fn a_panic_in_any_call_of_a_store_is_an_error_of_that_request() {
    assert!(stories(Plugin::Store).await >= 1);
}

#[tokio::test]
async fn a_panic_in_any_callback_is_its_failure() {
    assert_eq!(stories(Plugin::Callback).await, 1);
}

#[tokio::test]
async fn after_a_panic_in_any_call_of_the_state_repo_all_goes_on() {
    let calls = stories(Plugin::Repo).await;
    assert!(calls >= 10, "only {calls} calls");
}

#[tokio::test]
async fn after_a_panic_in_any_call_of_the_crypto_tool_all_goes_on() {
    let calls = stories(Plugin::Crypto).await;
    assert!(calls >= 10, "only {calls} calls");
}
