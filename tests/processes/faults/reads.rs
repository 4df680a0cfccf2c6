//! Reads that fail: never answered as if there were nothing.

use std::time::Duration;

use keyward::repo::space::Space;
use keyward::{Effect, KeyChange, RotationState};

use crate::faults::ground::{Ground, back, change, on, reopening, stated, with_record};
use crate::support::faulty::Fault;
use crate::support::{Gate, Story, assert_says, define, within};

#[tokio::test]
async fn a_record_that_the_repo_does_not_answer_is_not_taken_for_none() {
    for ground in Ground::both() {
        let manager = with_record(&ground.repo(), "documents").await;
        within(manager.shutdown()).await.expect("it shuts down");
        drop(manager);

        let repo = ground.repo();
        let manager = on(&repo).await;
        define(&manager, stated("documents")).await;
        repo.cannot_read(Some(Space::States));
        for _ in 0..2 {
            let error = within(manager.get_key("documents")).await;
            let error = error.expect_err("whether it has a record is not known");
            let text = error.to_string();
            assert_says(error.code(), "repo_unavailable", &text, &["documents"]);
            assert!(error.is_retriable());
        }
        repo.cannot_read(None);
        // The flow that the record tells, and its key.
        assert_eq!(back(&manager, "documents").await, "value_1");
        within(manager.shutdown()).await.expect("it shuts down");
    }
}

#[tokio::test]
async fn a_start_on_a_repo_that_does_not_answer_is_an_error_and_leaves_everything() {
    for ground in Ground::both() {
        let manager = with_record(&ground.repo(), "documents").await;
        within(manager.shutdown()).await.expect("it shuts down");
        drop(manager);
        for space in [Space::Meta, Space::States, Space::Roster, Space::Rotations] {
            let repo = ground.repo();
            repo.cannot_read(Some(space));
            let started = reopening().state_repo(repo.clone()).start().await;
            let error = started.expect_err("what there is cannot be known");
            assert_eq!(error.code(), "repo_failed", "{error}");
        }
        let manager = on(&ground.repo()).await;
        define(&manager, stated("documents")).await;
        assert_eq!(back(&manager, "documents").await, "value_1");
        within(manager.shutdown()).await.expect("it shuts down");
    }
}

#[tokio::test]
async fn a_history_that_the_repo_does_not_answer_is_an_error_and_not_an_empty_one() {
    let ground = Ground::memory();
    let repo = ground.repo();
    let manager = with_record(&repo, "documents").await;
    let report = within(manager.key_changed(change("documents"))).await;
    let id = report.expect("it completes").id;
    repo.cannot_read(Some(Space::History));
    let error = within(manager.history(10)).await;
    let error = error.expect_err("the history cannot be read");
    assert_eq!(error.code(), "repo_unavailable");
    let error = within(manager.wait(id)).await;
    let error = error.expect_err("its report cannot be read now");
    assert!(error.code() == "repo_unavailable" && error.is_retriable());
    // The same declaration again must not start anything while it is not known how the first ended.
    let again = within(manager.declare(change("documents"))).await;
    assert!(again.is_err(), "{again:?}");
    repo.cannot_read(None);
    assert_eq!(within(manager.wait(id)).await.expect("its report").id, id);
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn what_the_handle_shows_is_not_misled_by_a_look_that_the_repo_answered_late() {
    let ground = Ground::memory();
    let manager = with_record(&ground.repo(), "documents").await;
    within(manager.shutdown()).await.expect("it shuts down");
    let repo = ground.repo();
    let manager = on(&repo).await;
    define(&manager, stated("documents")).await;
    let gate = Gate::default();
    let decrypts = |_: KeyChange| Effect::Decrypted;
    let registered = manager.register_on_change("documents", "a decrypts", decrypts);
    registered.await.expect("it registers");
    let waits = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = waits.clone();
        async move { gate.pass().await }
    };
    let registered = manager.register_on_change("documents", "b waits", waits);
    registered.await.expect("it registers");
    let story = Story::default();
    let told = story.clone();
    let tells = move |change: KeyChange| {
        told.tell(format!(
            "{:?} {}",
            change.key.last_flow().expect("it is known"),
            change.key.previous_keys().expect("it is known").is_some()
        ));
    };
    let registered = manager.register_on_change("documents", "c tells", tells);
    registered.await.expect("it registers");
    // The first look at the record fails, and is to be made again after a second.
    repo.cannot_read(Some(Space::States));
    let id = manager.declare(change("documents")).await;
    let id = id.expect("it is accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
    repo.cannot_read(None);
    // Meanwhile the journal is read anew, and the rotation begins with a look of its own.
    repo.next_write(Space::Roster, Fault::Fails);
    let joined = within(manager.join("worker")).await;
    joined.expect_err("its write fails");
    gate.arrived(1).await;
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    gate.open();
    let report = within(manager.wait(id)).await.expect("it goes on");
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(story.lines(), ["Some(ForwardPath) true"]);
    within(manager.shutdown()).await.expect("it shuts down");
}
