//! The end of a manager: running callbacks get their time, what is left goes on in the next life,
//! each waiter is told, and the folder is free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use keyward::worker::callback::KeyChange;
use keyward::{
    CallbackStatus, Change, KeysManagement, MemoryRepo, RotationReport, RotationState, block_on,
};

use crate::support::{
    Gate, LIMIT, assert_says, builder, change, define, documents, on, statuses, until,
    with_documents, within,
};

const LONG: Duration = Duration::from_secs(60);

async fn register_gate(manager: &KeysManagement, gate: &Gate) {
    let held = gate.clone();
    let waits = move |_: KeyChange| held.pass_blocking();
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .expect("it registers");
}

/// The one rotation, as the next life finds it.
async fn found(repo: &MemoryRepo) -> (KeysManagement, RotationReport) {
    let manager = on(repo.clone()).await;
    let mut rotations = manager.status().await.expect("a status").rotations;
    assert_eq!(rotations.len(), 1);
    (manager, rotations.remove(0))
}

#[tokio::test]
async fn a_callback_that_ends_within_the_grace_has_succeeded_and_never_runs_again() {
    let repo = MemoryRepo::new();
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let gate = Gate::default();
    register_gate(&manager, &gate).await;
    let never = |_: KeyChange| Err::<(), _>("it was called after the shutdown had begun");
    manager
        .register_on_change("documents", "next", never)
        .await
        .expect("it registers");
    let id = manager.declare(change()).await.expect("it is accepted");
    gate.arrived(1).await;
    let ending = tokio::spawn({
        let manager = manager.clone();
        async move { manager.shutdown_within(LONG).await }
    });
    until("nothing is admitted", async || {
        manager.get_key("documents").await.is_err()
    })
    .await;
    gate.open();
    within(ending)
        .await
        .expect("no panic")
        .expect("it shuts down");

    let (manager, report) = found(&repo).await;
    use CallbackStatus::{Pending, Succeeded};
    assert_eq!(statuses(&report), [Succeeded, Pending]);
    assert_eq!(report.steps[0].attempt, 1);
    define(&manager, documents()).await;
    register_gate(&manager, &gate).await;
    manager
        .register_on_change("documents", "next", |_: KeyChange| {})
        .await
        .expect("it registers");
    let ended = within(manager.wait(id)).await.expect("it goes on");
    assert_eq!(ended.state, RotationState::Completed);
    assert_eq!(gate.count(), 1, "what succeeded was called again");
}

#[tokio::test]
async fn the_last_callback_may_end_within_the_grace_too() {
    let repo = MemoryRepo::new();
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let gate = Gate::default();
    register_gate(&manager, &gate).await;
    let id = manager.declare(change()).await.expect("it is accepted");
    gate.arrived(1).await;
    let ending = tokio::spawn({
        let manager = manager.clone();
        async move { manager.shutdown_within(LONG).await }
    });
    until("nothing is admitted", async || {
        manager.get_key("documents").await.is_err()
    })
    .await;
    gate.open();
    within(ending)
        .await
        .expect("no panic")
        .expect("it shuts down");
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    register_gate(&manager, &gate).await;
    let ended = within(manager.wait(id))
        .await
        .expect("it ends in this life at the latest");
    assert_eq!(ended.state, RotationState::Completed);
    assert_eq!(gate.count(), 1, "what succeeded was called again");
}

#[tokio::test]
async fn a_step_left_running_is_pending_again_and_no_crash_is_counted() {
    let repo = MemoryRepo::new();
    let (gate, attempts) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    for life in 1..=7 {
        let started = builder()
            .state_repo(repo.clone())
            .max_crashes(2)
            .start()
            .await;
        let manager = started.expect("it starts");
        define(&manager, documents()).await;
        let (held, seen) = (gate.clone(), Arc::clone(&attempts));
        let call = move |change: KeyChange| {
            let (gate, seen) = (held.clone(), Arc::clone(&seen));
            async move {
                seen.store(change.key.attempt() as usize, Ordering::SeqCst);
                gate.pass().await;
            }
        };
        manager
            .register_on_change("documents", "waits", call)
            .await
            .expect("it registers");
        if life == 1 {
            manager.declare(change()).await.expect("it is accepted");
        }
        gate.arrived(life).await;
        assert_eq!(attempts.load(Ordering::SeqCst), life);
        within(manager.shutdown_within(Duration::ZERO))
            .await
            .expect("it shuts down");
        let (_, report) = found(&repo).await;
        let step = &report.steps[0];
        assert_eq!(
            (step.status, step.crashes),
            (CallbackStatus::Pending, 0),
            "life {life}"
        );
    }
}

