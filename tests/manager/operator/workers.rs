//! Workers and callbacks that die, come back, leave, or are removed.

use keyward::worker::callback::KeyChange;
use keyward::{Effect, MemoryRepo, RotationState};

use crate::support::{
    Gate, assert_says, define, documents, error, in_memory, statuses, step, until, with_documents,
    within,
};

use crate::operator::{Mendable, change, is_worker, patient, quick, report};
use keyward::CallbackStatus::Succeeded;

#[tokio::test]
async fn a_step_whose_worker_does_not_come_back_in_time_has_failed() {
    let manager = quick().await;
    define(&manager, documents()).await;
    let worker = manager.join("w1").await.expect("it joins");
    let calls = Mendable::default();
    calls
        .register(&worker, "call", false, Effect::Nothing)
        .await;
    drop(worker);
    let stopped = within(manager.key_changed(change("a", "b")))
        .await
        .expect("Halt");
    assert_eq!(stopped.state, RotationState::Stopped);
    assert!(
        error(&stopped, "w1", "call").contains("worker gone"),
        "{stopped:?}"
    );
    assert_eq!(step(&stopped, "w1", "call").attempt, 0);

    let worker = manager.join("w1").await.expect("it is back");
    calls
        .register(&worker, "call", false, Effect::Nothing)
        .await;
    manager.resume(stopped.id).await.expect("it is resumed");
    let ended = within(manager.wait(stopped.id)).await.expect("it ends");
    assert_eq!(
        (ended.state, ended.steps.len()),
        (RotationState::Completed, 1)
    );
}

#[tokio::test]
async fn a_worker_that_leaves_takes_its_remaining_steps_out_of_the_plan() {
    let manager = with_documents().await;
    let calls = Mendable::default();
    let first = manager.join("w1").await.expect("it joins");
    let second = manager.join("w2").await.expect("it joins");
    calls.register(&first, "call", true, Effect::Nothing).await;
    calls
        .register(&second, "call", false, Effect::Nothing)
        .await;
    let stopped = within(manager.key_changed(change("a", "b")))
        .await
        .expect("Halt");
    second.leave().await.expect("nothing of it runs");
    let removed = report(&manager, stopped.id).await;
    assert!(step(&removed, "w2", "call").removed);
    let error = second
        .register_on_change("documents", "late", |_: KeyChange| {})
        .await;
    let error = error.expect_err("it has left");
    assert_says(error.code(), "unknown_worker", &error.to_string(), &["w2"]);
    let status = manager.status().await.expect("a status");
    assert_eq!(status.workers.len(), 2, "main and w1");

    calls.mend();
    manager.resume(stopped.id).await.expect("it is resumed");
    let ended = within(manager.wait(stopped.id)).await.expect("it ends");
    assert_eq!(
        ended.state,
        RotationState::Completed,
        "a removed step keeps nobody waiting"
    );
    assert_eq!(calls.story.lines(), ["w1/call 1", "w1/call 2"]);
}

#[tokio::test]
async fn leaving_and_removing_are_refused_while_a_step_runs() {
    let manager = with_documents().await;
    let worker = manager.join("w1").await.expect("it joins");
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| held.pass_blocking();
    worker
        .register_on_change("documents", "call", waits)
        .await
        .expect("it registers");
    let id = manager
        .declare(change("a", "b"))
        .await
        .expect("it is accepted");
    gate.arrived(1).await;
    let refused = [
        worker.leave().await,
        manager.remove_worker("w1").await,
        manager.remove_callback("w1", "documents", "call").await,
    ];
    for error in refused {
        let error = error.expect_err("its step runs");
        let names = ["w1", "call"];
        assert_says(error.code(), "callback_runs", &error.to_string(), &names);
        assert!(error.is_retriable());
    }
    gate.open();
    let ended = within(manager.wait(id)).await.expect("it ends");
    assert_eq!(statuses(&ended), [Succeeded]);
    worker.leave().await.expect("nothing of it runs any more");
    let next = within(manager.key_changed(change("b", "c")))
        .await
        .expect("it ends");
    assert!(next.steps.is_empty());
}

#[tokio::test]
async fn a_dead_worker_is_in_every_plan_until_an_operator_removes_it() {
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
    until("it waits for w1", async || {
        is_worker(&report(&manager, id).await.waits_for, "w1")
    })
    .await;
    manager.remove_worker("w1").await.expect("it is removed");
    let ended = within(manager.wait(id)).await.expect("it goes on");
    assert_eq!(ended.state, RotationState::Completed);
    assert!(step(&ended, "w1", "call").removed);
    for name in ["w1", "main"] {
        let error = manager
            .remove_worker(name)
            .await
            .expect_err("it cannot be removed");
        assert_says(error.code(), "unknown_worker", &error.to_string(), &[name]);
    }
    manager.shutdown().await.expect("it shuts down");
    let manager = patient(&repo).await;
    let status = manager.status().await.expect("a status");
    assert_eq!(status.workers.len(), 1, "the removal was not durable");
}

