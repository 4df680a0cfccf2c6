//! The death of a worker's actor.

use keyward::{ActorState, Change, KeyChange, RotationState};

use crate::supervision::{actor, kill, worker};
use crate::support::{Gate, Story, until, within};
use crate::world::{Source, waits_at, with};

#[tokio::test]
async fn a_worker_whose_actor_dies_is_dead_and_one_of_its_name_takes_up_its_steps() {
    let manager = with(Source::new("v").documents()).await;
    let anna = manager.join("anna").await.unwrap();
    let story = Story::default();
    let tells = |who: &'static str| {
        let story = story.clone();
        move |_: KeyChange| story.tell(who)
    };
    anna.register_on_change("documents", "callback", tells("first"))
        .await
        .unwrap();
    manager.kill_actor(&worker("anna"), 1);
    until("she is dead", async || {
        let status = manager.status().await.unwrap();
        status
            .workers
            .iter()
            .any(|w| w.worker.as_str() == "anna" && !w.alive)
    })
    .await;
    let dead = actor(&manager, &worker("anna")).await;
    assert_eq!(dead.state, ActorState::Failed);
    assert!(dead.last_failure.is_some());
    let late = anna.register_on_change("documents", "late", tells("late"));
    assert_eq!(late.await.unwrap_err().code(), "unknown_worker");
    let id = manager.declare(Change::of("documents")).await.unwrap();
    let again = manager.join("anna").await.unwrap();
    again
        .register_on_change("documents", "callback", tells("second"))
        .await
        .unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(story.lines(), ["second"]);
    assert_eq!(
        actor(&manager, &worker("anna")).await.state,
        ActorState::Running
    );
}

#[tokio::test]
async fn a_callback_under_way_runs_to_its_end_though_its_workers_actor_died() {
    let manager = with(Source::new("v").documents()).await;
    let anna = manager.join("anna").await.unwrap();
    let gate = Gate::default();
    anna.register_on_change("documents", "callback", waits_at(&gate))
        .await
        .unwrap();
    let id = manager.declare(Change::of("documents")).await.unwrap();
    gate.arrived(1).await;
    manager.kill_actor(&worker("anna"), 1);
    until("she is dead", async || {
        actor(&manager, &worker("anna")).await.state == ActorState::Failed
    })
    .await;
    gate.open();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!((report.steps[0].attempt, gate.count()), (1, 1));
}

/// A change with one callback of a worker, whose actor dies at a point of it. Answers how many crashes
/// that was for the step; none where the actor did not die.
async fn story(fault_point: u64) -> Option<u32> {
    let manager = with(Source::new("v").documents()).await;
    let anna = manager.join("anna").await.unwrap();
    let tells = Story::default();
    let call = {
        let tells = tells.clone();
        move |_: KeyChange| tells.tell("called")
    };
    anna.register_on_change("documents", "callback", call.clone())
        .await
        .unwrap();
    manager.kill_actor(&worker("anna"), fault_point);
    let id = manager.declare(Change::of("documents")).await.unwrap();
    let waits = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait(id).await }
    });
    until("it is over, or she is dead", async || {
        waits.is_finished() || actor(&manager, &worker("anna")).await.state == ActorState::Failed
    })
    .await;
    let died = actor(&manager, &worker("anna")).await.state == ActorState::Failed;
    let mut crashes = None;
    if died {
        // The coordinator may not have heard of her death yet.
        let again = loop {
            match manager.join("anna").await {
                Ok(worker) => break worker,
                Err(error) => assert_eq!(error.code(), "worker_name_taken"),
            }
        };
        let rotations = manager.rotations().await.unwrap();
        // It may be over already.
        crashes = Some(
            rotations
                .first()
                .map_or(0, |report| report.steps[0].crashes),
        );
        again
            .register_on_change("documents", "callback", call)
            .await
            .unwrap();
        let report = within(waits).await.unwrap().unwrap();
        assert_eq!(report.state, RotationState::Completed, "{report:?}");
        drop(again);
    }
    assert_eq!(tells.lines(), ["called"]);
    crashes
}

#[tokio::test]
async fn a_workers_actor_that_dies_at_any_point_before_the_call_costs_no_attempt_that_was_made() {
    let mut points = 0;
    while story(points + 1).await.is_some() {
        points += 1;
    }
    assert!(points >= 4, "only {points} points");
}

#[tokio::test]
async fn a_call_whose_end_is_lost_with_the_workers_actor_is_made_again_and_is_a_crash() {
    // At one point the call has been taken up, and nothing tells how it ended. Which number that point has
    // depends on what else the actor is told.
    let mut lost = 0;
    for _ in 0..20 {
        let mut point = 1;
        while let Some(crashes) = story(point).await {
            assert!(crashes <= 1, "it died once");
            lost += crashes;
            point += 1;
        }
        if lost > 0 {
            return;
        }
    }
    panic!("the end of the call was never lost");
}

#[tokio::test]
async fn the_actor_of_main_is_started_again_with_its_callbacks() {
    let manager = with(Source::new("v").documents()).await;
    let story = Story::default();
    let tells = story.clone();
    manager
        .register_on_change("documents", "callback", move |_: KeyChange| {
            tells.tell("called");
        })
        .await
        .unwrap();
    kill(&manager, &worker("main")).await;
    let report = within(manager.key_changed(Change::of("documents")))
        .await
        .unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(story.lines(), ["called"]);
}

/// Changes with callbacks of `main`, at whose points its actor is killed; no caller waits only for a time.
async fn main_dies(fault_point: u64) -> bool {
    let started = crate::support::builder()
        .state_repo(keyward::MemoryRepo::new())
        .worker_wait(None)
        .start()
        .await;
    let manager = started.unwrap();
    crate::support::define(&manager, Source::new("v").documents()).await;
    let story = Story::default();
    let (tells, blocks) = (story.clone(), story.clone());
    let awaits = move |change: KeyChange| {
        let tells = tells.clone();
        async move { tells.tell(format!("awaits {}", change.key.rotation_id())) }
    };
    let blocks = move |change: KeyChange| {
        blocks.tell(format!("blocks {}", change.key.rotation_id()));
    };
    manager
        .register_on_change("documents", "awaits", awaits)
        .await
        .unwrap();
    manager
        .register_on_change("documents", "blocks", blocks)
        .await
        .unwrap();
    assert!(manager.kill_actor(&worker("main"), fault_point));
    let mut expected = Vec::new();
    for _ in 0..2 {
        let change = manager.key_changed(Change::of("documents"));
        let report = within(change).await.unwrap();
        assert_eq!(report.state, RotationState::Completed, "{report:?}");
        expected.extend(["awaits", "blocks"].map(|callback| format!("{callback} {}", report.id)));
    }
    assert_eq!(story.lines(), expected);
    actor(&manager, &worker("main")).await.restarts == 1
}

#[tokio::test]
async fn the_actor_of_main_that_dies_at_any_point_gets_its_callbacks_called_once() {
    let mut points = 0;
    while main_dies(points + 1).await {
        points += 1;
    }
    assert!(points >= 12, "only {points} points");
}