#[tokio::test]
async fn whoever_waits_is_told_which_rotation_goes_on_after_the_next_start() {
    let repo = MemoryRepo::new();
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let gate = Gate::default();
    register_gate(&manager, &gate).await;
    let changing = tokio::spawn({
        let manager = manager.clone();
        async move { manager.key_changed(change()).await }
    });
    gate.arrived(1).await;
    let queued = manager
        .declare(Change::of("documents"))
        .await
        .expect("it is accepted");
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait(queued).await }
    });
    let begun = Instant::now();
    within(manager.shutdown_within(Duration::from_millis(50)))
        .await
        .expect("it shuts down");
    assert!(begun.elapsed() < LIMIT, "it waited for the callback");
    let error = within(changing)
        .await
        .expect("no panic")
        .expect_err("it is shut down");
    assert!(error.is_retriable());
    let manager = on(repo.clone()).await;
    let running = manager.status().await.expect("a status").rotations[0]
        .id
        .to_string();
    assert_says(error.code(), "shut_down", &error.to_string(), &[&running]);
    let error = within(waiting)
        .await
        .expect("no panic")
        .expect_err("it is shut down");
    assert_says(
        error.code(),
        "shut_down",
        &error.to_string(),
        &[&queued.to_string()],
    );
    gate.open();
}

#[tokio::test]
async fn after_a_shutdown_every_call_is_told_so() {
    let manager = with_documents().await;
    let worker = manager.join("w1").await.expect("it joins");
    let single = manager
        .get_single_management("documents")
        .expect("it is defined");
    within(manager.shutdown()).await.expect("it shuts down");
    let id = keyward::RotationId::new(uuid::Uuid::from_u128(7));
    let key_errors = [
        within(manager.get_key("documents"))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(single.get_key())
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(worker.get_key("documents"))
            .await
            .map(drop)
            .map_err(|e| e.code()),
    ];
    assert_eq!(key_errors, [Err("shut_down"); 3]);
    let register = worker.register_on_change("documents", "late", |_: KeyChange| {});
    let errors = [
        within(manager.define_key(documents()))
            .await
            .map_err(|e| e.code()),
        within(manager.declare(change()))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(manager.key_changed(change()))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(manager.wait(id))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(manager.join("w2"))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(register).await.map_err(|e| e.code()),
        within(worker.leave()).await.map_err(|e| e.code()),
        within(manager.resume(id)).await.map_err(|e| e.code()),
        within(manager.abort(id, &[])).await.map_err(|e| e.code()),
        within(manager.recover_keys(id))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(manager.status())
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(manager.history(1))
            .await
            .map(drop)
            .map_err(|e| e.code()),
        within(manager.shutdown()).await.map_err(|e| e.code()),
    ];
    assert_eq!(errors, [Err("shut_down"); 13]);
}

#[tokio::test]
async fn a_request_that_waits_for_a_store_is_told_that_the_manager_shuts_down() {
    let manager = crate::support::in_memory().await;
    let gate = Gate::default();
    let held = gate.clone();
    let store = move || {
        held.pass_blocking();
        "value_1"
    };
    let definition = keyward::SecretKeyDefinition::round_trip("documents", store);
    define(&manager, definition).await;
    let asking = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get_key("documents").await }
    });
    gate.arrived(1).await;
    within(manager.shutdown())
        .await
        .expect("it does not wait for stores");
    let error = within(asking)
        .await
        .expect("no panic")
        .expect_err("it is shut down");
    assert_says(
        error.code(),
        "shut_down",
        &error.to_string(),
        &["documents"],
    );
    gate.open();
}

#[tokio::test]
async fn the_folder_is_free_as_soon_as_shutdown_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    for _ in 0..3 {
        let manager = builder()
            .data_folder(&data)
            .start()
            .await
            .expect("the folder is free");
        define(&manager, documents()).await;
        drop(
            within(manager.key_changed(change()))
                .await
                .expect("it ends"),
        );
        within(manager.shutdown()).await.expect("it shuts down");
    }
    let manager = builder()
        .data_folder(&data)
        .start()
        .await
        .expect("the folder is free");
    assert_eq!(
        manager
            .history(10)
            .await
            .expect("a history")
            .rotations
            .len(),
        3
    );
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn dropping_the_last_handle_frees_the_folder_in_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let manager = builder()
        .data_folder(&data)
        .start()
        .await
        .expect("it starts");
    define(&manager, documents()).await;
    let worker = manager.join("w1").await.expect("it joins");
    let report = within(manager.key_changed(change()))
        .await
        .expect("it ends");
    let clone = manager.clone();
    drop(manager);
    assert_eq!(
        clone.wait(report.id).await.as_ref(),
        Ok(&report),
        "a clone is a handle"
    );
    drop(clone);
    worker
        .get_key("documents")
        .await
        .expect("a worker is a handle");
    drop(worker);
    until("the folder is free", async || {
        match builder().data_folder(&data).start().await {
            Ok(next) => {
                assert_eq!(next.wait(report.id).await.as_ref(), Ok(&report));
                next.shutdown().await.expect("it shuts down");
                true
            }
            Err(error) => {
                assert_eq!(error.code(), "already_open");
                false
            }
        }
    })
    .await;
}