#[tokio::test]
async fn a_removed_callback_is_out_of_every_plan_and_joins_it_anew_when_it_registers_again() {
    let repo = MemoryRepo::new();
    let manager = patient(&repo).await;
    define(&manager, documents()).await;
    let calls = Mendable::default();
    let worker = manager.join("w1").await.expect("it joins");
    calls
        .register(&worker, "fails", true, Effect::Nothing)
        .await;
    calls
        .register(&worker, "gone", false, Effect::Nothing)
        .await;
    let stopped = within(manager.key_changed(change("a", "b")))
        .await
        .expect("Halt");
    manager
        .remove_callback("w1", "documents", "gone")
        .await
        .expect("it is removed");
    let error = manager
        .remove_callback("w1", "documents", "gone")
        .await
        .expect_err("it is gone");
    let names = ["w1", "documents", "gone"];
    assert_says(error.code(), "unknown_callback", &error.to_string(), &names);
    let removed = report(&manager, stopped.id).await;
    assert!(step(&removed, "w1", "gone").removed);

    calls
        .register(&worker, "gone", false, Effect::Nothing)
        .await;
    let joined = report(&manager, stopped.id).await;
    let due: Vec<bool> = joined.steps.iter().map(|step| step.removed).collect();
    assert_eq!(due, [false, true, false]);
    calls.mend();
    manager.resume(stopped.id).await.expect("it is resumed");
    let ended = within(manager.wait(stopped.id)).await.expect("it ends");
    assert_eq!(ended.state, RotationState::Completed);
    assert_eq!(
        calls.story.lines(),
        ["w1/fails 1", "w1/fails 2", "w1/gone 1"]
    );
}

#[tokio::test]
async fn a_join_that_nobody_waits_for_any_more_leaves_the_name_free() {
    let manager = in_memory().await;
    {
        let join = std::pin::pin!(manager.join("anna"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // The answer may be there already, where this thread was stopped for a moment.
        drop(std::future::Future::poll(join, &mut context));
    }
    until("the name is free", async || {
        manager.join("anna").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_join_that_was_answered_and_never_looked_at_leaves_the_name_free() {
    let manager = in_memory().await;
    // Where this thread is stopped within the first look, the look finds the answer: another join then.
    let join = loop {
        let mut join = Box::pin(manager.join("anna"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::future::Future::poll(join.as_mut(), &mut context) {
            std::task::Poll::Pending => break join,
            std::task::Poll::Ready(answer) => drop(answer),
        }
    };
    until("anna is there", async || {
        let status = manager.status().await.expect("a status");
        let is_anna = |w: &keyward::WorkerStatus| w.worker.as_str() == "anna" && w.alive;
        status.workers.iter().any(is_anna)
    })
    .await;
    drop(join);
    until("the name is free", async || {
        manager.join("anna").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_is_registered_behind_its_own_removal_is_called() {
    let manager = with_documents().await;
    let anna = manager.join("anna").await.expect("anna joins");
    for _ in 0..20 {
        let nothing = |_: KeyChange| async {};
        drop(anna.register_on_change("documents", "call", nothing).await);
        let (ben, removed, registered) = tokio::join!(
            manager.join("ben"),
            manager.remove_callback("anna", "documents", "call"),
            anna.register_on_change("documents", "call", nothing),
        );
        ben.expect("ben joins");
        removed.expect("it is removed");
        registered.expect("it is registered again");
        let report = within(manager.key_changed(change("value_1", "value_2"))).await;
        assert_eq!(
            report.expect("it ends").state,
            RotationState::Completed,
            "the callback is there and called"
        );
    }
}

#[tokio::test]
async fn a_refused_callback_that_panics_when_it_is_dropped_harms_nobody() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::panic_any("a drop that panics");
        }
    }
    let manager = with_documents().await;
    let anna = manager.join("anna").await.expect("anna joins");
    let nothing = |_: KeyChange| async {};
    anna.register_on_change("documents", "call", nothing)
        .await
        .expect("it registers");
    let panics = Panics;
    let refused = anna
        .register_on_change("documents", "call", move |_: KeyChange| {
            let _ = &panics;
        })
        .await;
    assert_eq!(refused.expect_err("it is taken").code(), "callback_taken");
    manager.status().await.expect("the coordinator lives");
    let report = within(manager.key_changed(change("value_1", "value_2"))).await;
    assert_eq!(report.expect("it ends").state, RotationState::Completed);
}

#[tokio::test]
async fn a_definition_that_nobody_waits_for_any_more_is_made_or_can_be_made_again() {
    let manager = in_memory().await;
    tokio::select! {
        biased;
        defined = manager.define_key(documents()) => defined.expect("it is a good one"),
        () = until("the key is known", async || {
            !manager.status().await.expect("a status").keys.is_empty()
        }) => {}
    }
    let key = manager.get_key("documents").await;
    assert_eq!(key.expect("it is defined").expose(), b"value_1");
}
