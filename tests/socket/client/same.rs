//! One function that is written against a worker's handle, run in the keeper's process and over its socket.

use std::sync::{Arc, Mutex};

use keyward::{
    CandidatesError, Change, Effect, KeyChange, KeyError, KeysManagement, RotationError,
    RotationState, SecretKeyDefinition, SecretKeyFlow, SecretKeyPair, Uuid, Worker,
};

use crate::client::at;
use crate::ground::Ground;
use crate::support::{define, in_memory, within};

/// What was seen, in words, with nothing in it that differs from run to run.
type Seen = Vec<String>;

fn said<T: std::fmt::Debug>(what: &str, answer: &T) -> String {
    format!("{what}: {answer:?}")
}

fn key_error(error: &KeyError) -> String {
    let (code, retriable) = (error.code(), error.is_retriable());
    format!("{code}, retriable {retriable}: {error}")
}

fn error(error: &RotationError) -> String {
    let (code, retriable) = (error.code(), error.is_retriable());
    format!("{code}, retriable {retriable}: {error}")
}

/// What a callback is given.
fn call_in_words(change: &KeyChange) -> String {
    let keys = |pair: &Option<SecretKeyPair>| {
        let text = |pair: &SecretKeyPair| pair.back().expose_str().map(str::to_owned);
        pair.as_ref().and_then(text)
    };
    let of = &change.key;
    format!(
        "{} {} {} {:?} {:?} {:?} {:?}",
        of.name(),
        of.worker(),
        of.attempt(),
        keys(&change.old_keys),
        keys(&change.new_keys),
        of.last_flow(),
        of.previous_keys().map(|pair| keys(&pair)),
    )
}

/// All that a handle has, in one life of a worker.
async fn life(worker: &Worker) -> Seen {
    let mut seen = vec![worker.name().to_owned()];
    let key = "documents";
    let called = Arc::new(Mutex::new(Vec::new()));
    let calls = Arc::clone(&called);
    let reencrypt = move |change: KeyChange| {
        let calls = Arc::clone(&calls);
        async move {
            calls.lock().expect("no panic").push(call_in_words(&change));
            let of = &change.key;
            of.set_last_flow(SecretKeyFlow::ForwardPath)
                .map_err(|error| error.to_string())?;
            of.save_state().await.map_err(|error| error.to_string())?;
            Ok::<_, String>(Effect::Reencrypted)
        }
    };
    let loads = |_: KeyChange| {};
    worker
        .register_on_change(key, "reencrypt", reencrypt)
        .await
        .unwrap();
    worker.register_in_memory(key, "load", loads).await.unwrap();
    worker.ready().await.unwrap();
    seen.push(said(
        "forward",
        &worker.get_forward_path_key(key).await.unwrap().flow,
    ));
    let back = worker.get_back_path_key(key).await.unwrap();
    seen.push(format!("back: {:?}", back.expose_str()));
    let next = worker.get_key(key).await.unwrap();
    seen.push(said("next", &next.flow));
    worker.save_state(key).await.unwrap();
    worker.save_states().await.unwrap();
    let id = Uuid::from_u128(7);
    let change = || Change::of(key).old("value_1").new_keys("value_2").id(id);
    let declared = worker.declare(change()).await.unwrap();
    let report = within(worker.wait(declared)).await.unwrap();
    seen.push(said("report", &(report.state, report.steps.len())));
    let again = within(worker.key_changed(change())).await.unwrap();
    assert_eq!(
        again.id, report.id,
        "the same declaration answers the same rotation"
    );
    seen.extend(called.lock().unwrap().drain(..));
    let candidates = worker.back_path_candidates(key).await.unwrap();
    let texts: Vec<_> = candidates.iter().map(|one| one.expose_str()).collect();
    seen.push(said("candidates", &texts));
    let tried = worker
        .try_candidates(key, |one| match one.expose_str() {
            Some("value_2") => Ok("opened"),
            _ => Err("another key"),
        })
        .await;
    seen.push(said("tried", &tried.ok()));
    worker.leave().await.unwrap();
    seen.push(error(&worker.leave().await.unwrap_err()));
    seen
}

async fn keeper() -> KeysManagement {
    let keys = in_memory().await;
    let documents = SecretKeyDefinition::round_trip("documents", || "value_1");
    define(&keys, documents.stateless(false)).await;
    define(&keys, SecretKeyDefinition::one_way("token", || "a token")).await;
    let fails = || -> Result<&str, &str> { Err("the vault is sealed") };
    define(&keys, SecretKeyDefinition::round_trip("failing", fails)).await;
    keys
}

#[tokio::test]
async fn a_function_of_a_worker_runs_the_same_in_the_keepers_process_and_in_another() {
    let keys = keeper().await;
    let here = life(&keys.join("anna").await.unwrap()).await;
    keys.shutdown().await.unwrap();
    let ground = Ground::serve(keeper().await, |options| options).await;
    let client = at(&ground.path()).await;
    let there = life(&client.join("anna").await.unwrap()).await;
    assert_eq!(here, there);
    let completed = format!("{:?}", RotationState::Completed);
    assert!(
        here.iter().any(|line| line.contains(&completed)),
        "{here:?}"
    );
}

