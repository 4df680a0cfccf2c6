//! What the listing says, and the order of steps.

use std::time::Duration;

use keyward::rotation::report::WaitsFor;
use keyward::worker::callback::KeyChange;
use keyward::{Effect, MemoryRepo, RotationState};

use crate::support::{Gate, Story, builder, define, documents, statuses, until, within};

use crate::operator::{Mendable, change, is_worker, patient, report, waits_for};
use keyward::CallbackStatus::Succeeded;

#[tokio::test]
async fn the_listing_says_for_whom_a_rotation_waits() {
    let repo = MemoryRepo::new();
    let manager = patient(&repo).await;
    define(&manager, documents()).await;
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = held.clone();
        async move { gate.pass().await }
    };
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .expect("it registers");
    let worker = manager.join("w1").await.expect("it joins");
    let calls = Mendable::default();
    calls
        .register(&worker, "call", false, Effect::Nothing)
        .await;
    drop(worker);
    let first = manager
        .declare(change("a", "b"))
        .await
        .expect("it is accepted");
    let second = manager
        .declare(change("b", "c"))
        .await
        .expect("it is accepted");
    gate.arrived(1).await;
    let running = report(&manager, first).await;
    let [WaitsFor::Callback { worker, callback }] = &running.waits_for[..] else {
        panic!("{running:?}");
    };
    assert_eq!((worker.as_str(), callback.as_str()), ("main", "waits"));
    waits_for(&manager, second, &WaitsFor::Rotation { id: first }).await;
    gate.open();
    until("it waits for w1", async || {
        is_worker(&report(&manager, first).await.waits_for, "w1")
    })
    .await;
    let status = manager.status().await.expect("a status");
    let alive: Vec<(&str, bool)> = status
        .workers
        .iter()
        .map(|w| (w.worker.as_str(), w.alive))
        .collect();
    assert_eq!(alive, [("main", true), ("w1", false)]);

    let worker = manager.join("w1").await.expect("it joins again");
    until("it waits for the callback still", async || {
        is_worker(&report(&manager, first).await.waits_for, "w1")
    })
    .await;
    calls
        .register(&worker, "call", false, Effect::Nothing)
        .await;
    for id in [first, second] {
        let ended = within(manager.wait(id)).await.expect("it ends");
        assert_eq!(ended.state, RotationState::Completed);
    }
    assert_eq!(calls.story.lines(), ["w1/call 1", "w1/call 1"]);
}

#[tokio::test]
async fn with_several_workers_at_once_each_workers_own_steps_keep_their_order() {
    let manager = builder()
        .state_repo(MemoryRepo::new())
        .start()
        .await
        .expect("it starts");
    define(&manager, documents().workers_at_once(2)).await;
    let (gate, story) = (Gate::default(), Story::default());
    let mut workers = Vec::new();
    for name in ["w1", "w2"] {
        let worker = manager.join(name).await.expect("it joins");
        for callback in ["a", "b"] {
            let (held, told, place) = (gate.clone(), story.clone(), format!("{name}/{callback}"));
            let call = move |_: KeyChange| {
                told.tell(format!("begin {place}"));
                held.pass_blocking();
                told.tell(format!("end {place}"));
            };
            worker
                .register_on_change("documents", callback, call)
                .await
                .expect("it registers");
        }
        workers.push(worker);
    }
    let id = manager
        .declare(change("a", "b"))
        .await
        .expect("it is accepted");
    gate.arrived(2).await;
    let mut begun = story.lines();
    begun.sort();
    assert_eq!(
        begun,
        ["begin w1/a", "begin w2/a"],
        "two workers at once, each in its order"
    );
    gate.open();
    let ended = tokio::time::timeout(Duration::from_secs(10), manager.wait(id)).await;
    assert_eq!(
        statuses(&ended.expect("it ends").expect("a report")),
        [Succeeded; 4]
    );
    let at = |line: &str| story.lines().iter().position(|told| told == line);
    assert!(at("end w1/a") < at("begin w1/b") && at("end w2/a") < at("begin w2/b"));
}
