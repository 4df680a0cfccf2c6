//! A program that quotes its keys wherever it can: none of them is in the folder, in the log or in
//! anything that it is answered.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::management::builder::KeysManagementBuilder;
use keyward::{
    Change, Effect, KeyChange, KeysManagement, OnKeyChangedCallbackErrorStrategy as Strategy,
    RotationError, RotationState, SecretKeyDefinition, SecretKeyFlow,
};

use crate::canary::{self, DECLARED, MASTER, OTHER_MASTER, SET, TOKEN, TOLD, shown};
use crate::heard::{Said, log};
use crate::support::{self, Gate, until, within};

/// A builder with the master key of these tests.
pub fn builder() -> KeysManagementBuilder {
    support::builder().master_key(|| MASTER)
}

/// A manager on this folder.
pub async fn manager(folder: &Path) -> KeysManagement {
    let started = builder().data_folder(folder).start().await;
    started.expect("it starts")
}

/// A stated key whose rotations raise at their end.
pub fn documents() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("documents", canary::old)
        .stateless(false)
        .error_strategy(Strategy::SkipAndRaise)
}

/// Defines a stated and a one-way key.
pub async fn define(manager: &KeysManagement) {
    let token = SecretKeyDefinition::one_way("token", || TOKEN);
    for definition in [documents(), token] {
        support::define(manager, definition).await;
    }
}

/// What a callback says that quotes the keys of its own rotation in every form.
fn quote(change: &KeyChange) -> String {
    let pairs = [&change.old_keys, &change.new_keys];
    let halves = pairs.into_iter().flatten();
    let halves = halves.flat_map(|pair| [pair.forward(), pair.back()]);
    let texts: Vec<String> = halves
        .flat_map(|half| shown(half.expose_str().expect("text")))
        .collect();
    format!("{change:?} {}", texts.join(" and "))
}

/// Asks for every key on every flow, and saves the state of one after its forward path, when the
/// record holds a key.
pub async fn ask_for_keys(manager: &KeysManagement, said: &Said) {
    for key in ["documents", "token", "missing"] {
        for flow in [
            SecretKeyFlow::Default,
            SecretKeyFlow::BackPath,
            SecretKeyFlow::ForwardPath,
        ] {
            match manager.get_key_on(key, flow).await {
                Ok(answer) => said.add(&answer),
                Err(error) => said.error(error),
            }
        }
    }
    manager.save_state("documents").await.expect("it is saved");
}

/// A store that answers once, and later quotes what it answered.
async fn let_a_store_quote(manager: &KeysManagement, said: &Said) {
    let calls = AtomicUsize::new(0);
    let store = move || match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(TOLD),
        1 => panic!("the store panics with {TOLD}"),
        _ => Err(format!("the store fails with {TOLD} {:?}", shown(TOLD))),
    };
    support::define(manager, SecretKeyDefinition::round_trip("quoted", store)).await;
    let first = manager.get_forward_path_key("quoted").await;
    first.expect("it answers once");
    for _ in 0..2 {
        let error = manager.get_forward_path_key("quoted").await;
        said.error(error.expect_err("it quotes"));
    }
}

/// Callbacks that fail, panic and set; then declarations that are refused.
pub async fn let_callbacks_quote(manager: &KeysManagement, said: &Said) {
    let worker = manager.join("w1").await.expect("it joins");
    let fails = |change: KeyChange| Err::<(), _>(quote(&change));
    let panics = |change: KeyChange| -> Effect { panic!("{}", quote(&change)) };
    let sets = |change: KeyChange| {
        let flow = change.key.set_last_flow(SecretKeyFlow::ForwardPath);
        let set = change.key.set_previous_keys(SET);
        flow.and(set).expect("both fit");
    };
    let registered = [
        worker.register_on_change("documents", "fails", fails).await,
        worker
            .register_on_change("documents", "panics", panics)
            .await,
        worker.register_on_change("documents", "sets", sets).await,
    ];
    assert!(registered.iter().all(Result::is_ok), "{registered:?}");
    let change = Change::of("documents")
        .old(canary::old())
        .new_keys(canary::new());
    said.add(&change);
    let error = within(manager.key_changed(change)).await;
    let error = error.expect_err("it raises");
    let RotationError::Raised { report } = &error else {
        panic!("{error}");
    };
    assert_eq!(report.state, RotationState::CompletedWithFailures);
    said.add(&report);
    let id = report.id;
    said.error(error);
    said.add(&manager.recover_keys(id).await.expect("it holds keys still"));
    for change in [
        Change::of("documents").old(DECLARED).new_keys(DECLARED),
        Change::of("token").new_keys(canary::new()),
        Change::of("documents").old(DECLARED).id(id.as_uuid()),
        Change::of("missing").new_keys(DECLARED),
    ] {
        said.error(manager.declare(change).await.expect_err("it is refused"));
    }
    let error = manager.abort(id, &[]).await;
    said.error(error.expect_err("it must be confirmed"));
}

/// Leaves a rotation whose keys are in the journal.
pub async fn leave_one_running(manager: &KeysManagement, said: &Said) {
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = held.clone();
        async move { gate.pass().await }
    };
    let registered = manager.register_on_change("token", "waits", waits).await;
    registered.expect("it registers");
    let change = Change::of("token").old(TOKEN).new_keys(DECLARED);
    manager.declare(change).await.expect("it is accepted");
    gate.arrived(1).await;
    said.add(&manager.status().await.expect("a status"));
    said.add(&manager.history(10).await.expect("a history"));
}

async fn refuse_to_start(folder: &Path, said: &Said) {
    let started = builder().data_folder(folder).start().await;
    said.error(started.map(drop).expect_err("it is open already"));
    let elsewhere = folder.join("elsewhere");
    let mut refused = 0;
    for master_key in [MASTER, OTHER_MASTER, &MASTER[..20]] {
        let builder = builder().master_key(move || master_key);
        match builder.data_folder(&elsewhere).start().await {
            Ok(manager) => manager.shutdown().await.expect("it shuts down"),
            Err(error) => {
                said.error(error);
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2, "one is another database's, one is too short");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plain_key_is_in_the_folder_in_the_log_or_in_any_text() {
    let (log, said) = (log(), Said::default());
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");

    let first = manager(&data).await;
    define(&first).await;
    said.add(&documents());
    ask_for_keys(&first, &said).await;
    let_a_store_quote(&first, &said).await;
    let_callbacks_quote(&first, &said).await;
    leave_one_running(&first, &said).await;
    assert!(canary::not_in_folder(&data) > 4, "while everything is open");
    refuse_to_start(&data, &said).await;
    first.shutdown().await.expect("it shuts down");
    until("the folder is free", async || {
        match builder().data_folder(&data).start().await {
            Ok(second) => {
                said.add(&second.status().await.expect("a status"));
                second.shutdown().await.expect("it shuts down");
                true
            }
            Err(_) => false,
        }
    })
    .await;

    assert!(canary::not_in_folder(&data) > 4, "the folder is empty");
    log.assert_clean();
    let lines = String::from_utf8(log.all()).expect("text");
    assert!(lines.contains("rotation settled"), "{lines}");
    let all = said.all();
    assert!(
        all.contains("panicked: (withheld: the text contains a key value)"),
        "{all}"
    );
    said.assert_clean();
}
