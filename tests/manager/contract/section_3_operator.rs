//! Section 3: resume, abort, obsolescence, keys in the journal, and plans that grow.

use std::sync::atomic::Ordering;

use keyward::rotation::report::WaitsFor;
use keyward::{CallbackStatus, KeyChange, KeysManagement, RotationError, RotationState};

use crate::support::{Gate, Story, assert_says, statuses, within};
use crate::world::{Disk, Source, declare, end, fails_until, forward, state, waits_at, with};

#[tokio::test]
async fn a_stopped_rotation_gives_way_and_a_resume_runs_what_has_not_succeeded() {
    let manager = with(Source::new("v").documents()).await;
    let story = Story::default();
    let told = story.clone();
    manager
        .register_on_change("documents", "first", move |_: KeyChange| told.tell("first"))
        .await
        .unwrap();
    let mended = fails_until(&manager, "fails").await;
    let told = story.clone();
    manager
        .register_on_change("documents", "last", move |_: KeyChange| told.tell("last"))
        .await
        .unwrap();
    let stopped = declare(&manager, "a").await;
    let next = declare(&manager, "b").await;
    for id in [stopped, next] {
        assert_eq!(
            within(manager.wait(id)).await.unwrap().state,
            RotationState::Stopped
        );
    }
    mended.store(true, Ordering::SeqCst);
    manager.resume(stopped).await.unwrap();
    let report = within(manager.wait(stopped)).await.unwrap();
    assert_eq!(
        (report.state, report.resumes),
        (RotationState::Completed, 1)
    );
    let attempts: Vec<_> = report.steps.iter().map(|step| step.attempt).collect();
    assert_eq!(attempts, [1, 2, 1]);
    assert_eq!(story.lines(), ["first", "first", "last"]);
    let again = manager.resume(stopped).await.unwrap_err();
    assert_eq!(again.code(), "wrong_state");
    let gone = manager.recover_keys(stopped).await.unwrap_err();
    let names = ["completed", "keys"];
    assert_says(gone.code(), "wrong_state", &gone.to_string(), &names);
}

#[tokio::test]
async fn every_attempt_and_resume_gets_the_keys_of_the_acceptance() {
    let disk = Disk::default();
    let source = Source::new(("e1", "d1"));
    let story = Story::default();
    let register = async |manager: &KeysManagement| {
        let told = story.clone();
        let call = move |change: KeyChange| {
            let (old, new) = (change.old_keys.unwrap(), change.new_keys.unwrap());
            let texts = [old.forward(), old.back(), new.forward(), new.back()];
            told.tell(texts.map(|value| value.expose_str().unwrap()).join(" "));
            let flow = change.key.last_flow().unwrap().unwrap();
            let previous = change.key.previous_keys().unwrap().unwrap();
            told.tell(format!("{flow} {}", previous.back().expose_str().unwrap()));
            if change.key.attempt() < 3 {
                Err("not yet")
            } else {
                Ok(())
            }
        };
        manager
            .register_on_change("documents", "callback", call)
            .await
            .unwrap();
    };
    let manager = disk.life_with(source.documents()).await;
    register(&manager).await;
    forward(&manager).await;
    let id = declare(&manager, "new").await;
    drop(within(manager.wait(id)).await.unwrap());
    source.set("else");
    forward(&manager).await;
    manager.resume(id).await.unwrap();
    drop(within(manager.wait(id)).await.unwrap());
    end(manager).await;
    let manager = disk.life_with(source.documents()).await;
    register(&manager).await;
    manager.resume(id).await.unwrap();
    assert_eq!(
        within(manager.wait(id)).await.unwrap().state,
        RotationState::Completed
    );
    let lines = story.lines();
    assert_eq!(lines.len(), 6);
    assert!(lines.chunks(2).all(|call| call == &lines[..2]), "{lines:?}");
    assert_eq!(lines[0], "e1 d1 new new");
}

#[tokio::test]
async fn the_keys_leave_the_journal_when_the_rotation_completes_or_is_aborted() {
    let manager = with(Source::new("v").documents()).await;
    let mended = fails_until(&manager, "fails").await;
    let mut ids = Vec::new();
    for new in ["a", "b"] {
        let id = declare(&manager, new).await;
        ids.push(id);
        drop(within(manager.wait(id)).await.unwrap());
        let keys = manager.recover_keys(id).await.unwrap();
        assert!(keys.old.is_none() && keys.new.is_some());
    }
    manager.abort(ids[1], &["main"]).await.unwrap();
    mended.store(true, Ordering::SeqCst);
    manager.resume(ids[0]).await.unwrap();
    drop(within(manager.wait(ids[0])).await.unwrap());
    for (id, ended) in ids
        .into_iter()
        .zip([RotationState::Completed, RotationState::Aborted])
    {
        assert_eq!(state(&manager, id).await, ended);
        assert_eq!(
            manager.recover_keys(id).await.unwrap_err().code(),
            "wrong_state"
        );
    }
}

