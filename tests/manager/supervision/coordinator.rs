//! The death of the coordinator's actor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::{ActorName, Change, Effect, KeyChange, RotationState};

use crate::supervision::{actor, kill};
use crate::support::{Gate, Story, statuses, until, within};
use crate::world::{Disk, Source, back, end, forward, with};

const COORDINATOR: ActorName = ActorName::Coordinator;

#[tokio::test]
async fn a_dead_coordinator_waits_for_a_callback_under_way_instead_of_calling_it_again() {
    let manager = with(Source::new("value_1").documents()).await;
    let gate = Gate::default();
    let passed = gate.clone();
    let call = move |_: KeyChange| {
        let passed = passed.clone();
        async move {
            passed.pass().await;
            Effect::Reencrypted
        }
    };
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let change = Change::of("documents").new_keys("value_2");
    let id = manager.declare(change).await.unwrap();
    let waits = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait(id).await }
    });
    gate.arrived(1).await;
    kill(&manager, &COORDINATOR).await;
    kill(&manager, &COORDINATOR).await;
    until("it has read the journal", async || {
        manager.status().await.unwrap().paused.is_none()
    })
    .await;
    gate.open();
    let report = within(waits).await.unwrap().unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!((report.steps[0].attempt, gate.count()), (1, 1));
    assert_eq!(back(&manager).await, "value_2");
}

#[tokio::test]
async fn a_result_that_came_while_the_coordinator_was_dead_counts() {
    let manager = with(Source::new("value_1").documents()).await;
    let gate = Gate::default();
    let call = crate::world::waits_at(&gate);
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    let id = manager.declare(Change::of("documents")).await.unwrap();
    gate.arrived(1).await;
    // The next message that it takes kills it: the end of the callback.
    manager.kill_actor(&COORDINATOR, 2);
    gate.open();
    let report = loop {
        match within(manager.wait(id)).await {
            Ok(report) => break report,
            Err(error) => assert_eq!(error.code(), "unavailable"),
        }
    };
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!((report.steps[0].attempt, gate.count()), (1, 1));
}

