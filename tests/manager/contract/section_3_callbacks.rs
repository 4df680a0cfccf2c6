//! Section 3: how callbacks fail, time limits, several workers at once, and the handle after its
//! time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keyward::{
    CallbackStatus, Change, Effect, KeyChange, OnChangeKeyDefinition,
    OnKeyChangedCallbackErrorStrategy as Strategy, RotationState, SecretKeyFlow, block_on,
};

use crate::support::{Gate, SHORT, Story, change, error, statuses, step, until, within};
use crate::world::{Source, facts, waits_at, with};

#[tokio::test]
async fn an_error_a_panic_and_a_passed_limit_are_failures() {
    let definition = Source::new("v").documents().error_strategy(Strategy::Skip);
    // Longer than a panic takes on a busy machine: it prints where it came from.
    let manager = with(definition.callback_time_limit(5 * SHORT)).await;
    let fails = async |_: KeyChange| Err::<(), _>("it does not work");
    manager
        .register_on_change("documents", "error", fails)
        .await
        .unwrap();
    let panics = async |_: KeyChange| -> () { panic!("it panics") };
    manager
        .register_on_change("documents", "panic", panics)
        .await
        .unwrap();
    let hangs = async |_: KeyChange| std::future::pending::<()>().await;
    manager
        .register_on_change("documents", "hang", hangs)
        .await
        .unwrap();
    let report = within(manager.key_changed(change())).await.unwrap();
    assert_eq!(statuses(&report), [CallbackStatus::Failed; 3]);
    assert_eq!(report.state, RotationState::CompletedWithFailures);
    for (callback, text) in [
        ("error", "it does not work"),
        ("panic", "it panics"),
        ("hang", "time limit"),
    ] {
        let said = error(&report, "main", callback);
        assert!(said.contains(text), "{callback}: {said}");
    }
}

