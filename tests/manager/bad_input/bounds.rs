//! More of anything than its bound is refused at once, and what is admitted goes on.

use std::time::Duration;

use keyward::worker::callback::KeyChange;
use keyward::{Change, MemoryRepo, RotationState, SecretKeyDefinition};

use crate::support::{Gate, assert_says, builder, define, documents, in_memory, until, within};

fn hanging(gate: &Gate, first: &'static str) -> SecretKeyDefinition {
    let (gate, calls) = (gate.clone(), std::sync::atomic::AtomicUsize::new(0));
    let store = move || {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let gate = gate.clone();
        async move {
            if call > 0 {
                gate.pass().await;
            }
            first
        }
    };
    SecretKeyDefinition::round_trip("documents", store)
}

#[tokio::test]
async fn three_quarters_of_a_keys_places_wait_for_its_store_and_a_held_key_is_answered() {
    let manager = in_memory().await;
    let gate = Gate::default();
    define(&manager, hanging(&gate, "value_1").max_requests(8)).await;
    manager
        .get_forward_path_key("documents")
        .await
        .expect("the store answers once");
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let manager = manager.clone();
        waiting.push(tokio::spawn(async move {
            manager.get_forward_path_key("documents").await
        }));
    }
    until("six requests wait", async || {
        manager.status().await.expect("a status").keys[0]
            .facts
            .waiting
            == 6
    })
    .await;
    let error = manager
        .get_forward_path_key("documents")
        .await
        .expect_err("it is the seventh");
    assert_says(
        error.code(),
        "busy",
        &error.to_string(),
        &["documents", "6"],
    );
    assert!(error.is_retriable());
    let held = manager
        .get_back_path_key("documents")
        .await
        .expect("it is held");
    assert_eq!(held.expose(), b"value_1");
    gate.open();
    for waiter in waiting {
        within(waiter)
            .await
            .expect("no panic")
            .expect("an admitted request is answered");
    }
}

#[tokio::test]
async fn more_requests_than_a_key_has_places_are_busy_and_a_place_is_free_when_its_asker_goes() {
    let manager = in_memory().await;
    let gate = Gate::default();
    define(&manager, hanging(&gate, "value_1").max_requests(1)).await;
    manager
        .get_forward_path_key("documents")
        .await
        .expect("the store answers once");
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.get_forward_path_key("documents").await }
    });
    gate.arrived(1).await;
    let error = manager
        .get_key("documents")
        .await
        .expect_err("there is one place");
    assert_says(
        error.code(),
        "busy",
        &error.to_string(),
        &["documents", "1"],
    );
    waiting.abort();
    until("the place is free", async || {
        manager.get_back_path_key("documents").await.is_ok()
    })
    .await;
    gate.open();
}

#[tokio::test]
async fn more_waiting_rotations_than_a_key_may_have_are_refused() {
    let manager = in_memory().await;
    define(&manager, documents().max_waiting_rotations(2)).await;
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
    let declare = || manager.declare(Change::of("documents"));
    let mut ids = vec![declare().await.expect("it runs")];
    gate.arrived(1).await;
    for _ in 0..2 {
        ids.push(declare().await.expect("it waits"));
    }
    let error = declare().await.expect_err("it is one too many");
    assert_says(
        error.code(),
        "busy",
        &error.to_string(),
        &["documents", "2"],
    );
    assert!(error.is_retriable());
    gate.open();
    for id in ids {
        let report = within(manager.wait(id)).await.expect("it settles");
        assert_eq!(report.state, RotationState::Completed);
    }
    declare().await.expect("there is room again");
}

#[tokio::test]
async fn more_callbacks_than_a_worker_may_have_are_refused() {
    let started = builder()
        .state_repo(MemoryRepo::new())
        .max_callbacks(2)
        .start()
        .await;
    let manager = started.expect("it starts");
    define(&manager, documents()).await;
    let register = |name| manager.register_on_change("documents", name, |_: KeyChange| {});
    register("a").await.expect("it registers");
    register("b").await.expect("it registers");
    let error = register("c").await.expect_err("it is one too many");
    assert_says(
        error.code(),
        "too_many_callbacks",
        &error.to_string(),
        &["main", "2"],
    );
    let report = within(manager.key_changed(Change::of("documents")))
        .await
        .expect("it ends");
    assert_eq!(report.steps.len(), 2);
    let worker = manager.join("w1").await.expect("it joins");
    let elsewhere = worker
        .register_on_change("documents", "c", |_: KeyChange| {})
        .await;
    elsewhere.expect("another worker has places of its own");
}

#[tokio::test]
async fn more_requests_than_a_worker_may_have_are_busy_and_other_workers_go_on() {
    let manager = builder()
        .state_repo(MemoryRepo::new())
        .max_worker_requests(1)
        .start()
        .await
        .expect("it starts");
    let gate = Gate::default();
    define(&manager, hanging(&gate, "value_1")).await;
    let anna = std::sync::Arc::new(manager.join("anna").await.expect("anna joins"));
    let ben = manager.join("ben").await.expect("ben joins");
    anna.get_forward_path_key("documents")
        .await
        .expect("the store answers once");
    let asking = std::sync::Arc::clone(&anna);
    let waiting = tokio::spawn(async move { asking.get_forward_path_key("documents").await });
    gate.arrived(1).await;
    let error = anna
        .get_back_path_key("documents")
        .await
        .expect_err("it is her second");
    assert_says(error.code(), "busy", &error.to_string(), &["anna", "1"]);
    assert!(error.is_retriable());
    let held = ben.get_back_path_key("documents").await;
    assert_eq!(held.expect("ben has a place").expose(), b"value_1");
    gate.open();
    within(waiting)
        .await
        .expect("no panic")
        .expect("what was admitted is answered");
}

#[tokio::test]
async fn the_longest_times_and_the_largest_bounds_are_taken_and_everything_goes_on() {
    let (longest, most) = (Duration::MAX, usize::MAX);
    let started = builder()
        .state_repo(MemoryRepo::new())
        .worker_wait(Some(longest))
        .reopen_every(longest)
        .call_time_limit(longest)
        .history_age(Some(longest))
        .history_count(Some(u64::MAX))
        .max_crashes(u32::MAX)
        .max_callbacks(most)
        .max_worker_requests(most)
        .store_threads(most)
        .callback_threads(most)
        .restart_intensity(u32::MAX, longest)
        .restart_backoff(longest)
        .shutdown_grace(longest)
        .start()
        .await;
    let manager = started.expect("it starts");
    let key = documents()
        .store_time_limit(longest)
        .request_time_limit(longest)
        .callback_time_limit(longest)
        .workers_at_once(most)
        .max_requests(most)
        .max_waiting_rotations(most);
    define(&manager, key).await;
    for (name, blocks) in [("blocks", true), ("waits", false)] {
        let registered = match blocks {
            true => {
                let call = |_: KeyChange| {};
                manager.register_on_change("documents", name, call).await
            }
            false => {
                let call = async |_: KeyChange| {};
                manager.register_on_change("documents", name, call).await
            }
        };
        registered.expect("it registers");
    }
    let answer = within(manager.get_forward_path_key("documents")).await;
    assert_eq!(answer.expect("it answers").expose(), b"value_1");
    let report = within(manager.key_changed(Change::of("documents").new_keys("value_2"))).await;
    assert_eq!(report.expect("it ends").state, RotationState::Completed);
    within(manager.shutdown()).await.expect("it shuts down");
}
