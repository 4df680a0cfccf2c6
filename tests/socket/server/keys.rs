//! What is asked about keys over the socket is answered as in the keeper's process.

use std::time::Duration;

use keyward::wire::generated::{
    CandidatesRequest, DeclareRequest, Flow, LookRequest, Refusal, SaveStateRequest,
    SaveStatesRequest, Value, ValueOrPair, WaitRequest, declare_request,
};
use keyward::wire::listing::ListingParts;
use keyward::{Change, RotationState, SecretKeyDefinition, SecretKeyFlow};
use tonic::Status;

use crate::ground::{Client, Ground, code};
use crate::support::{Gate, define, in_memory, within};

fn value(text: &str) -> Option<ValueOrPair> {
    Some(ValueOrPair {
        value: Some(Value {
            data: text.as_bytes().to_vec(),
        }),
        back: None,
    })
}

async fn report(client: &mut Client, id: &str) -> Result<keyward::RotationReport, Status> {
    let request = WaitRequest { id: id.to_owned() };
    let mut parts = client.keys.wait(request).await?.into_inner();
    let mut listing = ListingParts::default();
    while let Some(part) = parts.message().await? {
        listing.take(part).unwrap();
    }
    Ok(listing.into_report().unwrap())
}

#[tokio::test]
async fn a_get_over_the_socket_takes_effect_as_in_process() {
    let ground = Ground::new().await;
    let mut client = ground.client().await;
    assert_eq!(client.get("documents").await.unwrap(), b"value_1");
    let back = client.get_on("documents", Flow::BackPath).await.unwrap();
    assert_eq!(back, b"value_1");
    // Forward, then back, in turn.
    let next = ground.keys.get_key("documents").await.unwrap();
    assert_eq!(next.flow, SecretKeyFlow::ForwardPath);
    client.get_on("documents", Flow::Unspecified).await.unwrap();
    let next = ground.keys.get_key("documents").await.unwrap();
    assert_eq!(next.flow, SecretKeyFlow::ForwardPath);
    let token = client.get_on("token", Flow::Default).await.unwrap();
    assert_eq!(token, b"a token");
}

#[tokio::test]
async fn an_error_over_the_socket_has_the_code_the_text_and_whether_it_is_retriable() {
    let keys = in_memory().await;
    let fails = || -> Result<&str, &str> { Err("the vault is sealed") };
    define(&keys, SecretKeyDefinition::round_trip("failing", fails)).await;
    define(&keys, SecretKeyDefinition::one_way("token", || "a token")).await;
    let ground = Ground::serve(keys, |options| options).await;
    let mut client = ground.client().await;
    for key in ["failing", "missing", "token", "", "a\nb"] {
        let here = ground.keys.get_forward_path_key(key).await.unwrap_err();
        let there = client.get(key).await.unwrap_err();
        let there = Refusal::of_status(&there).unwrap();
        assert_eq!(there.code, here.code(), "{key}");
        assert_eq!(there.text, here.to_string(), "{key}");
        assert_eq!(there.retriable, here.is_retriable(), "{key}");
    }
}

#[tokio::test]
async fn a_look_answers_what_the_store_has_and_changes_nothing() {
    let ground = Ground::new().await;
    let mut client = ground.client().await;
    for _ in 0..2 {
        let request = LookRequest {
            key: "documents".to_owned(),
        };
        let looked = client.keys.look(request).await.unwrap().into_inner();
        let values = looked.values.unwrap();
        assert_eq!(values.value.as_ref().unwrap().data, b"value_1");
        assert!(values.back.is_none());
    }
    let status = ground.keys.status().await.unwrap();
    let facts = status.keys[0].facts;
    assert_eq!((facts.last_flow, facts.holds), (None, false));
}

#[tokio::test]
async fn candidates_come_each_in_a_message_of_its_own() {
    let ground = Ground::new().await;
    let mut client = ground.client().await;
    let request = CandidatesRequest {
        key: "documents".to_owned(),
    };
    let answer = client.keys.candidates(request).await.unwrap();
    let mut candidates = answer.into_inner();
    let first = candidates.message().await.unwrap().unwrap();
    assert_eq!(first.value.as_ref().unwrap().data, b"value_1");
    assert!(candidates.message().await.unwrap().is_none());
    let of_one_way = CandidatesRequest {
        key: "token".to_owned(),
    };
    assert_eq!(
        code(client.keys.candidates(of_one_way).await),
        "invalid_flow"
    );
}