#[test]
fn a_manager_may_be_shut_down_and_dropped_without_a_runtime() {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        for shuts_down in [true, false] {
            let started = block_on(builder().state_repo(MemoryRepo::new()).start());
            let manager = started.expect("it starts");
            block_on(manager.define_key(documents())).expect("it is defined");
            if shuts_down {
                block_on(manager.shutdown()).expect("it shuts down");
            }
        }
        done.send(()).expect("the test waits");
    });
    is_done.recv_timeout(LIMIT).expect("it hangs");
}

#[tokio::test]
async fn no_callback_of_a_worker_and_key_is_called_beside_one_of_an_earlier_manager() {
    let repo = MemoryRepo::new();
    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let gate = Gate::default();
    register_gate(&manager, &gate).await;
    let id = manager.declare(change()).await.expect("it is accepted");
    gate.arrived(1).await;
    within(manager.shutdown_within(Duration::ZERO))
        .await
        .expect("it shuts down");

    let manager = on(repo.clone()).await;
    define(&manager, documents()).await;
    let second = Gate::default();
    second.open();
    register_gate(&manager, &second).await;
    until("it is about to be called", async || {
        let status = manager.status().await.expect("a status");
        status.rotations[0].state == RotationState::Running
    })
    .await;
    assert_eq!(
        second.count(),
        0,
        "it was called beside the one that still runs"
    );
    gate.open();
    let ended = within(manager.wait(id)).await.expect("it ends");
    assert_eq!(ended.state, RotationState::Completed);
    assert_eq!((second.count(), ended.steps[0].attempt), (1, 2));
}

#[tokio::test]
async fn a_shutdown_ends_async_callbacks_even_while_handles_are_held() {
    struct Tells(std::sync::mpsc::Sender<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let manager = with_documents().await;
    let worker = manager.join("anna").await.expect("anna joins");
    let (dropped, is_dropped) = std::sync::mpsc::channel();
    let gate = Gate::default();
    let calls = gate.clone();
    let callback = move |_: KeyChange| {
        let (tells, gate) = (Tells(dropped.clone()), calls.clone());
        async move {
            gate.pass().await;
            drop(tells);
        }
    };
    worker
        .register_on_change("documents", "waits", callback)
        .await
        .expect("it registers");
    manager
        .declare(Change::of("documents").new_keys("value_2"))
        .await
        .expect("it is accepted");
    gate.arrived(1).await;
    let ended = manager.shutdown_within(Duration::ZERO);
    within(ended).await.expect("it ends");
    is_dropped
        .recv_timeout(Duration::from_secs(20))
        .expect("the callback is dropped");
    drop((manager, worker));
}

#[tokio::test]
async fn a_handle_is_answered_while_a_shutdown_gives_its_callback_time() {
    let repo = MemoryRepo::new();
    let manager = on(repo.clone()).await;
    define(&manager, documents().stateless(false)).await;
    let gate = Gate::default();
    let calls = gate.clone();
    let saves = move |change: KeyChange| {
        let gate = calls.clone();
        async move {
            gate.pass().await;
            change.key.save_state().await
        }
    };
    manager
        .register_on_change("documents", "saves", saves)
        .await
        .expect("it registers");
    manager.declare(change()).await.expect("it is accepted");
    gate.arrived(1).await;
    let ending = tokio::spawn({
        let manager = manager.clone();
        async move { manager.shutdown_within(LONG).await }
    });
    until("nothing more is admitted", async || {
        manager
            .get_key("documents")
            .await
            .is_err_and(|e| e.code() == "shut_down")
    })
    .await;
    gate.open();
    within(ending).await.expect("no panic").expect("it ends");
    // The coordinator may hear of the end of the callback before it hears of the shutdown; then the
    // rotation has completed.
    let next = on(repo).await;
    let mut reports = next.status().await.expect("a status").rotations;
    reports.extend(next.history(1).await.expect("a history").rotations);
    let [report] = reports.as_slice() else {
        panic!("{reports:?}");
    };
    assert_eq!(statuses(report), [CallbackStatus::Succeeded]);
}

#[tokio::test]
async fn whoever_waits_on_a_manager_that_has_ended_is_told_for_which_rotation() {
    let manager = with_documents().await;
    let gate = Gate::default();
    register_gate(&manager, &gate).await;
    let id = manager.declare(change()).await.expect("it is accepted");
    let ended = manager.shutdown_within(Duration::ZERO).await;
    ended.expect("it ends");
    let error = manager.wait(id).await.expect_err("nobody knows any more");
    assert_says(
        error.code(),
        "shut_down",
        &error.to_string(),
        &[&id.to_string()],
    );
    gate.open();
}
