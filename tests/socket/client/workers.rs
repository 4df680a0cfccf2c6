//! Workers of another process: their callbacks run there, within the guard that they have in the keeper's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyward::{
    CallbackStatus, Change, Client, Effect, Join, KeyChange, KeysManagement, MemoryRepo,
    RotationReport, RotationState, SecretKeyDefinition, SecretKeyFlow, ServeOptions, Worker,
};

use crate::client::at;
use crate::ground::Ground;
use crate::support::{Gate, builder, define, documents, error, in_memory, step, until, within};

fn change() -> Change {
    Change::of("documents").old("value_1").new_keys("value_2")
}

/// A worker with one callback of data, ready.
async fn joined<M>(client: &Client, name: &str, call: impl keyward::IntoCallback<M>) -> Worker {
    let worker = client.join(name).await.unwrap();
    worker
        .register_on_change("documents", "reencrypt", call)
        .await
        .unwrap();
    worker.ready().await.unwrap();
    worker
}

async fn changed(keys: &KeysManagement) -> RotationReport {
    within(keys.key_changed(change())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_that_panic_fail_or_quote_a_key_are_told_as_in_the_keepers_process() {
    let quotes = |change: KeyChange| -> Result<(), String> {
        let new = change.new_keys.expect("declared");
        Err(format!(
            "cannot seal with {}",
            new.forward().expose_str().expect("text")
        ))
    };
    let panics = |_: KeyChange| -> Result<(), String> { panic!("out of ideas") };
    let fails = async |_: KeyChange| Err::<(), _>("the disk is full");
    let texts = async |keys: &KeysManagement, client: Option<&Client>| {
        let mut texts = Vec::new();
        for name in ["quotes", "panics", "fails"] {
            let worker = match client {
                None => keys.join(name).await.unwrap(),
                Some(client) => client.join(name).await.unwrap(),
            };
            let key = "documents";
            match name {
                "quotes" => worker.register_on_change(key, "c", quotes).await.unwrap(),
                "panics" => worker.register_on_change(key, "c", panics).await.unwrap(),
                _ => worker.register_on_change(key, "c", fails).await.unwrap(),
            }
            worker.ready().await.unwrap();
            let report = changed(keys).await;
            texts.push(error(&report, name, "c").to_owned());
            worker.leave().await.unwrap();
            keys.abort(report.id, &[name]).await.unwrap();
        }
        texts
    };
    let here = in_memory().await;
    define(&here, documents()).await;
    let here = texts(&here, None).await;
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let there = texts(&ground.keys, Some(&client)).await;
    assert_eq!(here, there);
    assert!(
        here.iter().all(|text| !text.contains("value_2")),
        "{here:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_beyond_its_limit_has_failed_and_the_next_waits_until_it_has_returned() {
    let keys = in_memory().await;
    let limit = Duration::from_millis(300);
    define(&keys, documents().callback_time_limit(limit)).await;
    let ground = Ground::serve(keys, |options| options).await;
    let client = at(&ground.path()).await;
    let gate = Gate::default();
    let (calls, of_calls) = (Arc::new(AtomicUsize::new(0)), gate.clone());
    let called = Arc::clone(&calls);
    let hangs = move |_: KeyChange| {
        if called.fetch_add(1, Ordering::SeqCst) == 0 {
            of_calls.pass_blocking();
        }
    };
    let _worker = joined(&client, "anna", hangs).await;
    let report = changed(&ground.keys).await;
    let said = error(&report, "anna", "reencrypt");
    assert_eq!(said, "time limit of 300ms passed; still running");
    ground.keys.resume(report.id).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "it has not returned");
    gate.open();
    let report = within(ground.keys.wait(report.id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_of_memory_that_has_an_effect_or_stages_something_has_failed() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let worker = client.join(Join::shared("web")).await.unwrap();
    let key = "documents";
    let touches = |_: KeyChange| Effect::Reencrypted;
    worker
        .register_in_memory(key, "touches", touches)
        .await
        .unwrap();
    worker.ready().await.unwrap();
    let report = changed(&ground.keys).await;
    assert!(error(&report, "web", "touches").contains("no effect and stages nothing"));
    ground.keys.abort(report.id, &["web"]).await.unwrap();
    ground
        .keys
        .remove_callback("web", key, "touches")
        .await
        .unwrap();
    let stages = |change: KeyChange| change.key.set_last_flow(SecretKeyFlow::BackPath);
    worker
        .register_in_memory(key, "stages", stages)
        .await
        .unwrap();
    let report = changed(&ground.keys).await;
    assert!(error(&report, "web", "stages").contains("no effect and stages nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_call_the_handle_declares_a_change_of_another_key() {
    let keys = in_memory().await;
    define(&keys, documents()).await;
    define(&keys, SecretKeyDefinition::round_trip("other", || "o")).await;
    let ground = Ground::serve(keys, |options| options).await;
    let client = at(&ground.path()).await;
    let declares = async |change: KeyChange| {
        let other = Change::of("other").old("o").new_keys("p");
        let declared = change.key.declare(other).await;
        declared.map(drop).map_err(|error| error.to_string())
    };
    let _worker = joined(&client, "anna", declares).await;
    let report = changed(&ground.keys).await;
    assert_eq!(report.state, RotationState::Completed, "{report}");
    until("the other one has ended", async || {
        let history = ground.keys.history(10).await.unwrap();
        history
            .rotations
            .iter()
            .any(|one| one.key.as_str() == "other")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_handle_frees_the_name_and_the_callback_under_way_counts() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let gate = Gate::default();
    let waits = gate.clone();
    let call = move |_: KeyChange| waits.pass_blocking();
    let worker = joined(&client, "anna", call).await;
    let id = ground.keys.declare(change()).await.unwrap();
    gate.arrived(1).await;
    drop(worker);
    let again = within(client.join(Join::sole("anna").waiting()))
        .await
        .unwrap();
    again
        .register_on_change("documents", "reencrypt", |_: KeyChange| {})
        .await
        .unwrap();
    again.ready().await.unwrap();
    gate.open();
    let report = within(ground.keys.wait(id)).await.unwrap();
    let step = step(&report, "anna", "reencrypt");
    assert_eq!((step.status, step.attempt), (CallbackStatus::Succeeded, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sole_worker_is_taken_by_one_process_at_a_time_and_a_shared_one_is_not() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let first = client.join("anna").await.unwrap();
    let taken = client.join("anna").await.unwrap_err();
    assert_eq!(taken.code(), "worker_name_taken");
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.join(Join::sole("anna").waiting()).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    drop(first);
    within(waiting).await.unwrap().unwrap();
    let web = client.join(Join::shared("web")).await.unwrap();
    let other = client.join(Join::shared("web")).await.unwrap();
    let sole = client.join("web").await.unwrap_err();
    assert_eq!(sole.code(), "other_sharing");
    let leaves = web.leave().await.unwrap_err();
    assert!(!leaves.is_retriable(), "{leaves}");
    drop((web, other));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_with_a_keeper_that_was_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let repo = MemoryRepo::new();
    let keeper = async || {
        let keys = builder().state_repo(repo.clone()).start().await.unwrap();
        define(&keys, documents()).await;
        let serving = keys.serve(ServeOptions::at(&socket)).await.unwrap();
        (keys, serving)
    };
    let (keys, serving) = keeper().await;
    let client = at(&socket).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let called = Arc::clone(&calls);
    let counts = move |_: KeyChange| {
        called.fetch_add(1, Ordering::SeqCst);
    };
    let worker = joined(&client, "anna", counts).await;
    assert_eq!(changed(&keys).await.state, RotationState::Completed);
    within(keys.shutdown()).await.unwrap();
    drop((keys, serving));
    let away = worker.get_key("documents").await.unwrap_err();
    assert!(away.is_retriable(), "{away:?}");
    let (keys, _serving) = keeper().await;
    let next = Change::of("documents").old("value_2").new_keys("value_3");
    let report = within(keys.key_changed(next)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed, "{report}");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    worker.get_key("documents").await.unwrap();
    worker.leave().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_callback_stages_beyond_a_message_has_failed_and_the_worker_goes_on() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let stages = |change: KeyChange| -> Result<(), String> {
        for _ in 0..6 {
            let large = vec![b'k'; 1024 * 1024];
            let mut other = large.clone();
            other[0] = b'o';
            let staged = change.key.set_previous_keys((large, other));
            staged.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let worker = joined(&client, "anna", stages).await;
    let report = changed(&ground.keys).await;
    let said = error(&report, "anna", "reencrypt");
    assert!(said.contains("8 MiB"), "{said}");
    worker.get_key("documents").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn async_callbacks_run_in_the_clients_process_many_at_once_and_end_as_blocking_ones_do() {
    let keys = in_memory().await;
    for name in ["fails", "panics"] {
        define(&keys, SecretKeyDefinition::round_trip(name, || "value_1")).await;
    }
    let hangs = SecretKeyDefinition::round_trip("hangs", || "value_1");
    let limit = Duration::from_millis(300);
    define(&keys, hangs.callback_time_limit(limit)).await;
    for no in 0..100 {
        define(
            &keys,
            SecretKeyDefinition::round_trip(format!("key {no}"), || "value_1"),
        )
        .await;
    }
    let ground = Ground::serve(keys, |options| options).await;
    let client = at(&ground.path()).await;
    let worker = client.join("anna").await.unwrap();
    let fails = async |_: KeyChange| Err::<(), _>("the disk is full");
    worker
        .register_on_change("fails", "c", fails)
        .await
        .unwrap();
    let panics = async |_: KeyChange| -> Result<(), String> { panic!("out of ideas") };
    worker
        .register_on_change("panics", "c", panics)
        .await
        .unwrap();
    let hangs = async |_: KeyChange| std::future::pending::<()>().await;
    worker
        .register_on_change("hangs", "c", hangs)
        .await
        .unwrap();
    // More than there are threads: all of them wait at one gate at once.
    let gate = Gate::default();
    for no in 0..100 {
        let waits = gate.clone();
        let call = move |_: KeyChange| {
            let waits = waits.clone();
            async move {
                waits.pass().await;
                Effect::Reencrypted
            }
        };
        worker
            .register_on_change(&format!("key {no}"), "c", call)
            .await
            .unwrap();
    }
    worker.ready().await.unwrap();
    for (key, wanted) in [
        ("fails", "the disk is full"),
        ("panics", "out of ideas"),
        ("hangs", "time limit of 300ms passed"),
    ] {
        let change = Change::of(key).old("value_1").new_keys("value_2");
        let report = within(ground.keys.key_changed(change)).await.unwrap();
        let said = error(&report, "anna", "c");
        assert!(said.contains(wanted), "{said}");
    }
    let mut ids = Vec::new();
    for no in 0..100 {
        let change = Change::of(format!("key {no}"))
            .old("value_1")
            .new_keys("value_2");
        ids.push(within(ground.keys.declare(change)).await.unwrap());
    }
    gate.arrived(100).await;
    gate.open();
    for id in ids {
        let report = within(ground.keys.wait(id)).await.unwrap();
        assert_eq!(report.state, RotationState::Completed, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_memory_names_instance_and_process() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let worker = client.join(Join::shared("web")).await.unwrap();
    let fails = |_: KeyChange| Err::<(), _>("no room for it");
    worker
        .register_in_memory("documents", "load", fails)
        .await
        .unwrap();
    worker.ready().await.unwrap();
    let report = changed(&ground.keys).await;
    assert_eq!(report.state, RotationState::Stopped);
    let number = ground.keys.workers().await.unwrap();
    let number = number
        .iter()
        .flat_map(|worker| &worker.instances)
        .next()
        .unwrap()
        .instance;
    let process = std::process::id();
    let wanted = format!("instance {number} (process {process}): no room for it");
    assert_eq!(error(&report, "web", "load"), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_an_operator_removes_hears_it_in_the_keepers_process_and_in_another() {
    let ground = Ground::new().await;
    let client = at(&ground.path()).await;
    let here = ground.keys.join("here").await.unwrap();
    let there = client.join("there").await.unwrap();
    there.ready().await.unwrap();
    for worker in [here, there] {
        let removes = async {
            ground.keys.remove_worker(worker.name()).await.unwrap();
        };
        let (why, ()) = within(async { tokio::join!(worker.removed(), removes) }).await;
        assert_eq!(why.code(), "unknown_worker", "{why}");
        assert_eq!(worker.removed().await.code(), "unknown_worker");
    }
}
