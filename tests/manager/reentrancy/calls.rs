//! Callbacks and threads that call everything there is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use keyward::worker::callback::KeyChange;
use keyward::{
    CallbackStatus, Change, KeysManagement, MemoryRepo, RotationState, SecretKeyFlow, block_on,
};

use crate::reentrancy::other;
use crate::support::{
    LIMIT, SHORT, builder, change, define, documents, error, in_memory, statuses, until, within,
};

/// Calls everything there is, of the same key and of another one.
async fn call_everything(manager: &KeysManagement, change: &KeyChange) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    for key in ["documents", "other"] {
        manager.get_key(key).await.map_err(|e| text(&e))?;
        manager
            .get_forward_path_key(key)
            .await
            .map_err(|e| text(&e))?;
        manager.get_back_path_key(key).await.map_err(|e| text(&e))?;
        manager.save_state(key).await.map_err(|e| text(&e))?;
        let late = |_: KeyChange| {};
        manager
            .register_on_change(key, "late", late)
            .await
            .map_err(|e| text(&e))?;
        let next = Change::of(key).new_keys("declared by the manager");
        manager.declare(next).await.map_err(|e| text(&e))?;
        let next = Change::of(key).new_keys("declared by the handle");
        change.key.declare(next).await.map_err(|e| text(&e))?;
    }
    change
        .key
        .set_last_flow(SecretKeyFlow::ForwardPath)
        .map_err(|e| text(&e))?;
    change.key.save_state().await.map_err(|e| text(&e))?;
    manager.save_states().await.map_err(|e| text(&e))?;
    manager
        .join("joined in a callback")
        .await
        .map_err(|e| text(&e))?;
    let status = manager.status().await.map_err(|e| text(&e))?;
    assert!(
        status
            .rotations
            .iter()
            .any(|r| r.id == change.key.rotation_id())
    );
    manager.history(10).await.map_err(|e| text(&e))?;
    Ok(())
}

fn block_on_everything(manager: &KeysManagement, change: &KeyChange) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    for key in ["documents", "other"] {
        block_on(manager.get_key(key)).map_err(|e| text(&e))?;
        block_on(manager.get_forward_path_key(key)).map_err(|e| text(&e))?;
        block_on(manager.get_back_path_key(key)).map_err(|e| text(&e))?;
        block_on(manager.save_state(key)).map_err(|e| text(&e))?;
        let late = |_: KeyChange| {};
        block_on(manager.register_on_change(key, "late", late)).map_err(|e| text(&e))?;
        let next = Change::of(key).new_keys("declared by the manager");
        block_on(manager.declare(next)).map_err(|e| text(&e))?;
        let next = Change::of(key).new_keys("declared by the handle");
        block_on(change.key.declare(next)).map_err(|e| text(&e))?;
    }
    change
        .key
        .set_last_flow(SecretKeyFlow::ForwardPath)
        .map_err(|e| text(&e))?;
    block_on(change.key.save_state()).map_err(|e| text(&e))?;
    block_on(manager.save_states()).map_err(|e| text(&e))?;
    block_on(manager.join("joined in a callback")).map_err(|e| text(&e))?;
    Ok(())
}

/// After the calls, four further rotations have run: two of each key.
async fn assert_all_ran(manager: &KeysManagement) {
    until("five rotations are completed", async || {
        let history = manager.history(10).await.expect("a history");
        history
            .rotations
            .iter()
            .filter(|r| r.state == RotationState::Completed)
            .count()
            == 5
    })
    .await;
}

