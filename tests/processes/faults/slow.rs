//! Writes that take their time.

use std::task::{Context, Waker};

use keyward::repo::space::Space;
use keyward::{Change, KeyChange, RotationState, SecretKeyDefinition, WaitsFor};

use crate::faults::ground::{Callback, Ground, back, candidates, change, on, stated, with_record};
use crate::support::faulty::Fault;
use crate::support::{Gate, SHORT, Story, define, within};

#[tokio::test]
async fn while_a_write_takes_its_time_keys_are_handed_out_and_nothing_is_accepted_or_called() {
    let ground = Ground::memory();
    let manager = with_record(&ground.repo(), "letters").await;
    within(manager.shutdown()).await.expect("it shuts down");

    let repo = ground.repo();
    let manager = on(&repo).await;
    define(
        &manager,
        SecretKeyDefinition::round_trip("documents", || "value_1"),
    )
    .await;
    define(&manager, stated("letters").request_time_limit(SHORT)).await;
    let callback = Callback::register(&manager, "documents", "call").await;
    callback.gate.open();
    let gate = Gate::default();
    repo.next_write(Space::Rotations, Fault::Waits(gate.clone()));
    let declaring = tokio::spawn({
        let manager = manager.clone();
        async move { manager.declare(change("documents")).await }
    });
    gate.arrived(1).await;

    // A forward get, one of what is held, and one that needs the record behind the write.
    for _ in 0..3 {
        let forward = within(manager.get_forward_path_key("documents")).await;
        assert_eq!(forward.expect("the store is asked").expose(), b"value_1");
        assert_eq!(back(&manager, "documents").await, "value_1");
    }
    let error = within(manager.get_back_path_key("letters")).await;
    let error = error.expect_err("its record cannot be looked for now");
    assert!(
        error.code() == "timed_out" && error.is_retriable(),
        "{error}"
    );
    let listed = within(manager.status()).await.expect("a status answers");
    assert!(listed.paused.is_none());
    assert!(!declaring.is_finished() && callback.calls() == 0);

    gate.open();
    let id = within(declaring)
        .await
        .expect("no panic")
        .expect("it is accepted");
    let report = within(manager.wait(id)).await.expect("it goes on");
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(callback.calls(), 1);
    assert_eq!(back(&manager, "letters").await, "value_1");
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn candidates_are_answered_within_the_limit_of_a_request_while_the_repo_answers_nothing() {
    let repo = Ground::memory().repo();
    let manager = on(&repo).await;
    define(&manager, stated("documents").request_time_limit(SHORT)).await;
    let fails = |_: KeyChange| Err::<(), _>("it was told to");
    let registered = manager.register_on_change("documents", "fails", fails);
    registered.await.expect("it registers");
    let report = within(manager.key_changed(change("documents"))).await;
    assert_eq!(report.expect("it settles").state, RotationState::Stopped);
    let forward = manager.get_forward_path_key("documents").await;
    drop(forward.expect("a key"));
    assert_eq!(candidates(&manager).await, ["value_1", "value_2"]);
    let gate = Gate::default();
    repo.next_write(Space::Roster, Fault::Waits(gate.clone()));
    let joining = tokio::spawn({
        let manager = manager.clone();
        async move { manager.join("worker").await.map(drop) }
    });
    gate.arrived(1).await;
    // The keys of what has stopped are in the journal only.
    assert_eq!(candidates(&manager).await, ["value_1"]);
    // Where too many wait for the journal to be asked, that is told, and no key is left out for it.
    let mut waiting: Vec<_> = (0..1_024).map(|_| Box::pin(manager.history(1))).collect();
    let mut context = Context::from_waker(Waker::noop());
    for one in &mut waiting {
        assert!(one.as_mut().poll(&mut context).is_pending());
    }
    let found = within(manager.back_path_candidates("documents")).await;
    assert_eq!(found.expect_err("ask again later").code(), "busy");
    drop(waiting);
    gate.open();
    within(joining).await.expect("no panic").expect("it joins");
    assert_eq!(candidates(&manager).await, ["value_1", "value_2"]);
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn while_the_end_of_a_change_is_being_written_its_keys_are_among_the_candidates() {
    let repo = Ground::memory().repo();
    let manager = with_record(&repo, "documents").await;
    let callback = Callback::register(&manager, "documents", "call").await;
    let id = manager.declare(change("documents")).await;
    callback.gate.arrived(1).await;
    let gate = Gate::default();
    repo.next_write(Space::States, Fault::Waits(gate.clone()));
    callback.gate.open();
    gate.arrived(1).await;
    // The data is under the new key, and the key's state says the old one still.
    assert_eq!(candidates(&manager).await, ["value_1", "value_2"]);
    gate.open();
    let report = within(manager.wait(id.expect("it is accepted"))).await;
    assert_eq!(report.expect("it ends").state, RotationState::Completed);
    assert_eq!(candidates(&manager).await, ["value_2"]);
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_change_that_is_declared_while_the_end_of_another_is_being_written_gets_its_new_keys() {
    let repo = Ground::memory().repo();
    let manager = with_record(&repo, "documents").await;
    let story = Story::default();
    let told = story.clone();
    let tells = move |change: KeyChange| {
        let old = change.old_keys.expect("there are some");
        told.tell(old.back().expose_str().expect("tests use text"));
    };
    let registered = manager.register_on_change("documents", "tells", tells);
    registered.await.expect("it registers");
    let callback = Callback::register(&manager, "documents", "call").await;
    let first = manager.declare(change("documents")).await;
    assert!(first.is_ok(), "{first:?}");
    callback.gate.arrived(1).await;
    let gate = Gate::default();
    repo.next_write(Space::States, Fault::Waits(gate.clone()));
    callback.gate.open();
    gate.arrived(1).await;
    let second = tokio::spawn({
        let manager = manager.clone();
        async move {
            let change = Change::of("documents").new_keys("value_3");
            manager.key_changed(change).await
        }
    });
    tokio::time::sleep(SHORT / 10).await;
    gate.open();
    let report = within(second).await.expect("no panic").expect("it settles");
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(story.lines(), ["value_1", "value_2"]);
    within(manager.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn while_the_end_of_a_change_is_being_written_it_is_listed_and_then_it_is_in_the_history() {
    let repo = Ground::memory().repo();
    let manager = with_record(&repo, "documents").await;
    let callback = Callback::register(&manager, "documents", "call").await;
    let id = manager.declare(change("documents")).await;
    let id = id.expect("it is accepted");
    callback.gate.arrived(1).await;
    let gate = Gate::default();
    repo.next_write(Space::States, Fault::Waits(gate.clone()));
    callback.gate.open();
    gate.arrived(1).await;
    let listed = within(manager.rotations()).await.expect("it lists");
    let [report] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(
        (report.id, &report.waits_for[..]),
        (id, &[WaitsFor::Journal][..])
    );
    gate.open();
    let report = within(manager.wait(id)).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(within(manager.rotations()).await, Ok(Vec::new()));
    let history = within(manager.history(1)).await.expect("it is read");
    assert_eq!(history.rotations[0].id, id);
    within(manager.shutdown()).await.expect("it shuts down");
}
