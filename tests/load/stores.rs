//! Blocking stores that hang: as many as there are threads for them, and no more than one call a
//! key.

use std::time::Duration;

use keyward::{KeysManagement, MemoryRepo};

use crate::clients::{CLIENTS, Clients, tally, told, waiting};
use crate::source::Source;
use crate::support::{SHORT, builder, define, until, within};

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
    let (manager, sources) = with_four_threads(Duration::from_secs(3_600)).await;
    let in_time = Source::default();
    define(&manager, in_time.round_trip("async")).await;
    assert_eq!(within(forward(&manager, "store 4")).await, "value_1");
    let mut hanging = Vec::new();
    for (no, source) in sources[..4].iter().enumerate() {
        source.hang();
        let manager = manager.clone();
        let key = format!("store {no}");
        hanging.push(tokio::spawn(async move { forward(&manager, &key).await }));
        source.gate().arrived(1).await;
    }
    let refused = within(manager.get_forward_path_key("store 4")).await;
    let refused = refused.expect_err("no thread is left");
    assert_eq!(refused.code(), "store_failed");
    assert!(refused.to_string().contains("no thread"), "{refused}");
    assert!(refused.is_retriable());
    // What is held needs no thread, and an async store needs none either.
    let held = within(manager.get_back_path_key("store 4")).await;
    assert_eq!(told(held), "value_1");
    for _ in 0..20 {
        assert_eq!(within(forward(&manager, "async")).await, "value_1");
    }
    for (hanging, source) in hanging.into_iter().zip(&sources) {
        source.go_on();
        assert_eq!(within(hanging).await.expect("no panic"), "value_1");
    }
    assert_eq!(within(forward(&manager, "store 4")).await, "value_1");
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
