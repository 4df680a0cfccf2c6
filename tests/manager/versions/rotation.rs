//! A rotation between versions, end to end in one process.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyward::repo::space::Space;
use keyward::{
    Change, Effect, KeyChange, KeysManagement, RotationState, SecretKeyDefinition, SecretKeyPair,
    VersionId, VersionListing, VersionState, split, tag,
};

use crate::support::{until, within};
use crate::world::{Disk, Source, end};

/// How long a copy may be written with, in these tests.
const DRAIN: Duration = Duration::from_millis(300);

fn documents(source: &Source) -> SecretKeyDefinition {
    source.documents().versions(true).drain(DRAIN)
}

async fn current(manager: &KeysManagement) -> (String, VersionId) {
    let key = within(manager.get_forward_path_key("documents")).await;
    let key = key.unwrap();
    let version = key.version.unwrap();
    (key.expose_str().unwrap().to_owned(), version.id)
}

async fn by_id(manager: &KeysManagement, id: VersionId) -> Result<String, &'static str> {
    let half = within(manager.get_version("documents", id)).await;
    half.map(|half| half.expose_str().unwrap().to_owned())
        .map_err(|error| error.code())
}

async fn versions(manager: &KeysManagement) -> Vec<VersionListing> {
    within(manager.versions("documents")).await.unwrap()
}

async fn states(manager: &KeysManagement) -> Vec<(u64, VersionState)> {
    let listed = versions(manager).await;
    listed.iter().map(|of| (of.number, of.state)).collect()
}

