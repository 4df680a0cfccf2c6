//! Floods of declarations and of waiting for them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use keyward::{Change, KeyChange, KeysManagement, RotationId, RotationState, Uuid};

use crate::load::clients::{CLIENTS, Clients, ask_and_go, done, tally, told};
use crate::load::source::Source;
use crate::support::{Gate, define, in_memory, until, within};

/// A manager with the keys `flooded` and `other`. The callback of the first waits at the gate.
async fn with_a_callback_that_hangs(waiting: usize) -> (KeysManagement, Gate) {
    let (manager, gate) = (in_memory().await, Gate::default());
    let key = Source::default().round_trip("flooded");
    define(&manager, key.max_waiting_rotations(waiting)).await;
    define(&manager, Source::default().round_trip("other")).await;
    let passed = gate.clone();
    let hangs = move |_: KeyChange| {
        let gate = passed.clone();
        async move { gate.pass().await }
    };
    let at_once = async |_: KeyChange| {};
    let hangs = manager.register_on_change("flooded", "hangs", hangs).await;
    hangs.expect("it registers");
    let at_once = manager
        .register_on_change("other", "at once", at_once)
        .await;
    at_once.expect("it registers");
    (manager, gate)
}

async fn change(manager: &KeysManagement, key: &str) -> RotationState {
    let report = within(manager.key_changed(Change::of(key))).await;
    report.expect("it ends").state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_clients_that_declare_changes_no_more_than_the_bound_are_accepted() {
    let (manager, gate) = with_a_callback_that_hangs(8).await;
    let first = manager.declare(Change::of("flooded")).await;
    let first = first.expect("it is the first");
    gate.arrived(1).await;
    let accepted = Arc::new(Mutex::new(BTreeSet::<RotationId>::new()));
    let (asked, adds) = (manager.clone(), Arc::clone(&accepted));
    let mut clients = Clients::tasks(10, move |_| {
        let (manager, accepted) = (asked.clone(), Arc::clone(&adds));
        async move {
            let declared = manager.declare(Change::of("flooded")).await;
            let told = done(&declared).to_owned();
            accepted.lock().expect("no panic").extend(declared.ok());
            told
        }
    });
    let ended = clients.end(CLIENTS).await;
    assert_eq!(ended, tally([("ok", 8), ("busy", CLIENTS * 10 - 8)]));
    assert_eq!(manager.rotations().await.expect("it lives").len(), 9);
    // Meanwhile another key rotates, and this one is handed out.
    for _ in 0..20 {
        assert_eq!(change(&manager, "other").await, RotationState::Completed);
        let answer = within(manager.get_key("flooded")).await;
        assert_eq!(told(answer), "value_1");
    }
    gate.open();
    let accepted = accepted.lock().expect("no panic").clone();
    assert_eq!(accepted.len(), 8);
    for id in accepted.into_iter().chain([first]) {
        let report = within(manager.wait(id)).await.expect("it was accepted");
        assert_eq!(report.state, RotationState::Completed);
    }
    assert_eq!(change(&manager, "flooded").await, RotationState::Completed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_clients_that_declare_one_change_under_one_id_all_are_answered_one_rotation() {
    let (manager, gate) = with_a_callback_that_hangs(8).await;
    let id = Uuid::now_v7();
    let asked = manager.clone();
    let mut clients = Clients::tasks(10, move |_| {
        let manager = asked.clone();
        async move {
            let change = Change::of("flooded").new_keys("value_2").id(id);
            let declared = manager.declare(change).await;
            declared.expect("it is one and the same").to_string()
        }
    });
    let ended = clients.end(CLIENTS).await;
    assert_eq!(ended, tally([(id.to_string().as_str(), CLIENTS * 10)]));
    assert_eq!(manager.rotations().await.expect("it lives").len(), 1);
    gate.open();
    let report = within(manager.wait(RotationId::new(id))).await;
    assert_eq!(report.expect("it ends").state, RotationState::Completed);
    assert_eq!(gate.count(), 1, "its callback was called once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_wait_for_one_rotation_and_those_who_stay_are_told_its_end() {
    let (manager, gate) = with_a_callback_that_hangs(8).await;
    let declared = manager.declare(Change::of("flooded")).await;
    let id = declared.expect("it is accepted");
    gate.arrived(1).await;
    let mut waiters = Vec::new();
    for _ in 0..2_000 {
        assert!(ask_and_go(manager.wait(id)).await.is_none(), "it runs");
        let manager = manager.clone();
        waiters.push(tokio::spawn(async move { manager.wait(id).await }));
    }
    for _ in 0..20 {
        assert_eq!(change(&manager, "other").await, RotationState::Completed);
    }
    gate.open();
    for waiter in waiters {
        let report = within(waiter).await.expect("no panic");
        let report = report.expect("it ends");
        assert_eq!((report.id, report.state), (id, RotationState::Completed));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_wait_take_no_places_of_those_who_want_something_done() {
    let (manager, gate) = with_a_callback_that_hangs(8).await;
    let declared = manager.declare(Change::of("flooded")).await;
    let id = declared.expect("it is accepted");
    gate.arrived(1).await;
    let mut waiters = Vec::new();
    let mut refused = 0;
    while refused < 2 && waiters.len() <= 65_536 {
        let mut waiter = Box::pin(manager.wait(id));
        match ask_and_go(&mut waiter).await {
            None => {
                waiters.push(waiter);
                refused = 0;
            }
            // Its mailbox may be full for a moment, and is not when this is answered.
            Some(answer) => {
                assert_eq!(done(&answer), "busy");
                drop(within(manager.rotations()).await.expect("it lives"));
                refused += 1;
            }
        }
    }
    assert_eq!(waiters.len(), 65_536, "so many may wait");
    // A declaration that waits for its end is refused before anything is accepted.
    let refused = within(manager.key_changed(Change::of("flooded"))).await;
    assert_eq!(done(&refused), "busy");
    assert_eq!(manager.rotations().await.expect("it lives").len(), 1);
    let mut declared = Vec::new();
    for key in ["other", "flooded"] {
        let id = within(manager.declare(Change::of(key))).await;
        declared.push(id.expect("it is accepted"));
    }
    until("the other key has rotated", async || {
        let listed = manager.rotations().await.expect("it lives");
        listed.iter().all(|report| report.id != declared[0])
    })
    .await;
    let anna = within(manager.join("anna")).await.expect("she joins");
    let aborted = within(manager.abort(declared[1], &["main"])).await;
    aborted.expect("an operator's call is served");
    // They all go, and that holds up no other caller.
    drop(waiters);
    for _ in 0..1_100 {
        let removed = within(manager.remove_worker("nobody")).await;
        assert_eq!(done(&removed), "unknown_worker");
    }
    assert_eq!(change(&manager, "other").await, RotationState::Completed);
    within(anna.leave()).await.expect("she leaves");
    gate.open();
    let report = within(manager.wait(id)).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
}