#[tokio::test]
async fn states_are_saved_over_the_socket() {
    let keys = in_memory().await;
    let stated = SecretKeyDefinition::round_trip("stated", || "value_1").stateless(false);
    define(&keys, stated).await;
    let ground = Ground::serve(keys, |options| options).await;
    let mut client = ground.client().await;
    client.get("stated").await.unwrap();
    let request = SaveStateRequest {
        key: "stated".to_owned(),
    };
    client.keys.save_state(request).await.unwrap();
    client.keys.save_states(SaveStatesRequest {}).await.unwrap();
}

#[tokio::test]
async fn a_declared_change_runs_and_its_report_is_waited_for() {
    let ground = Ground::new().await;
    let mut client = ground.client().await;
    let request = DeclareRequest {
        key: "documents".to_owned(),
        old: Some(declare_request::Old::OldFromStore(true)),
        new_keys: value("value_2"),
        id: String::new(),
        reason: String::new(),
        ..DeclareRequest::default()
    };
    let id = client
        .keys
        .declare(request.clone())
        .await
        .unwrap()
        .into_inner()
        .id;
    let seen = within(report(&mut client, &id)).await.unwrap();
    assert_eq!(seen.state, RotationState::Completed);
    let id: keyward::RotationId = id.parse().unwrap();
    assert_eq!(seen, ground.keys.wait(id).await.unwrap());
    // The same declaration under the same id is the same rotation, another one is an error.
    let again = Change::of("documents")
        .old("value_1")
        .new_keys("value_2")
        .id(id);
    assert_eq!(ground.keys.declare(again).await.unwrap(), id);
    let mut again = request;
    again.id = id.to_string();
    again.new_keys = value("value_3");
    assert_eq!(code(client.keys.declare(again).await), "other_declaration");
    let unknown = "018f3a5e-1111-7222-8333-123456789abc";
    assert_eq!(code(report(&mut client, unknown).await), "unknown_rotation");
    assert_eq!(code(report(&mut client, "no id").await), "invalid_message");
}

#[tokio::test]
async fn a_value_of_a_mebibyte_in_both_halves_passes() {
    let large = [vec![b'a'; 1 << 20], vec![b'b'; 1 << 20]];
    let keys = in_memory().await;
    let [forward, back] = large.clone();
    let store = move || (forward.clone(), back.clone());
    define(&keys, SecretKeyDefinition::round_trip("large", store)).await;
    let ground = Ground::serve(keys, |options| options).await;
    let mut client = ground.client().await;
    let forward = within(client.get("large")).await.unwrap();
    let back = client.get_on("large", Flow::BackPath).await.unwrap();
    assert!([forward, back] == large);
    let mut declared = DeclareRequest {
        key: "large".to_owned(),
        old: None,
        new_keys: value(&"c".repeat(1 << 20)),
        id: String::new(),
        reason: String::new(),
        ..DeclareRequest::default()
    };
    within(client.keys.declare(declared.clone())).await.unwrap();
    declared.new_keys = value(&"c".repeat((1 << 20) + 1));
    assert_eq!(code(client.keys.declare(declared).await), "invalid_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_calls_are_for_keys_and_a_wait_has_its_callers_time() {
    let limit = Duration::from_millis(200);
    let keys = crate::support::builder()
        .state_repo(keyward::MemoryRepo::new())
        .call_time_limit(limit)
        .start()
        .await
        .unwrap();
    let (gate, slow) = (Gate::default(), Gate::default());
    let hangs = slow.clone();
    let store = move || {
        hangs.pass_blocking();
        "value_1"
    };
    let key = SecretKeyDefinition::round_trip("slow", store).request_time_limit(limit);
    define(&keys, key).await;
    define(
        &keys,
        SecretKeyDefinition::round_trip("documents", || "value_1"),
    )
    .await;
    let waits = gate.clone();
    let hangs = move |_: keyward::KeyChange| {
        waits.pass_blocking();
    };
    keys.register_on_change("documents", "hangs", hangs)
        .await
        .unwrap();
    let ground = Ground::serve(keys, |options| options).await;
    let mut client = ground.client().await;
    assert_eq!(code(client.get("slow").await), "timed_out");
    let id = ground
        .keys
        .declare(crate::support::change())
        .await
        .unwrap()
        .to_string();
    let mut waiting = client.keys.clone();
    let waited = tokio::spawn(async move { waiting.wait(WaitRequest { id }).await });
    tokio::time::sleep(3 * limit).await;
    assert!(!waited.is_finished(), "the rotation has not ended");
    gate.open();
    slow.open();
    within(waited).await.unwrap().unwrap();
}
