//! Floods of gets: what is beyond the bound is `busy` at once, a held key is still answered, and
//! another key does not notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use keyward::{KeysManagement, SecretKeyFlow, block_on};

use crate::load::clients::{CLIENTS, Clients, Tally, ask_and_go, tally, told, waiting};
use crate::load::source::{SlowRepo, Source};
use crate::support::{SHORT, define, in_memory, on, until, within};

const REQUESTS: usize = 40;

/// The key `flooded`, of 32 places, with its pair held, and a store that hangs from now on.
async fn held_and_hanging() -> (KeysManagement, Source) {
    let (manager, source) = (in_memory().await, Source::default());
    define(&manager, source.round_trip("flooded").max_requests(32)).await;
    assert_eq!(forward(&manager, "flooded").await, "value_1");
    source.hang();
    (manager, source)
}

async fn forward(manager: &KeysManagement, key: &str) -> String {
    told(manager.get_forward_path_key(key).await)
}

async fn back(manager: &KeysManagement, key: &str) -> String {
    told(within(manager.get_back_path_key(key)).await)
}

/// Of the 64 clients, 24 wait for the store: the others are refused whatever they ask, and come to
/// their end while the store still hangs.
async fn is_flooded(manager: &KeysManagement, clients: &mut Clients) {
    let refused = clients.end(CLIENTS - 24).await;
    assert_eq!(refused, tally([("busy", (CLIENTS - 24) * REQUESTS)]));
    until("three quarters of 32 wait", async || {
        waiting(manager, "flooded").await == 24
    })
    .await;
    assert_eq!(waiting(manager, "flooded").await, 24, "and no more");
}

