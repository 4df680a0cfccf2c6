//! Floods of saves on a repo that hangs.

use keyward::{KeysManagement, StateRepo};

use crate::load::clients::{CLIENTS, Clients, tally, told, waiting};
use crate::load::source::{SlowRepo, Source};
use crate::support::{define, on, until, within};

const REQUESTS: usize = 20;
const PLACES: usize = 16;

async fn save(manager: &KeysManagement, key: &str) -> String {
    let saved = manager.save_state(key).await;
    saved
        .map_or_else(|error| error.code(), |()| "saved")
        .to_owned()
}

async fn forward(manager: &KeysManagement, key: &str) -> String {
    told(within(manager.get_forward_path_key(key)).await)
}

/// A manager with the stated keys `flooded` and `other`, each with its pair held.
async fn held_on(repo: impl StateRepo) -> KeysManagement {
    let manager = on(repo).await;
    for key in ["flooded", "other"] {
        let stated = Source::default().round_trip(key).stateless(false);
        define(&manager, stated.max_requests(PLACES)).await;
        assert_eq!(forward(&manager, key).await, "value_1");
    }
    manager
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_saves_on_a_repo_that_hangs_is_busy_beyond_the_bound() {
    let repo = SlowRepo::default();
    let manager = held_on(repo.clone()).await;
    repo.hang();
    let asked = manager.clone();
    let mut clients = Clients::tasks(REQUESTS, move |_| {
        let manager = asked.clone();
        async move { save(&manager, "flooded").await }
    });
    let refused = clients.end(CLIENTS - PLACES).await;
    assert_eq!(refused, tally([("busy", (CLIENTS - PLACES) * REQUESTS)]));
    let admitted = waiting(&manager, "flooded").await;
    assert!((1..=PLACES).contains(&admitted), "{admitted} wait");
    // The other key needs no repo for what it holds, and none for what its store answers.
    for _ in 0..50 {
        let held = within(manager.get_back_path_key("other")).await;
        assert_eq!(told(held), "value_1");
        assert_eq!(forward(&manager, "other").await, "value_1");
    }
    repo.go_on();
    let ended = clients.end(PLACES).await;
    assert_eq!(ended.of("saved") + ended.of("busy"), PLACES * REQUESTS);
    assert!(ended.of("saved") >= admitted, "{ended:?}");
    assert_eq!(waiting(&manager, "flooded").await, 0);
    assert_eq!(save(&manager, "flooded").await, "saved");
    assert_eq!(save(&manager, "other").await, "saved");
}

#[tokio::test]
async fn saving_the_states_of_many_keys_takes_few_writes() {
    const KEYS: usize = 2_500;
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    for no in 0..KEYS {
        let key = format!("key {no}");
        let stated = Source::default().round_trip(&key).stateless(false);
        define(&manager, stated).await;
        assert_eq!(forward(&manager, &key).await, "value_1");
    }
    repo.hang();
    let before = repo.writes();
    let saver = manager.clone();
    let saved = tokio::spawn(async move { saver.save_states().await });
    // While the first write hangs, as many as may wait behind it.
    until("many wait", async || {
        let status = manager.status().await.expect("it lives");
        let waiting = status.keys.iter().map(|key| key.facts.waiting);
        waiting.sum::<usize>() == 1_024
    })
    .await;
    repo.go_on();
    within(saved)
        .await
        .expect("no panic")
        .expect("they are saved");
    let writes = repo.writes() - before;
    assert!(writes <= KEYS / 10, "{writes} writes for {KEYS} keys");
}
