//! Blocking stores that hang: as many as there are threads for them, and no more than one call a
//! key.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use keyward::{KeysManagement, MemoryRepo, SecretKeyDefinition};

use crate::load::clients::{CLIENTS, Clients, tally, told, waiting};
use crate::load::source::Source;
use crate::support::{SHORT, builder, define, until, within};

/// A time limit that does not pass in a test.
const NEVER: Duration = Duration::from_secs(3_600);

/// A manager with four threads for stores, and the keys `store 0` to `store 4`, of one blocking
/// source each, that are given up after this time.
async fn with_four_threads(limit: Duration) -> (KeysManagement, Vec<Source>) {
    let few = builder().store_threads(4).state_repo(MemoryRepo::new());
    let manager = few.start().await.expect("it starts");
    let sources: Vec<Source> = (0..5).map(|_| Source::default()).collect();
    for (no, source) in sources.iter().enumerate() {
        let key = source.blocking(&format!("store {no}"));
        let key = key.store_time_limit(limit).max_requests(16);
        define(&manager, key).await;
    }
    (manager, sources)
}

async fn forward(manager: &KeysManagement, key: &str) -> String {
    told(manager.get_forward_path_key(key).await)
}

#[tokio::test]
async fn where_as_many_stores_hang_as_there_are_threads_others_are_told_so_at_once() {
    let (manager, sources) = with_four_threads(SHORT).await;
    let in_time = Source::default();
    define(&manager, in_time.round_trip("async")).await;
    let waits = Source::default();
    let long = waits.blocking("waits").store_time_limit(NEVER);
    define(&manager, long).await;
    assert_eq!(within(forward(&manager, "waits")).await, "value_1");
    let mut hanging = Vec::new();
    for (no, source) in sources[..4].iter().enumerate() {
        source.hang();
        let manager = manager.clone();
        let key = format!("store {no}");
        hanging.push(tokio::spawn(async move { forward(&manager, &key).await }));
        source.gate().arrived(1).await;
    }
    // It waits while one of them may come back in time, and not once all have passed their limits.
    let refused = within(manager.get_forward_path_key("waits")).await;
    let refused = refused.expect_err("no thread is left");
    assert_eq!(refused.code(), "store_failed");
    assert!(refused.to_string().contains("no thread"), "{refused}");
    assert!(refused.is_retriable());
    for hanging in hanging {
        assert_eq!(within(hanging).await.expect("no panic"), "store_failed");
    }
    // What is held needs no thread, and an async store needs none either.
    let held = within(manager.get_back_path_key("waits")).await;
    assert_eq!(told(held), "value_1");
    for _ in 0..20 {
        assert_eq!(within(forward(&manager, "async")).await, "value_1");
    }
    sources.iter().for_each(Source::go_on);
    until("a thread is back", async || {
        forward(&manager, "waits").await == "value_1"
    })
    .await;
}

#[tokio::test]
async fn more_stores_at_once_than_threads_wait_for_a_thread_and_all_are_answered() {
    let few = builder().state_repo(MemoryRepo::new());
    let manager = few.start().await.expect("it starts");
    let at_once = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    for no in 0..200 {
        let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most));
        let store = move || {
            most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
            std::thread::sleep(Duration::from_millis(200));
            at_once.fetch_sub(1, SeqCst);
            "value_1"
        };
        let key = SecretKeyDefinition::one_way(format!("store {no}"), store);
        define(&manager, key).await;
    }
    let asked = (0..200).map(|no| {
        let manager = manager.clone();
        tokio::spawn(async move { told(manager.get_key(&format!("store {no}")).await) })
    });
    for answer in asked.collect::<Vec<_>>() {
        assert_eq!(within(answer).await.expect("no panic"), "value_1");
    }
    let most = most.load(SeqCst);
    assert!(most > 32 && most <= 64, "{most} ran at once");
}

#[tokio::test]
async fn a_fetch_that_waits_for_a_thread_is_given_up_with_its_last_asker() {
    let one = builder().store_threads(1).state_repo(MemoryRepo::new());
    let manager = one.start().await.expect("it starts");
    let [first, gone, next] = [(); 3].map(|()| Source::default());
    for (name, source) in [("first", &first), ("gone", &gone), ("next", &next)] {
        define(&manager, source.blocking(name).store_time_limit(NEVER)).await;
    }
    let ask = |key: &'static str| {
        let manager = manager.clone();
        tokio::spawn(async move { forward(&manager, key).await })
    };
    first.hang();
    let holds = ask("first");
    first.gate().arrived(1).await;
    let leaves = ask("gone");
    until("it waits", async || waiting(&manager, "gone").await == 1).await;
    let stays = ask("next");
    until("it waits", async || waiting(&manager, "next").await == 1).await;
    leaves.abort();
    until("it is gone", async || waiting(&manager, "gone").await == 0).await;
    first.go_on();
    assert_eq!(within(holds).await.expect("no panic"), "value_1");
    assert_eq!(within(stays).await.expect("no panic"), "value_1");
    assert_eq!((gone.calls(), next.calls()), (0, 1));
    assert_eq!(within(forward(&manager, "gone")).await, "value_1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooded_key_has_one_blocking_call_alive_also_when_its_time_limit_has_passed() {
    let (manager, sources) = with_four_threads(SHORT).await;
    let source = &sources[0];
    source.hang();
    let asked = manager.clone();
    let mut clients = Clients::tasks(20, move |_| {
        let manager = asked.clone();
        async move { forward(&manager, "store 0").await }
    });
    let ended = clients.end(CLIENTS).await;
    assert_eq!(
        ended.of("store_failed") + ended.of("busy"),
        CLIENTS * 20,
        "{ended:?}"
    );
    assert!(ended.of("store_failed") > 0, "{ended:?}");
    let refused = within(manager.get_forward_path_key("store 0")).await;
    let refused = refused.expect_err("it hangs").to_string();
    assert!(refused.contains("still runs"), "{refused}");
    assert_eq!((source.calls(), source.most_at_once()), (1, 1));
    assert_eq!(waiting(&manager, "store 0").await, 0);
    // The other three threads are free.
    for no in 1..5 {
        assert_eq!(
            within(forward(&manager, &format!("store {no}"))).await,
            "value_1"
        );
    }
    source.go_on();
    until("its thread is back", async || {
        forward(&manager, "store 0").await == "value_1"
    })
    .await;
    let asked = manager.clone();
    let mut clients = Clients::tasks(20, move |_| {
        let manager = asked.clone();
        async move { forward(&manager, "store 0").await }
    });
    let ended = clients.end(CLIENTS).await;
    assert_eq!(ended.total(), CLIENTS * 20);
    assert!(ended.of("value_1") > 0);
    assert_eq!(
        ended,
        tally([("value_1", ended.of("value_1")), ("busy", ended.of("busy"))])
    );
    assert_eq!(source.most_at_once(), 1, "a key's calls are one at a time");
}