#[tokio::test]
async fn a_resumed_rotation_waits_behind_what_waits_and_is_obsolete_if_that_completes() {
    let manager = with(Source::new("v").documents()).await;
    let (gate, mended) = (Gate::default(), fails_until(&manager, "fails").await);
    let stopped = declare(&manager, "a").await;
    drop(within(manager.wait(stopped)).await.unwrap());
    let call = waits_at(&gate);
    let worker = manager.join("gate").await.unwrap();
    worker
        .register_on_change("documents", "gate", call)
        .await
        .unwrap();
    mended.store(true, Ordering::SeqCst);
    let later = declare(&manager, "b").await;
    gate.arrived(1).await;
    manager.resume(stopped).await.unwrap();
    let listed = manager.rotations().await.unwrap();
    let listed = listed.iter().find(|report| report.id == stopped).unwrap();
    assert_eq!(listed.state, RotationState::Waiting);
    assert_eq!(listed.waits_for, [WaitsFor::Rotation { id: later }]);
    gate.open();
    assert_eq!(
        within(manager.wait(later)).await.unwrap().state,
        RotationState::Completed
    );
    assert_eq!(
        within(manager.wait(stopped)).await.unwrap().state,
        RotationState::Obsolete
    );
}

#[tokio::test]
async fn an_abort_names_who_has_not_succeeded_and_is_refused_while_a_callback_runs() {
    let manager = with(Source::new("v").documents()).await;
    let gate = Gate::default();
    let call = waits_at(&gate);
    manager
        .register_on_change("documents", "done", |_: KeyChange| {})
        .await
        .unwrap();
    let worker = manager.join("worker").await.unwrap();
    worker
        .register_on_change("documents", "waits", call)
        .await
        .unwrap();
    let running = declare(&manager, "a").await;
    let waiting = declare(&manager, "b").await;
    gate.arrived(1).await;
    let refused = manager.abort(running, &["worker"]).await.unwrap_err();
    assert_eq!(refused.code(), "callback_runs");
    let Err(RotationError::NotConfirmed { workers, .. }) =
        manager.abort(waiting, &["worker"]).await
    else {
        panic!("it has to be confirmed for both");
    };
    assert_eq!(
        workers.iter().map(|w| w.as_str()).collect::<Vec<_>>(),
        ["main", "worker"]
    );
    manager.abort(waiting, &["main", "worker"]).await.unwrap();
    assert_eq!(
        within(manager.wait(waiting)).await.unwrap().state,
        RotationState::Aborted
    );
    gate.open();
    assert_eq!(
        within(manager.wait(running)).await.unwrap().state,
        RotationState::Completed
    );
}

#[tokio::test]
async fn a_callback_registered_while_a_rotation_has_not_ended_joins_its_plan_once() {
    let disk = Disk::default();
    let manager = disk.life_with(Source::new("v").documents()).await;
    fails_until(&manager, "fails").await;
    let stopped = declare(&manager, "a").await;
    drop(within(manager.wait(stopped)).await.unwrap());
    manager
        .register_on_change("documents", "late", |_: KeyChange| {})
        .await
        .unwrap();
    end(manager).await;
    // It was durable when the registration answered; what is in the plan already is not added.
    let manager = disk.life_with(Source::new("v").documents()).await;
    manager
        .register_on_change("documents", "late", |_: KeyChange| {})
        .await
        .unwrap();
    let mended = fails_until(&manager, "fails").await;
    mended.store(true, Ordering::SeqCst);
    let listed = manager.rotations().await.unwrap();
    let plan: Vec<_> = listed[0]
        .steps
        .iter()
        .map(|step| step.callback.as_str())
        .collect();
    assert_eq!(plan, ["fails", "late"]);
    manager.resume(stopped).await.unwrap();
    let report = within(manager.wait(stopped)).await.unwrap();
    assert_eq!(statuses(&report), [CallbackStatus::Succeeded; 2]);
}