/// The store answers: so the requests that waited for it are answered, and all is well again.
async fn all_is_well(manager: &KeysManagement, source: &Source, mut clients: Clients) {
    source.go_on();
    let answered = clients.end(24).await;
    assert_eq!(answered, tally([("value_1", 24 * REQUESTS)]));
    assert_eq!(waiting(manager, "flooded").await, 0);
    assert_eq!(within(forward(manager, "flooded")).await, "value_1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_tasks_that_flood_a_key_each_request_is_answered_or_busy_at_once() {
    let (manager, source) = held_and_hanging().await;
    let asked = manager.clone();
    let mut clients = Clients::tasks(REQUESTS, move |_| {
        let manager = asked.clone();
        async move { forward(&manager, "flooded").await }
    });
    is_flooded(&manager, &mut clients).await;
    assert_eq!(back(&manager, "flooded").await, "value_1", "it is held");
    source.gate().arrived(1).await;
    assert_eq!(source.calls(), 2, "they wait for one fetch");
    all_is_well(&manager, &source, clients).await;
}

#[tokio::test]
async fn of_64_threads_that_flood_a_key_each_request_is_answered_or_busy_at_once() {
    let (manager, source) = held_and_hanging().await;
    let asked = manager.clone();
    let mut clients = Clients::threads(REQUESTS, move |_| {
        told(block_on(asked.get_forward_path_key("flooded")))
    });
    is_flooded(&manager, &mut clients).await;
    assert_eq!(back(&manager, "flooded").await, "value_1", "it is held");
    source.gate().arrived(1).await;
    assert_eq!(source.calls(), 2, "they wait for one fetch");
    all_is_well(&manager, &source, clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_share_of_those_who_wait_for_the_store_is_one_for_all_flows() {
    let (manager, source) = (in_memory().await, Source::default());
    define(&manager, source.round_trip("flooded").max_requests(32)).await;
    source.hang();
    let asked = manager.clone();
    // Nothing is held and no flow is known: whatever is asked for, the store has to answer.
    let mut clients = Clients::tasks(REQUESTS, move |client| {
        let manager = asked.clone();
        async move {
            told(match client % 3 {
                0 => manager.get_key("flooded").await,
                1 => manager.get_back_path_key("flooded").await,
                _ => manager.get_forward_path_key("flooded").await,
            })
        }
    });
    is_flooded(&manager, &mut clients).await;
    all_is_well(&manager, &source, clients).await;
}

#[tokio::test]
async fn gets_that_are_to_be_refused_take_no_place_of_those_who_want_what_is_held() {
    let (manager, source) = held_and_hanging().await;
    // So many have begun to ask, and their clients are slow to look at what they are told.
    let mut asked = Vec::new();
    for _ in 0..40 {
        let mut get = Box::pin(manager.get_forward_path_key("flooded"));
        drop(ask_and_go(&mut get).await);
        asked.push(get);
    }
    until("three quarters of 32 wait", async || {
        waiting(&manager, "flooded").await == 24
    })
    .await;
    assert_eq!(back(&manager, "flooded").await, "value_1", "it is held");
    source.go_on();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_requests_than_the_bound_are_ever_admitted_at_once() {
    let repo = SlowRepo::default();
    let manager = on(repo.clone()).await;
    let key = Source::default().round_trip("flooded").stateless(false);
    define(&manager, key.max_requests(32)).await;
    repo.hang();
    // Each of them has to load the record first, for which no share of the places is set apart.
    let (asked, refused) = (manager.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&refused);
    let mut clients = Clients::tasks(1, move |_| {
        let (manager, refused) = (asked.clone(), Arc::clone(&counted));
        async move {
            let ask = async || {
                let told = told(manager.get_back_path_key("flooded").await);
                refused.fetch_add(usize::from(told == "busy"), Ordering::SeqCst);
                assert!(told == "busy" || told == "value_1", "{told}");
            };
            join_all((0..8).map(|_| ask())).await;
            "ended".to_owned()
        }
    });
    let mut most = 0;
    until("whoever is not admitted has been refused", async || {
        most = most.max(waiting(&manager, "flooded").await);
        refused.load(Ordering::SeqCst) + most == CLIENTS * 8
    })
    .await;
    assert!((24..=32).contains(&most), "{most} were admitted at once");
    assert_eq!(back(&manager, "flooded").await, "busy");
    repo.go_on();
    let ended = clients.end(CLIENTS).await;
    assert_eq!(ended, tally([("ended", CLIENTS)]));
    assert_eq!(waiting(&manager, "flooded").await, 0);
    assert_eq!(back(&manager, "flooded").await, "value_1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_keys_are_answered_while_the_flood_is_on() {
    let (manager, source) = held_and_hanging().await;
    // Keys share arbiters: one of these two lives on that of the flooded one.
    let others = ["other", "another"];
    for other in others {
        define(&manager, Source::default().round_trip(other)).await;
    }
    let ends = Arc::new(AtomicBool::new(false));
    let (asked, ended) = (manager.clone(), Arc::clone(&ends));
    let mut clients = Clients::tasks(1, move |_| {
        let (manager, ended) = (asked.clone(), Arc::clone(&ended));
        async move {
            let mut refused = Tally::default();
            while !ended.load(Ordering::SeqCst) {
                refused.add(&forward(&manager, "flooded").await);
                tokio::task::yield_now().await;
            }
            assert_eq!(refused.of("busy") + refused.of("value_1"), refused.total());
            "ended".to_owned()
        }
    });
    until("the store's places are taken", async || {
        waiting(&manager, "flooded").await == 24
    })
    .await;
    for other in others {
        for _ in 0..100 {
            let answer = within(manager.get_key(other))
                .await
                .expect("it is answered");
            assert_eq!(answer.expose(), b"value_1");
        }
    }
    assert_eq!(waiting(&manager, "flooded").await, 24, "the flood is on");
    for _ in 0..100 {
        let held = back(&manager, "flooded").await;
        assert_eq!(held, "value_1", "it is held");
    }
    ends.store(true, Ordering::SeqCst);
    source.go_on();
    assert_eq!(clients.end(CLIENTS).await, tally([("ended", CLIENTS)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_too_long_are_told_so_and_leave_their_places() {
    let (manager, source) = (in_memory().await, Source::default());
    let key = source.round_trip("flooded").max_requests(32);
    define(&manager, key.request_time_limit(SHORT)).await;
    source.hang();
    let asked = manager.clone();
    let mut clients = Clients::tasks(1, move |_| {
        let manager = asked.clone();
        async move { forward(&manager, "flooded").await }
    });
    let ended = clients.end(CLIENTS).await;
    // Callers that came when others had given up found a place, too.
    assert!(ended.of("timed_out") >= 24, "{ended:?}");
    assert_eq!(ended.of("timed_out") + ended.of("busy"), CLIENTS);
    assert_eq!(waiting(&manager, "flooded").await, 0);
    source.go_on();
    let flow = SecretKeyFlow::ForwardPath;
    until("the store answers again", async || {
        told(manager.get_key_on("flooded", flow).await) == "value_1"
    })
    .await;
}
