//! Floods of requests whose askers go away: their places are free at once.

use crate::load::clients::{ask_and_go, told, waiting};
use crate::load::source::Source;
use crate::support::{builder, define, in_memory, until, within};
use keyward::{Change, MemoryRepo};

/// So many come and go that no bound would hold if each of them used up a place.
const GONE: usize = 500;

#[tokio::test]
async fn requests_whose_askers_are_gone_use_up_no_places_of_the_key() {
    let (manager, source) = (in_memory().await, Source::default());
    define(&manager, source.round_trip("documents").max_requests(8)).await;
    within(manager.get_forward_path_key("documents"))
        .await
        .expect("it answers");
    source.hang();
    for _ in 0..GONE {
        let answer = ask_and_go(manager.get_forward_path_key("documents")).await;
        assert!(answer.is_none(), "a place is free: {:?}", answer.map(told));
    }
    // Now they wait until they are seen to wait.
    for _ in 0..20 {
        let mut waiters: Vec<_> = (0..6)
            .map(|_| Box::pin(manager.get_forward_path_key("documents")))
            .collect();
        for waiter in &mut waiters {
            assert!(ask_and_go(waiter).await.is_none(), "a place is free");
        }
        until("six wait", async || {
            waiting(&manager, "documents").await == 6
        })
        .await;
    }
    until("nobody waits", async || {
        waiting(&manager, "documents").await == 0
    })
    .await;
    let mut admitted = Vec::new();
    for _ in 0..6 {
        let manager = manager.clone();
        admitted.push(tokio::spawn(async move {
            told(manager.get_forward_path_key("documents").await)
        }));
    }
    until("six wait", async || {
        waiting(&manager, "documents").await == 6
    })
    .await;
    let seventh = within(manager.get_forward_path_key("documents")).await;
    assert_eq!(told(seventh), "busy");
    let held = within(manager.get_back_path_key("documents")).await;
    assert_eq!(told(held), "value_1");
    source.go_on();
    for answer in admitted {
        assert_eq!(within(answer).await.expect("no panic"), "value_1");
    }
}

#[tokio::test]
async fn requests_whose_askers_are_gone_use_up_no_places_of_the_worker() {
    let few = builder().max_worker_requests(2);
    let started = few.state_repo(MemoryRepo::new()).start().await;
    let (manager, source) = (started.expect("it starts"), Source::default());
    define(&manager, source.round_trip("documents")).await;
    let worker = manager.join("anna").await.expect("she joins");
    source.hang();
    for _ in 0..GONE {
        let answer = ask_and_go(worker.get_forward_path_key("documents")).await;
        assert!(answer.is_none(), "a place is free: {:?}", answer.map(told));
    }
    source.go_on();
    let answer = within(worker.get_forward_path_key("documents")).await;
    assert_eq!(told(answer), "value_1");
}

#[tokio::test]
async fn declarations_whose_askers_are_gone_are_accepted_or_not_and_use_up_nothing_else() {
    let manager = in_memory().await;
    let key = Source::default().round_trip("documents");
    define(&manager, key.max_waiting_rotations(8)).await;
    for _ in 0..GONE {
        drop(ask_and_go(manager.declare(Change::of("documents"))).await);
    }
    until("all that were accepted have ended", async || {
        manager.rotations().await.expect("it lives").is_empty()
    })
    .await;
    let declared = within(manager.key_changed(Change::of("documents"))).await;
    drop(declared.expect("it is accepted"));
}

#[tokio::test]
async fn workers_that_join_for_nobody_leave_their_name_free() {
    let manager = in_memory().await;
    for _ in 0..GONE {
        drop(ask_and_go(manager.join("anna")).await);
    }
    // One of them has joined before it goes, and does not know it.
    let mut joining = Box::pin(manager.join("ben"));
    assert!(ask_and_go(&mut joining).await.is_none());
    until("ben is there", async || {
        let workers = manager.status().await.expect("it lives").workers;
        workers
            .iter()
            .any(|w| w.worker.as_str() == "ben" && w.alive)
    })
    .await;
    drop(joining);
    for name in ["anna", "ben"] {
        until("the name is free", async || {
            manager.join(name).await.is_ok()
        })
        .await;
    }
    let workers = manager.status().await.expect("it lives").workers;
    assert_eq!(workers.len(), 3, "they and `main`");
}
