//! Actors that die too often, and what an operator sees and does.

use std::time::Duration;

use keyward::{ActorName, ActorState, Change, RotationState};

use crate::supervision::{actor, key, kill, wear_out};
use crate::support::log::Log;
use crate::support::{builder, define, until, within};
use crate::world::{Source, back, forward, text, with};

#[tokio::test]
async fn a_key_that_dies_too_often_has_failed_and_says_so_and_the_others_go_on() {
    let manager = with(Source::new("value_1").documents()).await;
    define(&manager, Source::new("other_1").round_trip("other")).await;
    assert_eq!(forward(&manager).await, "value_1");
    wear_out(&manager, &key("documents")).await;
    let failed = actor(&manager, &key("documents")).await;
    assert_eq!((failed.state, failed.restarts), (ActorState::Failed, 5));
    let error = within(manager.get_back_path_key("documents"))
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.is_retriable()), ("key_failed", false));
    assert!(error.to_string().contains("restart"), "{error}");
    assert_eq!(text(manager.get_key("other").await), "other_1");
    let of_other = within(manager.key_changed(Change::of("other"))).await;
    assert_eq!(of_other.unwrap().state, RotationState::Completed);

    manager.restart(&key("documents")).await.unwrap();
    assert_eq!(back(&manager).await, "value_1", "what was held is held");
    let running = actor(&manager, &key("documents")).await;
    assert_eq!((running.state, running.restarts), (ActorState::Running, 6));
}

#[tokio::test]
async fn a_rotation_of_a_failed_key_goes_on_when_the_key_is_restarted() {
    let manager = with(Source::new("value_1").documents()).await;
    wear_out(&manager, &key("documents")).await;
    let refused = manager.declare(Change::of("documents")).await;
    assert_eq!(refused.unwrap_err().code(), "key_failed");
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let id = within(manager.declare(change)).await.unwrap();
    manager.restart(&key("documents")).await.unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
}

#[tokio::test]
async fn while_the_coordinator_has_failed_keys_are_handed_out_and_an_operator_restarts_it() {
    let manager = with(Source::new("value_1").documents()).await;
    wear_out(&manager, &ActorName::Coordinator).await;
    assert_eq!(forward(&manager).await, "value_1");
    let refused = within(manager.declare(Change::of("documents")))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "coordinator_failed");
    let status = within(manager.status()).await.unwrap();
    assert!(status.paused.unwrap().contains("failed"));
    manager.restart(&ActorName::Coordinator).await.unwrap();
    let report = within(manager.key_changed(Change::of("documents"))).await;
    assert_eq!(report.unwrap().state, RotationState::Completed);
}

#[tokio::test]
async fn a_manager_whose_actors_have_failed_shuts_down() {
    let manager = with(Source::new("value_1").documents()).await;
    wear_out(&manager, &key("documents")).await;
    wear_out(&manager, &ActorName::Coordinator).await;
    within(manager.shutdown()).await.unwrap();
    let refused = manager.restart(&key("documents")).await.unwrap_err();
    assert_eq!(refused.code(), "shut_down");
}

#[tokio::test]
async fn the_status_shows_what_a_failed_key_knew_and_asks_it_nothing() {
    let manager = with(Source::new("value_1").documents()).await;
    assert_eq!(forward(&manager).await, "value_1");
    wear_out(&manager, &key("documents")).await;
    let status = within(manager.status()).await.unwrap();
    let facts = status.keys[0].facts;
    assert!(facts.holds && facts.store_calls == 1, "{facts:?}");
}

#[tokio::test]
async fn the_intensity_of_restarts_can_be_set() {
    let started = builder()
        .state_repo(keyward::MemoryRepo::new())
        .restart_intensity(1, Duration::from_secs(600))
        .restart_backoff(Duration::ZERO)
        .start()
        .await;
    let manager = started.unwrap();
    define(&manager, Source::new("v").documents()).await;
    kill(&manager, &key("documents")).await;
    wear_out(&manager, &key("documents")).await;
    assert_eq!(actor(&manager, &key("documents")).await.restarts, 1);
}

#[tokio::test]
async fn only_a_failed_actor_is_restarted_and_an_unknown_one_is_named() {
    let manager = with(Source::new("v").documents()).await;
    let running = manager.restart(&key("documents")).await.unwrap_err();
    assert_eq!(running.code(), "not_failed");
    let unknown = manager.restart(&key("nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), "unknown_actor");
    assert!(unknown.to_string().contains("nobody"), "{unknown}");
}

#[tokio::test]
async fn every_restart_is_an_event_with_actor_reason_and_count() {
    let log = Log::begin();
    let name = "a key of which restarts are logged";
    let manager = with(Source::new("v").round_trip(name)).await;
    kill(&manager, &key(name)).await;
    kill(&manager, &key(name)).await;
    wear_out(&manager, &key(name)).await;
    let given_up = || log.lines(&[name, "is not restarted"]);
    until("it is told", async || given_up().len() == 1).await;
    let restarts = log.lines(&[name, "is restarted"]);
    assert_eq!(restarts.len(), 5, "{restarts:?}");
    for (line, count) in restarts.iter().zip(1..) {
        assert!(line.contains(&format!("count={count}")), "{line}");
        assert!(line.contains("reason="), "{line}");
    }
    assert!(given_up()[0].contains("ERROR"), "{:?}", given_up());
}
