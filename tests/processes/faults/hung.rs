//! A repo that hangs in the middle of a write: no call waits for it beyond its limit.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use keyward::repo::space::Space;
use keyward::worker::callback::KeyChange;
use keyward::{
    Change, KeysManagement, RotationId, RotationState, SecretKeyDefinition, SecretKeyValue, Uuid,
    Worker,
};

use crate::faults::ground::{Ground, change, reopening, stated};
use crate::support::faulty::Fault;
use crate::support::{self, Gate, define, within};

/// The limit of every call here: long beside what a call takes, short beside what a test waits.
const LIMIT: Duration = Duration::from_millis(1_500);

/// What each call that needs the repo answers.
type Answer = (&'static str, Option<(&'static str, bool)>);

/// Calls that are made at once.
type Calls<'a> = Vec<Pin<Box<dyn Future<Output = Answer> + 'a>>>;

macro_rules! calls {
    ($($name:literal => $call:expr),* $(,)?) => {{
        let calls: Calls<'_> = vec![$(Box::pin(async move {
            let answer = tokio::time::timeout(support::LIMIT, $call).await;
            let answer = answer.unwrap_or_else(|_| panic!("{} hangs", $name));
            ($name, answer.err().map(|error| (error.code(), error.is_retriable())))
        })),*];
        calls
    }};
}

/// A definition with this limit, of a key whose callbacks fail.
fn limited(definition: SecretKeyDefinition) -> SecretKeyDefinition {
    definition.request_time_limit(LIMIT)
}

/// A rotation that a callback stopped, so that its keys are in the journal only.
async fn stopped(manager: &KeysManagement) -> RotationId {
    let key = SecretKeyDefinition::round_trip("documents", || "value_1");
    define(manager, limited(key)).await;
    let fails = |_: KeyChange| Err::<(), _>("it fails");
    let registered = manager.register_on_change("documents", "fails", fails);
    registered.await.expect("it registers");
    let report = within(manager.key_changed(change("documents"))).await;
    let report = report.expect("the strategy halts");
    assert_eq!(report.state, RotationState::Stopped);
    report.id
}

fn of_keys(manager: &KeysManagement) -> Calls<'_> {
    calls!(
        "get_back_path_key" => manager.get_back_path_key("notes"),
        "save_state" => manager.save_state("letters"),
        "save_states" => manager.save_states(),
    )
}

fn of_the_coordinator<'a>(
    manager: &'a KeysManagement,
    worker: &'a Worker,
    stopped: RotationId,
    ended: RotationId,
) -> Calls<'a> {
    let never = |_: KeyChange| Err::<(), _>("it is never called");
    let late = SecretKeyDefinition::round_trip("late", || "value_1");
    calls!(
        "declare" => manager.declare(Change::of("documents").new_keys("value_3")),
        "key_changed" => manager.key_changed(Change::of("documents").new_keys("value_3")),
        "define_key" => manager.define_key(late),
        "join" => manager.join("late"),
        "register_on_change" => manager.register_on_change("documents", "late", never),
        "register_on_change of a worker" => worker.register_on_change("letters", "late", never),
        "leave" => worker.leave(),
        "resume one that has ended" => manager.resume(ended),
        "recover_keys" => manager.recover_keys(stopped),
        "history" => manager.history(10),
        "history_before" => manager.history_before(10, 10),
        "remove_callback" => manager.remove_callback("main", "documents", "fails"),
        "remove_worker" => manager.remove_worker("leaves"),
        "abort" => manager.abort(stopped, &["main"]),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_waits_for_a_repo_that_hangs_beyond_its_limit() {
    let ground = Ground::memory();
    let repo = ground.repo();
    let manager = reopening().state_repo(repo.clone()).call_time_limit(LIMIT);
    let manager = manager.start().await.expect("it starts");
    let stopped = stopped(&manager).await;
    define(&manager, limited(stated("letters"))).await;
    define(&manager, limited(stated("notes"))).await;
    let forward = manager.get_forward_path_key("letters").await;
    forward.expect("its store answers");
    let ended = within(manager.key_changed(change("letters"))).await;
    let ended = ended.expect("it has no steps").id;
    let worker = manager.join("worker").await.expect("it joins");
    drop(manager.join("leaves").await.expect("it joins"));

    let gate = Gate::default();
    repo.next_write(Space::Rotations, Fault::Waits(gate.clone()));
    let own = Uuid::from_u128(77);
    let held = within(manager.declare(Change::of("letters").new_keys("value_4").id(own))).await;
    let held = held.expect_err("its write hangs");
    assert_eq!(held.code(), "timed_out");
    assert!(held.to_string().contains(&own.to_string()), "{held}");

    let single = manager.get_single_management("documents");
    let single = single.expect("it is defined");
    let candidates = join3(
        manager.back_path_candidates("documents"),
        worker.back_path_candidates("documents"),
        single.back_path_candidates(),
    );
    // A record that is not read in time hides nothing of the rest.
    let (of_manager, of_worker, of_handle) = within(candidates).await;
    for found in [of_manager, of_worker, of_handle] {
        let found = found.expect("its store answers");
        let found: Vec<_> = found.iter().map(SecretKeyValue::expose).collect();
        assert_eq!(found, [b"value_1"]);
    }
    let mut calls = of_keys(&manager);
    calls.extend(of_the_coordinator(&manager, &worker, stopped, ended));
    for (call, answer) in join_all(calls).await {
        assert_eq!(answer, Some(("timed_out", true)), "{call}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let backup = within(manager.backup(folder.path().join("copy"))).await;
    assert_eq!(backup.expect_err("the repo hangs").code(), "timed_out");
    // What needs no repo answers.
    within(manager.status()).await.expect("it answers");

    gate.open();
    // What timed out may have been done, and leaves nothing behind that is in the way.
    let id = within(manager.declare(Change::of("letters").new_keys("value_4").id(own))).await;
    drop(
        within(manager.wait(id.expect("it is the same declaration")))
            .await
            .expect("it ends"),
    );
    let late = within(crate::support::until("the name is free", async || {
        manager.join("late").await.is_ok()
    }));
    late.await;
    within(manager.shutdown()).await.expect("it shuts down");
}
