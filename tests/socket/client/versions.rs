//! Keys with versions over a socket: changes of them, and whom the versions owe. Reading by id is in `by_id`.

use std::time::Duration;

use keyward::{
    BetweenVersions, Change, Client, KeyChange, KeysManagement, RotationState, SecretKeyDefinition,
    Uuid, VersionId, VersionListing, VersionPhase, WaitsFor,
};

use crate::client::at;
use crate::ground::Ground;
use crate::support::{define, in_memory, until, within};

/// A keeper of the key `documents`, which has versions, and a client of it.
async fn keeper(drain: Duration) -> (Ground, Client) {
    let keys = in_memory().await;
    let documents = SecretKeyDefinition::round_trip("documents", || "one");
    define(&keys, documents.versions(true).drain(drain)).await;
    let ground = Ground::serve(keys, |options| options).await;
    let client = at(&ground.path()).await;
    (ground, client)
}

async fn versions(keys: &KeysManagement) -> Vec<VersionListing> {
    within(keys.versions("documents")).await.unwrap()
}

fn owes(version: &VersionListing) -> Vec<&str> {
    let debts = version.debts.iter();
    debts.map(|debt| debt.worker.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_owes_the_worker_to_which_a_get_over_a_socket_handed_it_and_its_callbacks_pay() {
    let (ground, client) = keeper(Duration::ZERO).await;
    let anna = client.join("anna").await.unwrap();
    let reencrypt = |_: KeyChange| Ok::<_, String>(());
    anna.register_on_change("documents", "reencrypt", reencrypt)
        .await
        .unwrap();
    anna.ready().await.unwrap();
    let key = anna.get_forward_path_key("documents").await.unwrap();
    assert_eq!(key.expose_str(), Some("one"));
    assert_eq!(owes(&versions(&ground.keys).await[0]), ["anna"]);
    // Who has not joined is not known by a name.
    let other = at(&ground.path()).await;
    other.get_forward_path_key("documents").await.unwrap();
    assert_eq!(owes(&versions(&ground.keys).await[0]), ["anna", "main"]);
    let change = Change::of("documents").new_keys("two");
    let report = within(client.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    let [second, first] = versions(&ground.keys).await.try_into().unwrap();
    assert_eq!((owes(&second), owes(&first)), (vec!["anna"], vec!["main"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_made_by_the_keeper_and_given_again_on_purpose_over_a_socket_too() {
    let (ground, client) = keeper(Duration::ZERO).await;
    let change = || Change::of("documents");
    let id = Uuid::from_u128(7);
    let made = within(client.key_changed(change().generate(32).id(id))).await;
    let made = made.unwrap();
    assert_eq!(made.state, RotationState::Completed);
    let key = client.get_forward_path_key("documents").await.unwrap();
    assert_eq!(key.expose().len(), 32);
    let same = client.declare(change().generate(32).id(id)).await.unwrap();
    assert_eq!(same, made.id);
    for bytes in [0, 65_537, usize::MAX] {
        let refused = client.declare(change().generate(bytes)).await.unwrap_err();
        assert_eq!(refused.code(), "invalid_key", "{refused}");
    }
    let refused = client.declare(change().new_keys("one")).await.unwrap_err();
    assert_eq!(refused.code(), "known_version");
    let again = within(client.key_changed(change().new_keys("one").again())).await;
    assert_eq!(again.unwrap().state, RotationState::Completed);
    assert_eq!(versions(&ground.keys).await.len(), 3);
    let refused = client.declare(change()).await.unwrap_err();
    assert_eq!(refused.code(), "needs_new_keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_plan_say_the_phase_and_until_when_copies_are_waited_for() {
    let drain = Duration::from_secs(3_600);
    let (ground, client) = keeper(drain).await;
    let anna = client.join("anna").await.unwrap();
    let load = |_: KeyChange| {};
    anna.register_in_memory("documents", "load", load)
        .await
        .unwrap();
    anna.ready().await.unwrap();
    anna.get_forward_path_key("documents").await.unwrap();
    client.get_forward_path_key("documents").await.unwrap();
    let other = at(&ground.path()).await;
    other.get_forward_path_key("documents").await.unwrap();
    let plan = other.plan("documents").await.unwrap();
    assert_eq!(plan, ground.keys.plan("documents").await.unwrap());
    let of = plan.versions.unwrap();
    let first = versions(&ground.keys).await[0].id;
    assert_eq!((of.current, of.number, of.drain), (first, 1, drain));
    let copies: Vec<&str> = of.copies.iter().map(|worker| worker.as_str()).collect();
    assert_eq!(copies, ["main"], "anna has a callback of memory");

    let change = Change::of("documents").new_keys("two");
    let id = client.declare(change).await.unwrap();
    let waits = async || {
        let report = ground.keys.rotation(id).await.unwrap();
        matches!(report.waits_for[..], [WaitsFor::Drain { .. }])
    };
    until("the rotation waits for copies", waits).await;
    let report = ground.keys.rotation(id).await.unwrap();
    let [WaitsFor::Drain { until_ms }] = report.waits_for[..] else {
        panic!("{report}");
    };
    assert!(until_ms >= report.accepted_ms + 3_000_000, "{until_ms}");
    let BetweenVersions {
        new, old, phase, ..
    } = report.versions.unwrap();
    let second: VersionId = versions(&ground.keys).await[0].id;
    let seen = (new, old, phase);
    assert_eq!(seen, (second, Some(first), VersionPhase::Turned));
    let text = report.to_string();
    for part in ["it has turned", "copies of earlier versions"] {
        assert!(text.contains(part), "{text}");
    }
    let there = client.rotation(id).await.unwrap();
    assert_eq!(there, report, "a client is told the same");
    let status = client.status().await.unwrap();
    assert_eq!(status.rotations, [report]);
}