fn owes(listed: &[VersionListing], number: u64) -> Vec<String> {
    let version = listed.iter().find(|of| of.number == number).unwrap();
    version
        .debts
        .iter()
        .map(|of| of.worker.to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_before_and_while_a_key_rotates_is_read_by_its_id_after() {
    let (disk, source) = (Disk::default(), Source::new("one"));
    let manager = disk.life_with(documents(&source)).await;
    let anna = manager.join("anna").await.unwrap();
    let key = anna.get_forward_path_key("documents").await.unwrap();
    let first = key.version.unwrap();
    assert_eq!((key.expose_str(), first.number), (Some("one"), 1));
    let stored = tag(first.id, b"sealed with one");
    assert_eq!(owes(&versions(&manager).await, 1), ["anna"]);

    let seen = Arc::new(Mutex::new(None));
    let sees = Arc::clone(&seen);
    let reencrypt = move |change: KeyChange| {
        let sees = Arc::clone(&sees);
        async move {
            let (old, new) = (change.key.old_version(), change.key.new_version());
            let half = change.key.get_version(old.unwrap()).await;
            let half = half.map(|half| half.expose_str().unwrap().to_owned());
            let flow = change.key.last_flow();
            let keys = (change.old_keys, change.new_keys);
            *sees.lock().unwrap() = Some((old, new, half.unwrap(), flow.unwrap(), keys));
            Effect::Reencrypted
        }
    };
    anna.register_on_change("documents", "reencrypt", reencrypt)
        .await
        .unwrap();
    let began = Instant::now();
    let change = Change::of("documents").new_keys("two");
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert!(
        began.elapsed() >= DRAIN,
        "a copy was out that was just given"
    );

    let (value, second) = current(&manager).await;
    assert_eq!(value, "two");
    let (id, _) = split(&stored).unwrap();
    assert_eq!(by_id(&manager, id).await, Ok("one".to_owned()));
    assert_eq!(by_id(&manager, second).await, Ok("two".to_owned()));
    let seen = seen.lock().unwrap().take().unwrap();
    assert_eq!((seen.0, seen.1), (Some(first.id), Some(second)));
    assert_eq!(
        (seen.2.as_str(), seen.3),
        ("one", Some(keyward::SecretKeyFlow::ForwardPath))
    );
    assert_eq!(
        (seen.4.0, seen.4.1),
        (
            Some(SecretKeyPair::of("one")),
            Some(SecretKeyPair::of("two"))
        )
    );
    let listed = versions(&manager).await;
    assert!(
        owes(&listed, 1).is_empty(),
        "anna has re-encrypted all of it"
    );
    assert_eq!(owes(&listed, 2), ["anna", "main"]);
    let known = [(2, VersionState::Active), (1, VersionState::Deactivated)];
    assert_eq!(states(&manager).await, known);

    // No store is asked for any of it, and all of it is there in the next life.
    let calls = source.calls();
    end(manager).await;
    source.fail();
    let manager = disk.life_with(documents(&source)).await;
    assert_eq!(current(&manager).await, ("two".to_owned(), second));
    assert_eq!(by_id(&manager, id).await, Ok("one".to_owned()));
    assert_eq!(states(&manager).await, known);
    assert_eq!(source.calls(), calls);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_copies_that_nobody_was_given() {
    let source = Source::new("one");
    let far = documents(&source).drain(Duration::from_secs(3_600));
    let manager = Disk::default().life_with(far).await;
    for new in ["two", "three"] {
        let change = Change::of("documents").new_keys(new);
        let report = within(manager.key_changed(change)).await.unwrap();
        assert_eq!(report.state, RotationState::Completed);
    }
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_callback_of_data_runs_before_a_copy_that_was_given_is_out_of_use_also_in_the_next_life()
{
    let (disk, source) = (Disk::default(), Source::new("one"));
    let far = || documents(&source).drain(Duration::from_secs(3_600));
    let manager = disk.life_with(far()).await;
    current(&manager).await;
    let called = |_: KeyChange| -> Effect { panic!("a copy of the old version is in use") };
    manager
        .register_on_change("documents", "reencrypt", called)
        .await
        .unwrap();
    let change = Change::of("documents").new_keys("two");
    let id = manager.declare(change).await.unwrap();
    // It turns at once.
    while current(&manager).await.0 != "two" {
        tokio::task::yield_now().await;
    }
    let aborted = manager.abort(id, &["main"]).await;
    assert_eq!(aborted.unwrap_err().code(), "mixed_writers");
    end(manager).await;

    let manager = disk.life_with(far()).await;
    assert_eq!(current(&manager).await.0, "two");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let known = [(2, VersionState::Active), (1, VersionState::Active)];
    assert_eq!(states(&manager).await, known);
    end(manager).await;

    // With a drain that has passed since this start, it goes on.
    let manager = disk.life_with(documents(&source)).await;
    manager
        .register_on_change("documents", "reencrypt", |_: KeyChange| Effect::Reencrypted)
        .await
        .unwrap();
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debt_stays_where_a_worker_has_no_callback_and_where_one_failed() {
    let source = Source::new("one");
    let manager = Disk::default().life_with(documents(&source)).await;
    let (anna, bob) = (
        manager.join("anna").await.unwrap(),
        manager.join("bob").await.unwrap(),
    );
    for worker in [&anna, &bob] {
        worker.get_forward_path_key("documents").await.unwrap();
    }
    let fails = |_: KeyChange| Err::<(), _>("not yet");
    anna.register_on_change("documents", "reencrypt", fails)
        .await
        .unwrap();
    let change = Change::of("documents").new_keys("two");
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    let listed = versions(&manager).await;
    assert_eq!(owes(&listed, 1), ["anna", "bob"]);
    assert_eq!(owes(&listed, 2), ["anna"], "she was called with it");

    // An abort leaves what stands.
    manager.abort(report.id, &["anna"]).await.unwrap();
    let known = [(2, VersionState::Active), (1, VersionState::Deactivated)];
    assert_eq!(states(&manager).await, known);
    assert_eq!(owes(&versions(&manager).await, 1), ["anna", "bob"]);
    assert_eq!(current(&manager).await.0, "two");
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debt_ends_when_the_stated_lifetime_of_data_is_over_and_not_before_all_write() {
    let source = Source::new("one");
    let lives = Duration::from_millis(50);
    let tokens = documents(&source).data_lives(lives);
    let manager = Disk::default().life_with(tokens).await;
    current(&manager).await;
    tokio::time::sleep(2 * lives).await;
    assert_eq!(
        owes(&versions(&manager).await, 1),
        ["main"],
        "it is current"
    );
    let change = Change::of("documents").new_keys("two");
    drop(within(manager.key_changed(change)).await.unwrap());
    let is_over = async || owes(&versions(&manager).await, 1).is_empty();
    until("version 1 owes nothing more", is_over).await;
    assert_eq!(current(&manager).await.0, "two");
    tokio::time::sleep(2 * lives).await;
    assert_eq!(owes(&versions(&manager).await, 2), ["main"]);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_turns_makes_the_stopped_one_before_it_obsolete_and_pays_for_both() {
    let source = Source::new("one");
    let manager = Disk::default().life_with(documents(&source)).await;
    let anna = manager.join("anna").await.unwrap();
    anna.get_forward_path_key("documents").await.unwrap();
    let calls = Arc::new(Mutex::new(0));
    let fails_first = move |_: KeyChange| {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        match *calls {
            1 => Err("not yet"),
            _ => Ok(Effect::Reencrypted),
        }
    };
    anna.register_on_change("documents", "reencrypt", fails_first)
        .await
        .unwrap();
    let change = |new: &str| Change::of("documents").new_keys(new);
    let first = within(manager.key_changed(change("two"))).await.unwrap();
    assert_eq!(first.state, RotationState::Stopped);
    let second = within(manager.key_changed(change("three"))).await.unwrap();
    assert_eq!(second.state, RotationState::Completed);
    let first = within(manager.wait(first.id)).await.unwrap();
    assert_eq!(first.state, RotationState::Obsolete);
    let known = [
        (3, VersionState::Active),
        (2, VersionState::Deactivated),
        (1, VersionState::Deactivated),
    ];
    assert_eq!(states(&manager).await, known);
    let listed = versions(&manager).await;
    assert!(owes(&listed, 1).is_empty() && owes(&listed, 2).is_empty());
    assert_eq!(owes(&listed, 3), ["anna"]);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_before_the_turn_leaves_no_trace_of_the_new_version() {
    let (disk, source) = (Disk::default(), Source::new("one"));
    let manager = disk.life_with(documents(&source)).await;
    manager
        .register_on_change("documents", "waits", |_: KeyChange| Err::<(), _>("not yet"))
        .await
        .unwrap();
    current(&manager).await;
    // The first one has the key's turn as long as a copy may be written with; the second one waits.
    end(manager).await;
    let far = documents(&source).drain(Duration::from_secs(3_600));
    let manager = disk.life_with(far).await;
    let change = |new: &str| Change::of("documents").new_keys(new);
    manager.declare(change("two")).await.unwrap();
    let waits = manager.declare(change("three")).await.unwrap();
    let pending = versions(&manager).await[0].id;
    assert_eq!(by_id(&manager, pending).await, Ok("three".to_owned()));
    let values = disk.all(Space::Versions).len();
    manager.abort(waits, &["main"]).await.unwrap();
    assert_eq!(by_id(&manager, pending).await, Err("version_unknown"));
    assert_eq!(versions(&manager).await.len(), 2);
    assert!(disk.all(Space::Versions).len() < values);
    // Its value may be given anew, for nothing of it is known any more.
    manager.declare(change("three")).await.unwrap();
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_key_with_versions_needs_new_keys_that_no_version_has() {
    let source = Source::new("one");
    let manager = Disk::default().life_with(documents(&source)).await;
    let code = async |change| {
        let changed = within(manager.key_changed(change)).await;
        changed
            .map(|report| report.state)
            .map_err(|error| error.code())
    };
    let change = || Change::of("documents");
    assert_eq!(code(change()).await, Err("needs_new_keys"));
    assert_eq!(code(change().new_keys("one")).await, Err("known_version"));
    let completed = Ok(RotationState::Completed);
    // What was said of the old keys does not matter: they are the current version.
    assert_eq!(code(change().old("other").new_keys("two")).await, completed);
    assert_eq!(code(change().new_keys("one")).await, Err("known_version"));
    assert_eq!(code(change().new_keys("one").again()).await, completed);
    assert_eq!(current(&manager).await.0, "one");
    assert_eq!(versions(&manager).await.len(), 3);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keyward_makes_a_value_of_so_many_bytes_and_answers_the_same_rotation_under_the_same_id() {
    let source = Source::new("one");
    let manager = Disk::default().life_with(documents(&source)).await;
    let id = uuid::Uuid::from_u128(7);
    let change = || Change::of("documents").generate(32).id(id);
    let report = within(manager.key_changed(change())).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    let key = within(manager.get_forward_path_key("documents"))
        .await
        .unwrap();
    assert_eq!(key.expose().len(), 32);
    assert_eq!(manager.declare(change()).await.unwrap(), report.id);
    assert_eq!(versions(&manager).await.len(), 2);
    for (bytes, code) in [(0, "invalid_key"), (65_537, "invalid_key")] {
        let change = Change::of("documents").generate(bytes);
        assert_eq!(manager.declare(change).await.unwrap_err().code(), code);
    }
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_versions_are_readable_than_the_bound_and_the_refusal_says_what_keeps_each() {
    let source = Source::new("one");
    let few = documents(&source).max_readable_versions(2);
    let manager = Disk::default().life_with(few).await;
    current(&manager).await;
    let change = |new: &str| Change::of("documents").new_keys(new);
    drop(within(manager.key_changed(change("two"))).await.unwrap());
    let error = manager.declare(change("three")).await.unwrap_err();
    assert_eq!(error.code(), "too_many_versions");
    let text = error.to_string();
    assert!(
        text.contains("it is current") && text.contains("it owes main"),
        "{text}"
    );
    end(manager).await;
}