async fn an_async_callback_calls_everything() {
    let manager = in_memory().await;
    define(&manager, documents().stateless(false)).await;
    define(&manager, other()).await;
    let (inner, called) = (manager.clone(), Arc::new(AtomicBool::new(false)));
    let busy = move |change: KeyChange| {
        let (manager, first) = (inner.clone(), !called.swap(true, Ordering::SeqCst));
        async move {
            if first {
                call_everything(&manager, &change).await
            } else {
                Ok(())
            }
        }
    };
    manager
        .register_on_change("documents", "busy", busy)
        .await
        .expect("it registers");
    let report = within(manager.key_changed(change()))
        .await
        .expect("no strategy raises");
    assert_eq!(error(&report, "main", "busy"), "");
    assert_eq!(
        statuses(&report),
        [CallbackStatus::Succeeded; 2],
        "busy, and late that it added"
    );
    assert_all_ran(&manager).await;
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn an_async_callback_may_call_anything_on_a_runtime_of_one_thread() {
    within(an_async_callback_calls_everything()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_callback_may_call_anything_on_a_runtime_of_many_threads() {
    within(an_async_callback_calls_everything()).await;
}

#[tokio::test]
async fn a_blocking_callback_may_call_anything() {
    let manager = in_memory().await;
    define(&manager, documents().stateless(false)).await;
    define(&manager, other()).await;
    let (inner, called) = (manager.clone(), Arc::new(AtomicBool::new(false)));
    let busy = move |change: KeyChange| {
        let first = !called.swap(true, Ordering::SeqCst);
        if first {
            block_on_everything(&inner, &change)
        } else {
            Ok(())
        }
    };
    manager
        .register_on_change("documents", "busy", busy)
        .await
        .expect("it registers");
    let report = within(manager.key_changed(change()))
        .await
        .expect("no strategy raises");
    assert_eq!(error(&report, "main", "busy"), "");
    assert_eq!(
        statuses(&report),
        [CallbackStatus::Succeeded; 2],
        "busy, and late that it added"
    );
    assert_all_ran(&manager).await;
    within(manager.shutdown()).await.expect("it shuts down");
}

#[test]
fn threads_without_a_runtime_may_call_anything_at_the_same_time() {
    let started = block_on(builder().state_repo(MemoryRepo::new()).start());
    let manager = started.expect("it starts");
    block_on(manager.define_key(documents().stateless(false))).expect("it is defined");
    block_on(manager.define_key(other())).expect("it is defined");
    let (inner, called) = (manager.clone(), Arc::new(AtomicBool::new(false)));
    let busy = move |change: KeyChange| {
        let first = !called.swap(true, Ordering::SeqCst);
        if first {
            block_on_everything(&inner, &change)
        } else {
            Ok(())
        }
    };
    block_on(manager.register_on_change("documents", "busy", busy)).expect("it registers");
    let (done, is_done) = mpsc::channel();
    for number in 0..4 {
        let (manager, done) = (manager.clone(), done.clone());
        std::thread::spawn(move || {
            let key = if number % 2 == 0 {
                "documents"
            } else {
                "other"
            };
            let worker = block_on(manager.join(&format!("thread {number}"))).expect("it joins");
            for _ in 0..20 {
                block_on(manager.get_key(key)).expect("a key");
                block_on(manager.save_state(key)).expect("it is saved");
            }
            let keys = Change::of(key).new_keys(format!("value of {number}"));
            let report = block_on(manager.key_changed(keys)).expect("no strategy raises");
            assert_eq!(report.state, RotationState::Completed);
            drop(worker);
            done.send(()).expect("the test waits");
        });
    }
    for _ in 0..4 {
        is_done
            .recv_timeout(LIMIT)
            .expect("a thread hangs or has failed");
    }
    block_on(manager.shutdown()).expect("it shuts down");
}

#[tokio::test]
async fn a_key_changed_inside_a_callback_ends_with_the_time_of_that_callback() {
    let manager = in_memory().await;
    define(&manager, documents().callback_time_limit(SHORT)).await;
    let (inner, called) = (manager.clone(), Arc::new(AtomicBool::new(false)));
    let waits = move |_: KeyChange| {
        let (manager, first) = (inner.clone(), !called.swap(true, Ordering::SeqCst));
        async move {
            if first {
                let next = Change::of("documents").new_keys("value_3");
                drop(manager.key_changed(next).await);
            }
        }
    };
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .expect("it registers");
    let report = within(manager.key_changed(change()))
        .await
        .expect("no strategy raises");
    assert!(error(&report, "main", "waits").contains("time limit"));
    until("the declared one has run", async || {
        let history = manager.history(10).await.expect("a history");
        history.rotations.len() == 1
    })
    .await;
    within(manager.shutdown()).await.expect("it shuts down");
}