/// What a worker is refused, of every kind that a worker can bring about.
async fn refusals(worker: &Worker) -> Seen {
    let mut seen = Seen::new();
    for key in ["missing", "", "a\nb", "token", "failing"] {
        let got = worker.get_forward_path_key(key).await.unwrap_err();
        seen.push(key_error(&got));
    }
    let wrong = worker.get_key_on("documents", SecretKeyFlow::Default).await;
    seen.push(key_error(&wrong.unwrap_err()));
    seen.push(key_error(&worker.save_state("token").await.unwrap_err()));
    seen.push(key_error(
        &worker.back_path_candidates("token").await.unwrap_err(),
    ));
    let tried = worker
        .try_candidates("documents", |_| Err::<(), _>("no"))
        .await;
    if let Err(CandidatesError::NoneWorks { errors }) = tried {
        seen.push(said("none works", &errors));
    }
    let nothing = |_: KeyChange| {};
    for (key, callback) in [("missing", "c"), ("", "c"), ("documents", "")] {
        let refused = worker.register_on_change(key, callback, nothing).await;
        seen.push(error(&refused.unwrap_err()));
    }
    worker
        .register_on_change("documents", "c", nothing)
        .await
        .unwrap();
    let twice = worker.register_on_change("documents", "c", nothing).await;
    seen.push(error(&twice.unwrap_err()));
    let large = "n".repeat(1024 * 1024 + 1);
    for change in [
        Change::of("missing").new_keys("n"),
        Change::of("documents").old("same").new_keys("same"),
        Change::of("documents").old("").new_keys("n"),
        Change::of("documents").old("o").new_keys(large),
        Change::of("token").old("o").new_keys(("p", "q")),
        Change::of("failing").old_from_store().new_keys("n"),
        Change::of("").new_keys("n"),
    ] {
        seen.push(error(&worker.declare(change).await.unwrap_err()));
    }
    let unknown = Uuid::from_u128(8).into();
    seen.push(error(&worker.wait(unknown).await.unwrap_err()));
    let id = Uuid::from_u128(9);
    let change = |new: &str| Change::of("documents").old("o").new_keys(new).id(id);
    worker.declare(change("n")).await.unwrap();
    seen.push(error(&worker.declare(change("m")).await.unwrap_err()));
    seen
}

#[tokio::test]
async fn every_refusal_has_the_code_the_text_and_the_kind_that_it_has_in_the_keepers_process() {
    let keys = keeper().await;
    let worker = keys.join("anna").await.unwrap();
    worker.ready().await.unwrap();
    let here = refusals(&worker).await;
    keys.shutdown().await.unwrap();
    let ground = Ground::serve(keeper().await, |options| options).await;
    let client = at(&ground.path()).await;
    let worker = client.join("anna").await.unwrap();
    worker.ready().await.unwrap();
    let there = refusals(&worker).await;
    assert_eq!(here, there);
    assert!(here.len() > 20, "{here:?}");
}

#[tokio::test]
async fn a_rotation_that_raises_is_the_same_error_with_its_report() {
    let fails = |_: KeyChange| Err::<(), _>("the disk is full");
    let raised = async |worker: &Worker| {
        worker
            .register_on_change("raises", "fails", fails)
            .await
            .unwrap();
        worker.ready().await.unwrap();
        let id = Uuid::from_u128(10);
        let change = Change::of("raises").old("o").new_keys("n").id(id);
        let refused = within(worker.key_changed(change)).await.unwrap_err();
        match &refused {
            RotationError::Raised { report } => (
                error(&refused),
                report.steps.len(),
                report.steps[0].error.clone(),
            ),
            _ => panic!("{refused}"),
        }
    };
    let keeper = async || {
        let keys = in_memory().await;
        let strategy = keyward::OnKeyChangedCallbackErrorStrategy::RaiseImmediately;
        let raises = SecretKeyDefinition::round_trip("raises", || "o").error_strategy(strategy);
        define(&keys, raises).await;
        keys
    };
    let keys = keeper().await;
    let here = raised(&keys.join("anna").await.unwrap()).await;
    let ground = Ground::serve(keeper().await, |options| options).await;
    let client = at(&ground.path()).await;
    assert_eq!(here, raised(&client.join("anna").await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_socket_a_change_carries_values_or_names_the_keys_own_store_and_no_other() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let of_file = Change::of("documents").new_from(keyward::FileStore::new("/etc/hostname"));
    let refused = client.declare(of_file).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.is_retriable()),
        ("invalid_declaration", false)
    );
    assert!(ground.keys.history(1).await.unwrap().rotations.is_empty());
    let own = Change::of("documents").old_from_store().new_keys("value_2");
    let id = client.declare(own).await.unwrap();
    let report = within(client.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    // There is no field for anything else.
    let proto = include_str!("../../../src/wire/keyward/v1/keyward.proto");
    let message = proto.split("message DeclareRequest {").nth(1).unwrap();
    let message = message.split("\n}").next().unwrap();
    let fields: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| line.ends_with(';'))
        .collect();
    let wanted = [
        "string key = 1;",
        "ValueOrPair old_keys = 2;",
        "bool old_from_store = 3;",
        "ValueOrPair new_keys = 4;",
        "string id = 5;",
        "string reason = 6;",
        "optional uint32 generated_bytes = 7;",
        "bool again = 8;",
    ];
    assert_eq!(fields, wanted);
}