#[tokio::test]
async fn a_blocking_callback_beyond_its_limit_still_runs_and_its_handle_is_refused() {
    let definition = Source::new("v").documents().callback_time_limit(SHORT);
    let manager = with(definition.stateless(false)).await;
    let (gate, told) = (Gate::default(), Arc::new(Mutex::new(Vec::new())));
    let (passed, tells) = (gate.clone(), Arc::clone(&told));
    let call = move |change: KeyChange| {
        let key = change.key;
        if key.attempt() > 1 {
            return;
        }
        passed.pass_blocking();
        let codes = [
            key.set_last_flow(SecretKeyFlow::BackPath)
                .unwrap_err()
                .code(),
            key.set_previous_keys("p").unwrap_err().code(),
            key.clean_state().unwrap_err().code(),
            block_on(key.save_state()).unwrap_err().code(),
            block_on(key.declare(Change::of("documents")))
                .unwrap_err()
                .code(),
        ];
        tells.lock().unwrap().extend(codes);
    };
    manager
        .register_on_change("documents", "slow", call)
        .await
        .unwrap();
    let report = within(manager.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    let said = error(&report, "main", "slow");
    assert!(said.contains("still running"), "{said}");
    // It is not called again before it has returned.
    manager.resume(report.id).await.unwrap();
    let listed = &manager.rotations().await.unwrap()[0];
    assert_eq!(step(listed, "main", "slow").attempt, 1);
    gate.open();
    let report = within(manager.wait(report.id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(*told.lock().unwrap(), ["handle_expired"; 5]);
    assert_eq!(facts(&manager).await.facts.last_flow, None);
}

#[tokio::test]
async fn several_workers_run_at_once_if_the_definition_allows_and_each_keeps_its_order() {
    let manager = with(Source::new("v").documents().workers_at_once(2)).await;
    let (gate, story) = (Gate::default(), Story::default());
    let at_once = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    for name in ["a", "b", "c"] {
        let worker = manager.join(name).await.unwrap();
        for callback in ["1", "2"] {
            let (passed, told) = (gate.clone(), story.clone());
            let running = Arc::clone(&at_once);
            let call = move |_: KeyChange| {
                let (passed, told, running) = (passed.clone(), told.clone(), running.clone());
                async move {
                    assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                    told.tell(format!("{name}{callback}"));
                    passed.pass().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                }
            };
            worker
                .register_on_change("documents", callback, call)
                .await
                .unwrap();
        }
        workers.push(worker);
    }
    let id = manager.declare(change()).await.unwrap();
    gate.arrived(2).await;
    let mut begun = story.lines();
    begun.sort();
    assert_eq!(begun, ["a1", "b1"]);
    gate.open();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(statuses(&report), [CallbackStatus::Succeeded; 6]);
    let lines = story.lines();
    for name in ["a", "b", "c"] {
        let own: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).collect();
        assert!(own.is_sorted(), "{lines:?}");
    }
}

#[tokio::test]
async fn when_one_step_stops_the_rotation_those_under_way_run_to_their_end() {
    let manager = with(Source::new("v").documents().workers_at_once(2)).await;
    let gate = Gate::default();
    let slow = manager.join("slow").await.unwrap();
    let call = waits_at(&gate);
    slow.register_on_change("documents", "1", call)
        .await
        .unwrap();
    slow.register_on_change("documents", "2", |_: KeyChange| {})
        .await
        .unwrap();
    let fails = manager.join("fails").await.unwrap();
    let reached = gate.clone();
    let call = move |_: KeyChange| {
        let reached = reached.clone();
        async move {
            reached.arrived(1).await;
            Err::<(), _>("no")
        }
    };
    fails
        .register_on_change("documents", "1", call)
        .await
        .unwrap();
    let id = manager.declare(change()).await.unwrap();
    gate.arrived(1).await;
    until("the failure is known", async || {
        let listed = manager.rotations().await.unwrap();
        step(&listed[0], "fails", "1").status == CallbackStatus::Failed
    })
    .await;
    gate.open();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    let wanted = [
        CallbackStatus::Succeeded,
        CallbackStatus::Pending,
        CallbackStatus::Failed,
    ];
    assert_eq!(statuses(&report), wanted);
}

#[tokio::test]
async fn a_callback_may_declare_through_its_handle_and_the_rotation_runs_when_its_turn_comes() {
    let manager = with(Source::new("v").documents()).await;
    let declared = Arc::new(Mutex::new(None));
    let tells = Arc::clone(&declared);
    let call = move |change: KeyChange| {
        let tells = Arc::clone(&tells);
        async move {
            if change.new_keys.unwrap().back().expose_str() == Some("value_2") {
                let next = change
                    .key
                    .declare(Change::of("documents").new_keys("value_3"))
                    .await;
                *tells.lock().unwrap() = Some(next.unwrap());
            }
        }
    };
    manager
        .register_on_change("documents", "declares", call)
        .await
        .unwrap();
    drop(within(manager.key_changed(change())).await.unwrap());
    let next = declared.lock().unwrap().unwrap();
    assert_eq!(
        within(manager.wait(next)).await.unwrap().state,
        RotationState::Completed
    );
}

#[tokio::test]
async fn a_handle_refuses_everything_once_its_callback_has_returned() {
    let manager = with(Source::new("v").documents()).await;
    let kept: Arc<Mutex<Option<OnChangeKeyDefinition>>> = Arc::default();
    let keeps = Arc::clone(&kept);
    let call = move |change: KeyChange| {
        *keeps.lock().unwrap() = Some(change.key);
        Effect::Nothing
    };
    manager
        .register_on_change("documents", "keeps", call)
        .await
        .unwrap();
    drop(within(manager.key_changed(change())).await.unwrap());
    let handle = kept.lock().unwrap().take().unwrap();
    assert_eq!(handle.clean_state().unwrap_err().code(), "handle_expired");
    let refused = handle.declare(change()).await.unwrap_err();
    assert_eq!(refused.code(), "handle_expired");
}
