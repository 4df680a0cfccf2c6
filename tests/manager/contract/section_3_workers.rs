//! Section 3: the roster, leaving, dying, being removed, and shutdown.

use keyward::rotation::report::WaitsFor;
use keyward::{
    CallbackStatus, Change, Effect, Join, KeyChange, KeysManagement, RotationError, RotationState,
    SecretKeyFlow, Worker,
};

use crate::support::{Gate, Story, builder, change, define, error, statuses, step, until, within};
use crate::world::{Disk, Source, end, waits_at, with};

async fn joins(manager: &KeysManagement, name: &str, callback: &str) -> Worker {
    let worker = manager.join(name).await.unwrap();
    worker
        .register_on_change("documents", callback, |_: KeyChange| {})
        .await
        .unwrap();
    worker
}

async fn waits(manager: &KeysManagement, worker: &str) -> (Gate, Worker) {
    let gate = Gate::default();
    let worker = manager.join(worker).await.unwrap();
    worker
        .register_on_change("documents", "waits", waits_at(&gate))
        .await
        .unwrap();
    (gate, worker)
}

#[tokio::test]
async fn a_member_that_is_not_back_after_a_restart_is_in_the_plan_and_waited_for() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    let worker = joins(&manager, "worker", "callback").await;
    end(manager).await;
    drop(worker);
    let manager = disk.life_with(Source::new("v").documents()).await;
    let id = manager.declare(change()).await.unwrap();
    until("it waits for the worker", async || {
        let listed = &manager.rotations().await.unwrap()[0];
        listed.waits_for.iter().any(|waits| match waits {
            WaitsFor::Worker { worker, callback } => {
                (worker.as_str(), callback.as_str()) == ("worker", "callback")
            }
            _ => false,
        })
    })
    .await;
    let _back = joins(&manager, "worker", "callback").await;
    assert_eq!(
        within(manager.wait(id)).await.unwrap().state,
        RotationState::Completed
    );
}

#[tokio::test]
async fn leaving_takes_the_remaining_steps_out_and_is_refused_while_one_runs() {
    let manager = with(Source::new("v").documents()).await;
    let gate = Gate::default();
    let call = waits_at(&gate);
    manager
        .register_on_change("documents", "waits", call.clone())
        .await
        .unwrap();
    let leaves = joins(&manager, "leaves", "callback").await;
    let id = manager.declare(change()).await.unwrap();
    gate.arrived(1).await;
    leaves.leave().await.unwrap();
    let busy = manager
        .remove_callback("main", "documents", "waits")
        .await
        .unwrap_err();
    assert_eq!(busy.code(), "callback_runs");
    gate.open();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    let removed = step(&report, "leaves", "callback");
    assert!(removed.removed && removed.status == CallbackStatus::Pending);
    let next = within(manager.key_changed(Change::of("documents")))
        .await
        .unwrap();
    assert_eq!(next.steps.len(), 1);
}

#[tokio::test]
async fn an_operator_may_remove_a_worker_that_never_comes_back_or_one_of_its_callbacks() {
    let manager = with(Source::new("v").documents()).await;
    let dead = joins(&manager, "dead", "callback").await;
    let half = joins(&manager, "half", "old").await;
    half.register_on_change("documents", "new", |_: KeyChange| {})
        .await
        .unwrap();
    drop((dead, half));
    let half = joins(&manager, "half", "new").await;
    let id = manager.declare(change()).await.unwrap();
    manager.remove_worker("dead").await.unwrap();
    manager
        .remove_callback("half", "documents", "old")
        .await
        .unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    let removed: Vec<_> = report.steps.iter().map(|step| step.removed).collect();
    assert_eq!(
        (report.state, removed),
        (RotationState::Completed, vec![true, true, false])
    );
    let unknown = manager.remove_worker("dead").await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_worker");
    drop(half);
}