/// A story of a change, at whose points the coordinator is killed.
async fn story(fault_point: u64) -> bool {
    let disk = Disk::default();
    let manager = disk
        .life_with(Source::new("value_1").documents().stateless(false))
        .await;
    forward(&manager).await;
    let called = Arc::new(AtomicUsize::new(0));
    let worker = manager.join("anna").await.unwrap();
    assert!(manager.kill_actor(&COORDINATOR, fault_point));
    for (name, effect) in [("a", Effect::Nothing), ("b", Effect::Reencrypted)] {
        let called = Arc::clone(&called);
        let call = move |_: KeyChange| {
            called.fetch_add(1, Ordering::SeqCst);
            effect
        };
        loop {
            match worker
                .register_on_change("documents", name, call.clone())
                .await
            {
                Ok(()) => break,
                Err(error) if error.code() == "callback_taken" => break,
                Err(error) => assert!(error.is_retriable(), "{error}"),
            }
        }
    }
    let id = uuid::Uuid::from_u128(7);
    let change = || Change::of("documents").new_keys("value_2").id(id);
    let id = loop {
        match within(manager.declare(change())).await {
            Ok(id) => break id,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
    };
    let report = loop {
        match within(manager.wait(id)).await {
            Ok(report) => break report,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
    };
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
    assert_eq!(statuses(&report).len(), 2);
    assert_eq!(called.load(Ordering::SeqCst), 2, "called again: {report:?}");
    assert_eq!(back(&manager).await, "value_2");
    let died = actor(&manager, &COORDINATOR).await.restarts == 1;
    within(manager.shutdown()).await.unwrap();
    let manager = disk
        .life_with(
            Source::new("the store was asked")
                .documents()
                .stateless(false),
        )
        .await;
    assert_eq!(back(&manager).await, "value_2");
    died
}

#[tokio::test]
async fn a_coordinator_that_dies_at_any_point_of_a_change_takes_it_to_its_end() {
    let mut points = 0;
    while story(points + 1).await {
        points += 1;
    }
    assert!(points >= 25, "only {points} points");
}

/// Asks until the answer is none to ask again after.
async fn again<T, F>(mut ask: impl FnMut() -> F) -> Result<T, keyward::RotationError>
where
    F: Future<Output = Result<T, keyward::RotationError>>,
{
    within(async {
        loop {
            match ask().await {
                Err(error) if error.is_retriable() => {}
                answer => return answer,
            }
        }
    })
    .await
}

/// Everything else that a coordinator is asked for, at whose points it is killed: who is told to ask again
/// finds things as they were, or as it wanted them.
async fn everything_asked(fault_point: u64) -> bool {
    let manager = with(Source::new("value_1").documents()).await;
    let mended = crate::world::fails_until(&manager, "callback").await;
    assert!(manager.kill_actor(&COORDINATOR, fault_point));
    loop {
        match within(manager.define_key(Source::new("v").one_way("other"))).await {
            Ok(()) => break,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
    }
    let anna = again(|| manager.join("anna")).await.unwrap();
    let leaves = again(|| manager.join("leaves")).await.unwrap();
    let call = |_: KeyChange| Effect::Nothing;
    for worker in [&anna, &leaves] {
        let registered = again(|| worker.register_on_change("documents", "late", call)).await;
        // A registration may be durable though the word of it was lost.
        if let Err(error) = registered {
            assert_eq!(error.code(), "callback_taken");
        }
    }
    let change = || Change::of("documents").id(uuid::Uuid::from_u128(9));
    let id = again(|| manager.declare(change())).await.unwrap();
    let report = again(|| manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped, "{report:?}");
    let left = again(|| leaves.leave()).await;
    if let Err(error) = left {
        assert_eq!(error.code(), "unknown_worker");
    }
    mended.store(true, Ordering::SeqCst);
    if let Err(error) = again(|| manager.resume(id)).await {
        assert_eq!(error.code(), "wrong_state");
    }
    let report = again(|| manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
    if let Err(error) = again(|| anna.register_on_change("documents", "last", call)).await {
        assert_eq!(error.code(), "callback_taken");
    }
    let report = again(|| manager.key_changed(Change::of("documents"))).await;
    assert_eq!(report.unwrap().state, RotationState::Completed);
    let died = actor(&manager, &COORDINATOR).await.restarts == 1;
    within(manager.shutdown()).await.unwrap();
    died
}

#[tokio::test]
async fn a_coordinator_that_dies_at_any_point_leaves_nothing_half_done_and_nobody_waiting() {
    let mut points = 0;
    while everything_asked(points + 1).await {
        points += 1;
    }
    assert!(points >= 120, "only {points} points");
}

#[tokio::test]
async fn a_coordinator_that_dies_during_a_shutdown_still_ends_it() {
    for point in 1..8 {
        let manager = with(Source::new("value_1").documents()).await;
        let gate = Gate::default();
        let call = crate::world::waits_at(&gate);
        manager
            .register_on_change("documents", "callback", call)
            .await
            .unwrap();
        manager.declare(Change::of("documents")).await.unwrap();
        gate.arrived(1).await;
        manager.kill_actor(&COORDINATOR, point);
        within(manager.shutdown()).await.unwrap();
    }
}

/// A change of a key with its flow in the record alone; the coordinator is killed at each of its points:
/// also while the record is looked at for the handle.
async fn shown(fault_point: u64) -> bool {
    let disk = Disk::default();
    let documents = || Source::new("value_1").documents().stateless(false);
    let manager = disk.life_with(documents()).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    let manager = disk.life_with(documents()).await;
    let story = Story::default();
    let told = story.clone();
    let call = move |change: KeyChange| {
        let (flow, previous) = (change.key.last_flow(), change.key.previous_keys());
        let previous = previous.unwrap().map(|pair| pair.back().clone());
        let previous = previous.unwrap().expose_str().unwrap().to_owned();
        told.tell(format!("{:?} {previous}", flow.unwrap().unwrap()));
    };
    let registered = manager.register_on_change("documents", "looks", call);
    registered.await.unwrap();
    assert!(manager.kill_actor(&COORDINATOR, fault_point));
    let change = || Change::of("documents").id(uuid::Uuid::from_u128(8));
    let id = again(|| manager.declare(change())).await.unwrap();
    let report = again(|| manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report:?}");
    assert_eq!(story.lines(), ["ForwardPath value_1"]);
    let died = actor(&manager, &COORDINATOR).await.restarts == 1;
    end(manager).await;
    died
}

#[tokio::test]
async fn a_handle_shows_what_the_record_has_wherever_the_coordinator_dies() {
    let mut points = 0;
    while shown(points + 1).await {
        points += 1;
    }
    assert!(points >= 15, "only {points} points");
}
