//! The end of the service, and the manager's.

use std::time::{Duration, Instant};

use keyward::wire::generated::{Event, EventsRequest, Flow, Refusal, WaitRequest};
use keyward::{Change, KeyChange, SecretKeyDefinition, ServeOptions};

use crate::ground::{Client, Ground, code};
use crate::support::{Gate, LIMIT, define, in_memory, until, within};

/// An idle connection, one that watches events, and one that waits for a rotation that does not end.
async fn clients(ground: &Ground) -> (Client, tonic::Streaming<Event>, Client) {
    let idle = ground.client().await;
    let mut watching = ground.client().await;
    let events = watching.operate.events(EventsRequest::default()).await;
    (idle, events.unwrap().into_inner(), ground.client().await)
}

#[tokio::test]
async fn a_client_that_does_nothing_holds_up_no_end() {
    let ground = Ground::new().await;
    let half = ground.connect();
    let (mut idle, mut events, _other) = clients(&ground).await;
    let begun = Instant::now();
    within(ground.serving.stop()).await;
    assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
    let said = loop {
        match within(events.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended without a word"),
            Err(status) => break status,
        }
    };
    let said = Refusal::of_status(&said).expect("the keeper says why");
    assert_eq!((said.code.as_str(), said.retriable), ("shut_down", true));
    idle.get("documents").await.unwrap_err();
    assert!(!ground.path().exists());
    drop(half);
    // The manager goes on, and may be served anew.
    ground.keys.get_key("documents").await.unwrap();
    let again = ServeOptions::at(ground.path());
    let again = ground.keys.serve(again).await.unwrap();
    Client::over(ground.connect())
        .await
        .get("documents")
        .await
        .unwrap();
    within(again.stop()).await;
}

#[tokio::test]
async fn the_managers_shutdown_ends_its_service_and_its_clients_are_told() {
    let keys = in_memory().await;
    define(&keys, SecretKeyDefinition::round_trip("documents", || "v")).await;
    let gate = Gate::default();
    let waits = gate.clone();
    let hangs = move |_: KeyChange| {
        waits.pass_blocking();
    };
    keys.register_on_change("documents", "hangs", hangs)
        .await
        .unwrap();
    let ground = Ground::serve(keys, |options| options).await;
    let id = ground.keys.declare(Change::of("documents")).await.unwrap();
    let (mut idle, _events, mut waiting) = clients(&ground).await;
    let request = WaitRequest { id: id.to_string() };
    let waited = tokio::spawn(async move { waiting.keys.wait(request).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    within(ground.keys.shutdown()).await.unwrap();
    gate.open();
    within(ground.serving.ended()).await;
    let refused = within(waited).await.unwrap().unwrap_err();
    assert!(refused.message().contains(&id.to_string()), "{refused:?}");
    assert_eq!(code::<()>(Err(refused)), "shut_down");
    idle.get("documents").await.unwrap_err();
    assert!(!ground.path().exists());
    let again = ground.keys.serve(ServeOptions::at(ground.path())).await;
    assert_eq!(again.unwrap_err().code(), "shut_down");
}

#[tokio::test]
async fn a_service_whose_handle_is_dropped_ends() {
    let ground = Ground::new().await;
    let ended = ground.serving.ended();
    let path = ground.path();
    let Ground { serving, keys, .. } = ground;
    let clone = serving.clone();
    drop(serving);
    assert!(path.exists());
    drop(clone);
    within(ended).await;
    assert!(!path.exists());
    keys.get_key("documents").await.unwrap();
}

#[tokio::test]
async fn a_served_manager_lives_as_long_as_its_service() {
    let ground = Ground::new().await;
    let Ground {
        keys,
        serving,
        folder,
    } = ground;
    drop(keys);
    let stream = std::os::unix::net::UnixStream::connect(folder.path().join("s")).unwrap();
    let mut client = Client::over(stream).await;
    client.get_on("token", Flow::Default).await.unwrap();
    within(serving.stop()).await;
}

#[tokio::test]
async fn a_cancelled_request_is_an_asker_that_is_gone() {
    let keys = in_memory().await;
    let gate = Gate::default();
    let waits = gate.clone();
    let hangs = move || {
        waits.pass_blocking();
        "value_1"
    };
    let slow = SecretKeyDefinition::round_trip("slow", hangs).max_requests(2);
    define(&keys, slow).await;
    let ground = Ground::serve(keys, |options| options).await;
    let mut client = ground.client().await;
    let mut other = ground.client().await;
    // More than the key admits, each given up: each frees its place.
    for _ in 0..8 {
        let asked = client.get("slow");
        tokio::time::timeout(Duration::from_millis(50), asked)
            .await
            .unwrap_err();
        until("its place is free", async || {
            let status = ground.keys.status().await.unwrap();
            status.keys[0].facts.waiting == 0
        })
        .await;
    }
    let asked = tokio::spawn(async move { other.get("slow").await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.open();
    assert_eq!(within(asked).await.unwrap().unwrap(), b"value_1");
}