#[tokio::test]
async fn a_removed_step_does_not_count_as_being_in_the_plan() {
    let manager = with(Source::new("v").documents()).await;
    let (gate, _waits) = waits(&manager, "gate").await;
    let worker = joins(&manager, "worker", "callback").await;
    let id = manager.declare(change()).await.unwrap();
    gate.arrived(1).await;
    worker.leave().await.unwrap();
    let again = joins(&manager, "worker", "callback").await;
    gate.open();
    let report = within(manager.wait(id)).await.unwrap();
    let own: Vec<_> = report
        .steps
        .iter()
        .filter(|step| step.worker.as_str() == "worker")
        .collect();
    assert_eq!(own.len(), 2);
    assert!(own[0].removed && !own[1].removed && own[1].status == CallbackStatus::Succeeded);
    drop(again);
}

#[tokio::test]
async fn a_dropped_handle_frees_the_name_and_the_callback_under_way_counts() {
    let manager = with(Source::new("v").documents()).await;
    let (gate, story) = (Gate::default(), Story::default());
    let worker = manager.join("worker").await.unwrap();
    let (passed, told) = (gate.clone(), story.clone());
    let call = move |_: KeyChange| {
        let (passed, told) = (passed.clone(), told.clone());
        async move {
            passed.pass().await;
            told.tell("first");
        }
    };
    worker
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    assert_eq!(
        manager.join("worker").await.unwrap_err().code(),
        "worker_name_taken"
    );
    let first = manager.declare(change()).await.unwrap();
    let second = manager.declare(Change::of("documents")).await.unwrap();
    gate.arrived(1).await;
    drop(worker);
    let worker = within(async {
        loop {
            match manager.join("worker").await {
                Ok(worker) => return worker,
                Err(error) => assert_eq!(error.code(), "worker_name_taken"),
            }
        }
    })
    .await;
    let told = story.clone();
    let call = move |_: KeyChange| told.tell("second");
    worker
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    gate.open();
    for id in [first, second] {
        let report = within(manager.wait(id)).await.unwrap();
        assert_eq!(statuses(&report), [CallbackStatus::Succeeded]);
        assert_eq!(report.steps[0].attempt, 1);
    }
    assert_eq!(story.lines(), ["first", "second"]);
}

#[tokio::test]
async fn a_shutdown_answers_every_waiter_with_the_rotations_id_and_leaves_the_rest_pending() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    let (gate, worker) = waits(&manager, "worker").await;
    let id = manager.declare(change()).await.unwrap();
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait(id).await }
    });
    gate.arrived(1).await;
    end(manager.clone()).await;
    let answer = within(waiting).await.unwrap().unwrap_err();
    assert!(answer.is_retriable());
    let RotationError::ShutDown { id: Some(told) } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(told, id);
    assert_eq!(
        manager.get_key("documents").await.unwrap_err().code(),
        "shut_down"
    );
    assert_eq!(
        manager.declare(change()).await.unwrap_err().code(),
        "shut_down"
    );
    drop((manager, worker));
    // A shutdown is no crash: the step is Pending, and no attempt counts as one.
    let manager = disk.life().await;
    let listed = &manager.rotations().await.unwrap()[0];
    let left = step(listed, "worker", "waits");
    assert_eq!((left.status, left.crashes), (CallbackStatus::Pending, 0));
    define(&manager, Source::new("v").documents()).await;
    let _back = joins(&manager, "worker", "waits").await;
    assert_eq!(
        within(manager.wait(id)).await.unwrap().state,
        RotationState::Completed
    );
}

#[tokio::test]
async fn a_shutdown_gives_running_callbacks_the_time_that_is_set() {
    let disk = Disk::default();
    let started = builder()
        .state_repo(disk.clone())
        .shutdown_grace(crate::support::LIMIT)
        .start();
    let manager = started.await.unwrap();
    define(&manager, Source::new("v").documents()).await;
    let (gate, worker) = waits(&manager, "worker").await;
    let id = manager.declare(change()).await.unwrap();
    gate.arrived(1).await;
    let ending = tokio::spawn(end(manager.clone()));
    until("nothing is admitted", async || {
        manager.get_key("documents").await.is_err()
    })
    .await;
    gate.open();
    within(ending).await.unwrap();
    drop((manager, worker));
    let manager = disk.life_with(Source::new("v").documents()).await;
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(
        (report.state, report.steps[0].attempt),
        (RotationState::Completed, 1)
    );
}

