//! Callbacks that block for ever, or are never ready.

use std::sync::{Mutex, mpsc};

use keyward::worker::callback::KeyChange;
use keyward::{CallbackStatus, Change, MemoryRepo, RotationState, SecretKeyFlow, block_on};

use crate::reentrancy::other;
use crate::support::{
    Gate, LIMIT, SHORT, builder, change, define, documents, error, in_memory, statuses, step,
    within,
};

#[tokio::test]
async fn beside_a_callback_that_blocks_for_ever_everything_else_goes_on() {
    let manager = builder()
        .state_repo(MemoryRepo::new())
        .worker_wait(Some(SHORT))
        .start()
        .await
        .expect("it starts");
    let skip = keyward::OnKeyChangedCallbackErrorStrategy::Skip;
    let definition = documents().callback_time_limit(SHORT).error_strategy(skip);
    define(&manager, definition).await;
    define(&manager, other()).await;
    let gate = Gate::default();
    let (late, was_late) = mpsc::channel();
    let (held, late) = (gate.clone(), Mutex::new(late));
    let hangs = move |change: KeyChange| {
        held.pass_blocking();
        let key = &change.key;
        let codes = [
            key.set_last_flow(SecretKeyFlow::BackPath)
                .map_err(|e| e.code()),
            key.set_previous_keys("value_3").map_err(|e| e.code()),
            key.clean_state().map_err(|e| e.code()),
            block_on(key.save_state()).map_err(|e| e.code()),
            block_on(key.declare(Change::of("other")))
                .map(drop)
                .map_err(|e| e.code()),
        ];
        let _ = late.lock().expect("no panic under the lock").send(codes);
    };
    let worker = manager.join("w1").await.expect("it joins");
    worker
        .register_on_change("documents", "hangs", hangs)
        .await
        .expect("it registers");
    let next = manager.join("w2").await.expect("it joins");
    next.register_on_change("documents", "goes on", |_: KeyChange| {})
        .await
        .expect("it registers");

    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.key_changed(change()).await }
    });
    gate.arrived(1).await;
    let answer = within(manager.get_key("other"))
        .await
        .expect("another key is answered");
    assert_eq!(answer.expose(), b"other_1");
    let elsewhere = Change::of("other").new_keys("other_2");
    let report = within(manager.key_changed(elsewhere))
        .await
        .expect("another key changes");
    assert_eq!(report.state, RotationState::Completed);

    let report = within(waiting)
        .await
        .expect("no panic")
        .expect("Skip does not raise");
    assert!(
        error(&report, "w1", "hangs").contains("still running"),
        "{report:?}"
    );
    assert_eq!(
        step(&report, "w2", "goes on").status,
        CallbackStatus::Succeeded
    );

    let again = Change::of("documents").new_keys("value_3");
    let report = within(manager.key_changed(again))
        .await
        .expect("Skip does not raise");
    assert!(
        error(&report, "w1", "hangs").contains("still running"),
        "{report:?}"
    );
    assert_eq!(
        step(&report, "w1", "hangs").attempt,
        0,
        "it was called beside itself"
    );
    assert_eq!(gate.count(), 1);

    gate.open();
    let codes = was_late.recv_timeout(LIMIT).expect("the callback goes on");
    assert_eq!(codes, [Err("handle_expired"); 5]);
    let again = Change::of("documents").new_keys("value_4");
    let report = within(manager.key_changed(again))
        .await
        .expect("Skip does not raise");
    assert_eq!(
        statuses(&report),
        [CallbackStatus::Succeeded; 2],
        "it has returned"
    );
    within(manager.shutdown()).await.expect("it shuts down");
}

/// Tells when it is dropped.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn an_async_callback_that_is_never_ready_is_dropped_after_its_time_limit() {
    let manager = in_memory().await;
    define(&manager, documents().callback_time_limit(SHORT)).await;
    define(&manager, other()).await;
    let (dropped, was_dropped) = mpsc::channel();
    let dropped = Mutex::new(dropped);
    let (begun, has_begun) = mpsc::channel();
    let begun = Mutex::new(begun);
    let hangs = move |_: KeyChange| {
        let told = Told(dropped.lock().expect("no panic under the lock").clone());
        let _ = begun.lock().expect("no panic under the lock").send(());
        async move {
            std::future::pending::<()>().await;
            drop(told);
        }
    };
    manager
        .register_on_change("documents", "hangs", hangs)
        .await
        .expect("it registers");
    let id = manager.declare(change()).await.expect("it is accepted");
    has_begun.recv_timeout(LIMIT).expect("it is called");
    within(manager.get_key("other"))
        .await
        .expect("another key is answered");
    let report = within(manager.wait(id)).await.expect("it settles");
    assert_eq!(report.state, RotationState::Stopped);
    assert!(
        error(&report, "main", "hangs").contains("dropped"),
        "{report:?}"
    );
    was_dropped
        .recv_timeout(LIMIT)
        .expect("its future is dropped");
    within(manager.shutdown()).await.expect("it shuts down");
}
