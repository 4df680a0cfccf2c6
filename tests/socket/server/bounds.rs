//! Bounds, each with its error.

use std::time::Duration;

use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use keyward::{SecretKeyDefinition, ServeBounds, ServeOptions};
use tokio::sync::mpsc;

use crate::ground::{Client, Ground, OTHER, by_hand, code, grant, is_root};
use crate::support::{Gate, define, in_memory, until, within};

/// A manager whose key `slow` answers when the gate is open, served within these bounds.
async fn slow(gate: &Gate, change: impl FnOnce(&mut ServeBounds)) -> Ground {
    let keys = in_memory().await;
    let waits = gate.clone();
    let hangs = move || {
        waits.pass_blocking();
        "value_1"
    };
    define(&keys, SecretKeyDefinition::round_trip("slow", hangs)).await;
    define(&keys, SecretKeyDefinition::round_trip("documents", || "v")).await;
    let mut bounds = ServeBounds::default();
    change(&mut bounds);
    Ground::serve(keys, |options| options.bounds(bounds)).await
}

#[tokio::test]
async fn the_bounds_are_those_that_are_documented() {
    let bounds = ServeBounds::default();
    assert_eq!(
        (bounds.connections, bounds.connections_of_user),
        (1_024, 1_008)
    );
    assert_eq!(bounds.requests_of_connection, 256);
    assert_eq!(bounds.requests_of_user, 1_024);
    assert_eq!(bounds.message_bytes, 8 << 20);
    assert_eq!(bounds.operate_message_bytes, 64 << 10);
    assert_eq!(bounds.undecoded_bytes_of_user, 64 << 20);
    assert_eq!(bounds.instances, 1_024);
    assert_eq!(bounds.patience, Duration::from_secs(10));
    assert_eq!(bounds.silence, Duration::from_secs(15));
}

#[tokio::test]
async fn a_bound_of_zero_is_refused() {
    let keys = in_memory().await;
    let folder = tempfile::tempdir().unwrap();
    let zero: [fn(&mut ServeBounds); 10] = [
        |bounds| bounds.connections = 0,
        |bounds| bounds.connections_of_user = 0,
        |bounds| bounds.requests_of_connection = 0,
        |bounds| bounds.requests_of_user = 0,
        |bounds| bounds.message_bytes = 0,
        |bounds| bounds.operate_message_bytes = 0,
        |bounds| bounds.undecoded_bytes_of_user = 0,
        |bounds| bounds.instances = 0,
        |bounds| bounds.patience = Duration::ZERO,
        |bounds| bounds.silence = Duration::ZERO,
    ];
    for change in zero {
        let mut bounds = ServeBounds::default();
        change(&mut bounds);
        let options = ServeOptions::at(folder.path().join("s")).bounds(bounds);
        assert_eq!(keys.serve(options).await.unwrap_err().code(), "zero_bound");
    }
}

#[tokio::test]
async fn connections_beyond_the_bound_of_a_user_are_told_so() {
    let ground = Ground::bounded(|bounds| {
        bounds.connections_of_user = 2;
        bounds.connections = 3;
    })
    .await;
    let mut clients = vec![ground.client().await, ground.client().await];
    for client in &mut clients {
        client.get("documents").await.unwrap();
    }
    let mut third = ground.client().await;
    assert_eq!(
        code(third.get("documents").await),
        "too_many_connections_of_user"
    );
    for client in &mut clients {
        client.get("documents").await.unwrap();
    }
    clients.pop();
    until("a place is free", async || {
        ground.client().await.get("documents").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_last_connections_are_left_for_other_users() {
    if !is_root() {
        return;
    }
    let own = rustix::process::geteuid().as_raw();
    let grants = [own, OTHER].map(|user| grant(user, [keyward::Right::Forward], &["*"], &[]));
    let mut bounds = ServeBounds::default();
    (bounds.connections, bounds.connections_of_user) = (3, 2);
    let ground = Ground::with(|options| {
        options
            .bounds(bounds)
            .grants(keyward::Grants::table(grants))
    })
    .await;
    let mut own = vec![ground.client().await, ground.client().await];
    for client in &mut own {
        client.get("documents").await.unwrap();
    }
    let mut other = Client::over(ground.connect_as(OTHER)).await;
    other.get("documents").await.unwrap();
    let mut second = Client::over(ground.connect_as(OTHER)).await;
    assert_eq!(code(second.get("documents").await), "too_many_connections");
}

#[tokio::test]
async fn requests_beyond_the_bounds_of_a_connection_and_a_user_are_told_so() {
    let gate = Gate::default();
    let ground = slow(&gate, |bounds| {
        bounds.requests_of_connection = 2;
        bounds.requests_of_user = 3;
    })
    .await;
    let (first, second) = (ground.client().await, ground.client().await);
    let ask = |client: &Client| {
        let mut client = client.clone();
        tokio::spawn(async move { client.get("slow").await })
    };
    let wait_for = async |wanted: usize| {
        until("so many requests wait", async || {
            let status = ground.keys.status().await.unwrap();
            let slow = status.keys.iter().find(|key| key.name.as_str() == "slow");
            slow.unwrap().facts.waiting == wanted
        })
        .await;
    };
    let mut under_way = vec![ask(&first), ask(&first)];
    wait_for(2).await;
    let refused = first.clone().get("documents").await;
    assert_eq!(code(refused), "too_many_requests_of_connection");
    under_way.push(ask(&second));
    wait_for(3).await;
    let refused = second.clone().get("documents").await;
    assert_eq!(code(refused), "too_many_requests_of_user");
    gate.open();
    for asked in under_way {
        within(asked).await.unwrap().unwrap();
    }
    second.clone().get("documents").await.unwrap();
}

#[tokio::test]
async fn messages_that_have_not_come_whole_are_bounded_for_a_user() {
    let ground = Ground::bounded(|bounds| bounds.undecoded_bytes_of_user = 10 << 20).await;
    let begin = |bytes: u32| {
        let (send, frames) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
        let prefix = [&[0][..], &bytes.to_be_bytes()].concat();
        send.try_send(Ok(Frame::data(Bytes::from(prefix)))).unwrap();
        let frames = futures_util::stream::unfold(frames, |mut frames| async move {
            frames.recv().await.map(|frame| (frame, frames))
        });
        let body = StreamBody::new(Box::pin(frames));
        let asked = by_hand(ground.connect(), "/keyward.v1.Keys/Declare", body);
        (send, tokio::spawn(asked))
    };
    let (first, waits) = begin(8 << 20);
    let mut other = ground.client().await;
    until("no room is left", async || {
        let (_send, asked) = begin(8 << 20);
        let said = tokio::time::timeout(Duration::from_millis(200), asked).await;
        said.is_ok_and(|said| said.unwrap().as_deref() == Some("busy"))
    })
    .await;
    other.get("documents").await.unwrap();
    drop((first, waits));
}

#[tokio::test]
async fn each_message_has_the_bound_of_its_service() {
    let ground = Ground::bounded(|bounds| {
        bounds.message_bytes = 1_000;
        bounds.operate_message_bytes = 100;
    })
    .await;
    let mut client = ground.client().await;
    let long = |bytes| "k".repeat(bytes);
    assert_eq!(code(client.get(&long(1_000)).await), "message_too_large");
    assert_eq!(code(client.get(&long(900)).await), "invalid_name");
    let plan = |key| keyward::wire::generated::PlanRequest { key };
    let planned = client.operate.plan(plan(long(100))).await;
    assert_eq!(code(planned), "message_too_large");
    assert_eq!(
        code(client.operate.plan(plan(long(90))).await),
        "key_not_defined"
    );
}