#[tokio::test]
async fn a_shutdown_frees_the_data_folder_and_so_does_dropping_the_last_handle() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let start = || builder().data_folder(&data).start();
    let manager = start().await.unwrap();
    assert_eq!(start().await.unwrap_err().code(), "already_open");
    end(manager.clone()).await;
    drop(manager);
    let manager = start().await.unwrap();
    drop(manager);
    let mut last = None;
    until("the folder is free", async || {
        last = start().await.ok();
        last.is_some()
    })
    .await;
    // Ended before the folder is removed: what ends by itself may still write there.
    end(last.unwrap()).await;
}

#[tokio::test]
async fn a_worker_that_waits_for_its_name_joins_when_the_other_has_gone() {
    let manager = with(Source::new("v").documents()).await;
    let first = manager.join("worker").await.unwrap();
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.join(Join::sole("worker").waiting()).await }
    });
    let refused = manager.join("worker").await.unwrap_err();
    assert_eq!(refused.code(), "worker_name_taken");
    assert!(!waiting.is_finished(), "the name is taken");
    drop(first);
    let second = within(waiting).await.unwrap().unwrap();
    // Its handle is the one that counts.
    second.leave().await.unwrap();
}

#[tokio::test]
async fn who_waits_for_a_name_is_told_of_a_shutdown() {
    let manager = with(Source::new("v").documents()).await;
    let _first = manager.join("worker").await.unwrap();
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.join(Join::sole("worker").waiting()).await }
    });
    end(manager).await;
    let told = within(waiting).await.unwrap().unwrap_err();
    assert_eq!(told.code(), "shut_down");
}

#[tokio::test]
async fn a_worker_of_the_keepers_own_process_is_sole() {
    let manager = with(Source::new("v").documents()).await;
    let refused = manager.join(Join::shared("web")).await.unwrap_err();
    assert_eq!(refused.code(), "other_sharing");
    assert!(refused.to_string().contains("Join::sole"), "{refused}");
    manager.join(Join::sole("web")).await.unwrap();
}

#[tokio::test]
async fn ready_does_nothing_for_a_worker_of_the_keepers_own_process_which_is_called_without() {
    let manager = with(Source::new("v").documents()).await;
    let anna = manager.join("anna").await.unwrap();
    let nothing = async |_: KeyChange| {};
    anna.register_on_change("documents", "reencrypt", nothing)
        .await
        .unwrap();
    let change = |new: &str| Change::of("documents").old("v").new_keys(new);
    let report = manager.key_changed(change("w")).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    let before = manager.status().await.unwrap();
    anna.ready().await.unwrap();
    anna.ready().await.unwrap();
    let after = manager.status().await.unwrap();
    assert_eq!(after.workers, before.workers);
    let report = manager.key_changed(change("x")).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
}

#[tokio::test]
async fn a_callback_of_memory_has_no_effect_and_stages_nothing() {
    let manager = with(Source::new("v").documents().stateless(false)).await;
    let worker = manager.join("web").await.unwrap();
    let key = "documents";
    let loads = async |_: KeyChange| {};
    worker
        .register_in_memory(key, "loads", loads)
        .await
        .unwrap();
    worker.ready().await.unwrap();
    let report = within(worker.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);

    let touches = |_: KeyChange| Effect::Reencrypted;
    worker
        .register_in_memory(key, "touches", touches)
        .await
        .unwrap();
    let stages = |change: KeyChange| change.key.set_last_flow(SecretKeyFlow::BackPath);
    worker
        .register_in_memory(key, "stages", stages)
        .await
        .unwrap();
    for callback in ["touches", "stages"] {
        let report = within(worker.key_changed(change())).await.unwrap();
        assert_eq!(report.state, RotationState::Stopped);
        let said = error(&report, "web", callback);
        assert!(said.contains("no effect and stages nothing"), "{said}");
        manager.remove_callback("web", key, callback).await.unwrap();
        manager.abort(report.id, &["web"]).await.unwrap();
    }
}
