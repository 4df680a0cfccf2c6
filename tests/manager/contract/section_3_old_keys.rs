//! Section 3: the old keys that a change did not give, keys from stores, and what a store answers
//! beside what was declared.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyward::repo::space::Space;
use keyward::{
    Change, FileStore, KeyChange, KeysManagement, RotationState, SecretKeyDefinition,
    SecretKeyPair, SecretKeys, Uuid,
};

use crate::support::log::Log;
use crate::support::{Gate, Story, define, until, within};
use crate::world::{Disk, Source, declare, end, facts, fails_until, forward, waits_at, with};

fn change() -> Change {
    Change::of("documents")
}

fn shown(pair: Option<SecretKeyPair>) -> String {
    pair.map_or("none".to_owned(), |pair| {
        pair.back().expose_str().unwrap().to_owned()
    })
}

/// Registers a callback that tells the old and the new keys that it is given.
async fn tells(manager: &KeysManagement) -> Story {
    let story = Story::default();
    let told = story.clone();
    let call = move |change: KeyChange| {
        let (old, new) = (shown(change.old_keys), shown(change.new_keys));
        told.tell(format!("{old} {new}"));
    };
    let registered = manager.register_on_change("documents", "tells", call);
    registered.await.unwrap();
    story
}

async fn completes(manager: &KeysManagement, change: Change) {
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
}

async fn refused(manager: &KeysManagement, change: Change) -> String {
    let error = within(manager.declare(change)).await.unwrap_err();
    error.code().to_owned()
}

/// The keys that the status names: with the old store, and with another one.
async fn named(manager: &KeysManagement) -> (usize, usize) {
    let status = within(manager.status()).await.unwrap();
    (
        status.keys_with_old_store().count(),
        status.keys_with_other_store().count(),
    )
}

#[tokio::test]
async fn the_second_of_two_changes_gets_the_new_keys_of_the_first_as_its_old_ones() {
    let manager = with(Source::new("value_1").documents()).await;
    forward(&manager).await;
    let gate = Gate::default();
    let waits = waits_at(&gate);
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .unwrap();
    let story = tells(&manager).await;
    // The first runs, the second waits.
    let mut ids = Vec::new();
    for new in ["value_2", "value_3"] {
        ids.push(declare(&manager, new).await);
    }
    gate.arrived(1).await;
    ids.push(declare(&manager, "value_4").await);
    gate.open();
    for id in ids {
        drop(within(manager.wait(id)).await.unwrap());
    }
    let expected = ["value_1 value_2", "value_2 value_3", "value_3 value_4"];
    assert_eq!(story.lines(), expected);
}

#[tokio::test]
async fn a_change_after_a_stopped_one_gets_what_is_held() {
    let manager = with(Source::new("value_1").documents()).await;
    forward(&manager).await;
    let story = tells(&manager).await;
    let mended = fails_until(&manager, "fails").await;
    let stopped = declare(&manager, "value_2").await;
    drop(within(manager.wait(stopped)).await.unwrap());
    mended.store(true, std::sync::atomic::Ordering::SeqCst);
    completes(&manager, change().new_keys("value_3")).await;
    assert_eq!(story.lines(), ["value_1 value_2", "value_1 value_3"]);
}

#[tokio::test]
async fn changes_that_are_declared_at_once_are_a_chain_of_old_and_new_keys() {
    let manager = with(Source::new("v").documents()).await;
    let chain = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&chain);
    let call = move |change: KeyChange| {
        let pair = (shown(change.old_keys), shown(change.new_keys));
        told.lock().unwrap().push(pair);
        std::thread::sleep(Duration::from_millis(1));
    };
    forward(&manager).await;
    manager
        .register_on_change("documents", "tells", call)
        .await
        .unwrap();
    let declaring: Vec<_> = (0..40)
        .map(|number| {
            let manager = manager.clone();
            let mut change = change().new_keys(format!("n{number}"));
            if number % 2 == 0 {
                change = change.id(Uuid::from_u128(1_000 + number));
            }
            tokio::spawn(async move { manager.key_changed(change).await })
        })
        .collect();
    for declared in declaring {
        drop(within(declared).await.unwrap().unwrap());
    }
    let chain = chain.lock().unwrap().clone();
    assert_eq!(chain.len(), 40);
    for (before, after) in chain.iter().zip(&chain[1..]) {
        // One that had ended when the next was declared leaves what is held.
        assert!(after.0 == before.1 || after.0 == "v", "{chain:?}");
    }
    assert!(chain.iter().filter(|(old, _)| old != "v").count() > 0);
}

#[tokio::test]
async fn without_old_keys_a_change_is_accepted_and_a_warning_names_both_remedies() {
    let source = Source::new("value_1");
    let disk = Disk::default();
    let log = Log::begin();
    let manager = disk.life_with(source.documents()).await;
    let story = tells(&manager).await;
    let id = declare(&manager, "value_2").await.to_string();
    until("the warning is traced", async || {
        let words = [
            "WARN",
            id.as_str(),
            "documents",
            "Change::old",
            "old_from_store",
        ];
        log.lines(&words).len() == 1
    })
    .await;
    until("it was called", async || story.lines() == ["none value_2"]).await;
    assert_eq!(source.calls(), 0);
    forward(&manager).await;
    let id = declare(&manager, "value_3").await;
    drop(within(manager.wait(id)).await.unwrap());
    let id = id.to_string();
    assert_eq!(log.lines(&[&id, "old_from_store"]), [""; 0]);
}

#[tokio::test]
async fn old_from_store_asks_the_store_once_and_holds_nothing() {
    let source = Source::new(("f", "b"));
    let disk = Disk::default();
    let manager = disk.life_with(source.documents()).await;
    let story = tells(&manager).await;
    let asks = || change().old_from_store().new_keys("value_2");
    completes(&manager, asks()).await;
    assert_eq!(story.lines(), ["b value_2"]);
    assert_eq!(source.calls(), 1);
    let known = facts(&manager).await.facts;
    assert_eq!((known.holds, known.last_flow), (false, None));
    // Nothing is journaled before the store has answered.
    let before = disk.all(Space::Rotations);
    source.fail();
    assert_eq!(refused(&manager, asks()).await, "store_failed");
    source.set("");
    assert_eq!(refused(&manager, asks()).await, "invalid_key");
    source.set("value_2");
    assert_eq!(refused(&manager, asks()).await, "same_keys");
    assert_eq!(disk.all(Space::Rotations), before);
    assert_eq!(source.calls(), 4);
    define(&manager, source.one_way("token")).await;
    let token = Change::of("token").old_from_store().new_keys("t");
    // While it waits or runs, its new keys would be asked for.
    completes(&manager, token).await;
    source.set(("a", "a"));
    let token = Change::of("token").old_from_store().new_keys("t");
    assert_eq!(refused(&manager, token).await, "invalid_key");
}

#[tokio::test]
async fn while_a_change_waits_or_runs_old_from_store_is_its_new_keys_and_the_store_is_not_asked() {
    let source = Source::new("value_1");
    let manager = with(source.documents()).await;
    let gate = Gate::default();
    let waits = waits_at(&gate);
    manager
        .register_on_change("documents", "waits", waits)
        .await
        .unwrap();
    let story = tells(&manager).await;
    let first = declare(&manager, "value_2").await;
    gate.arrived(1).await;
    let asks = |new: &str| change().old_from_store().new_keys(new);
    assert_eq!(refused(&manager, asks("value_2")).await, "same_keys");
    let second = within(manager.declare(asks("value_3"))).await.unwrap();
    let without = within(manager.declare(change().old("value_3")))
        .await
        .unwrap();
    assert_eq!(
        refused(&manager, asks("value_4")).await,
        "rotation_unfinished"
    );
    assert_eq!(source.calls(), 0);
    gate.open();
    for id in [first, second, without] {
        drop(within(manager.wait(id)).await.unwrap());
    }
    let expected = ["none value_2", "value_2 value_3", "value_3 none"];
    assert_eq!(story.lines(), expected);
    within(manager.declare(asks("value_4"))).await.unwrap();
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn new_keys_from_a_store_are_read_as_the_keys_own_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        FileStore::new(path)
    };
    let limit = Duration::from_secs(3);
    let source = Source::new("value_1");
    let manager = with(source.documents().store_time_limit(limit)).await;
    define(&manager, source.one_way("token")).await;
    let story = tells(&manager).await;
    let from = |store: FileStore| change().old("o").new_from(store);
    completes(&manager, from(file("next", "value_2\n"))).await;
    completes(&manager, from(file("exact", "value_3\n").exact())).await;
    completes(&manager, change().old("o").new_from(|| async { "value_4" })).await;
    assert_eq!(story.lines(), ["o value_2", "o value_3\n", "o value_4"]);
    let missing = FileStore::new(folder.path().join("missing"));
    assert_eq!(refused(&manager, from(missing)).await, "store_failed");
    assert_eq!(
        refused(&manager, change().old("o").new_from(|| "")).await,
        "invalid_key"
    );
    let pair = Change::of("token").new_from(|| ("a", "a"));
    assert_eq!(refused(&manager, pair).await, "invalid_key");
    let same = change().old("value_5").new_from(|| "value_5");
    assert_eq!(refused(&manager, same).await, "same_keys");
    let panics = change().new_from(|| -> SecretKeys { panic!("a store") });
    assert_eq!(refused(&manager, panics).await, "store_failed");
    let hangs = change().new_from(std::future::pending::<SecretKeys>);
    assert_eq!(refused(&manager, hangs).await, "store_failed");
    assert_eq!(source.calls(), 0);
    completes(&manager, change().old_from_store().new_from(|| "value_6")).await;
    assert_eq!(story.lines()[3], "value_1 value_6");
}

#[tokio::test]
async fn a_known_id_is_answered_before_any_store_is_asked() {
    let source = Source::new("value_1");
    let next = Source::new("value_2");
    let disk = Disk::default();
    let manager = disk.life_with(source.documents()).await;
    let id = Uuid::from_u128(7);
    let asks = || {
        let next = next.clone();
        change()
            .id(id)
            .old_from_store()
            .new_from(move || next.ask())
    };
    completes(&manager, asks()).await;
    assert_eq!((source.calls(), next.calls()), (1, 1));
    source.fail();
    next.fail();
    completes(&manager, asks()).await;
    end(manager).await;
    let manager = disk.life_with(source.documents()).await;
    completes(&manager, asks()).await;
    assert_eq!((source.calls(), next.calls()), (1, 1));
    let other = change().id(id).old_from_store();
    assert_eq!(refused(&manager, other).await, "other_declaration");
    let other = change().id(id).old("another").new_keys("value_2");
    assert_eq!(refused(&manager, other).await, "other_declaration");
    completes(&manager, change().id(id).old("value_1").new_keys("value_2")).await;
}

#[tokio::test]
async fn a_store_that_answers_neither_the_old_nor_the_new_keys_is_named_and_warned_of_once() {
    let log = Log::begin();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("documents.key");
    let write = |text: &str| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let definition = || {
        let name = "a key with a line end";
        SecretKeyDefinition::round_trip(name, FileStore::new(&path))
    };
    let get = async |manager: &KeysManagement| {
        let answer = manager.get_forward_path_key("a key with a line end");
        within(answer).await.unwrap();
    };
    let warned = || {
        log.lines(&["WARN", "a key with a line end", "the store answers"])
            .len()
    };
    let disk = Disk::default();
    write("value_1\n");
    let manager = disk.life_with(definition()).await;
    get(&manager).await;
    // The file's store cuts the line end, and the declared bytes have it.
    let change = Change::of("a key with a line end").new_keys("value_2\n");
    completes(&manager, change).await;
    get(&manager).await;
    assert_eq!(named(&manager).await, (1, 0), "it has not switched");
    write("value_2\n");
    get(&manager).await;
    get(&manager).await;
    assert_eq!(named(&manager).await, (0, 1));
    until("it is traced", async || warned() == 1).await;
    end(manager).await;
    // What was declared outlives the process.
    let manager = disk.life_with(definition()).await;
    assert_eq!(named(&manager).await, (0, 0));
    get(&manager).await;
    assert_eq!(named(&manager).await, (0, 1));
    write("value_1\n");
    get(&manager).await;
    assert_eq!(
        named(&manager).await,
        (1, 0),
        "what was held is known as the old keys"
    );
    let change = Change::of("a key with a line end")
        .old("value_1")
        .new_keys("value_3");
    completes(&manager, change).await;
    write("value_3\n");
    get(&manager).await;
    assert_eq!(named(&manager).await, (0, 0));
    until("each life warns once", async || warned() == 2).await;
}

#[tokio::test]
async fn what_old_from_store_and_a_save_are_answered_is_compared_as_well() {
    let source = Source::new("value_1");
    let manager = with(source.documents().stateless(false).keep_in_cache(false)).await;
    completes(&manager, change().old("other").new_keys("value_2")).await;
    forward(&manager).await;
    assert_eq!(named(&manager).await, (0, 1));
    source.set("value_2");
    within(manager.save_state("documents")).await.unwrap();
    assert_eq!(named(&manager).await, (0, 0));
    source.set("other");
    completes(&manager, change().old_from_store().new_keys("value_3")).await;
    assert_eq!(named(&manager).await, (1, 0));
}

#[tokio::test]
async fn the_status_compares_only_with_what_was_declared_durably() {
    let source = Source::new("value_1");
    let disk = Disk::default();
    let manager = disk.life_with(source.documents()).await;
    forward(&manager).await;
    disk.set_broken(true);
    let change = change().old("value_1").new_keys("value_2");
    assert_eq!(refused(&manager, change).await, "write_unknown");
    assert_eq!(named(&manager).await, (0, 0));
    disk.set_broken(false);
    until("rotations go on", async || {
        within(manager.status()).await.unwrap().paused.is_none()
    })
    .await;
    assert_eq!(named(&manager).await, (0, 0));
}

#[tokio::test]
async fn stores_of_new_keys_that_hang_hold_one_thread_of_a_key() {
    let source = Source::new("value_1");
    let limit = Duration::from_millis(300);
    let manager = with(source.documents().store_time_limit(limit)).await;
    define(&manager, source.round_trip("letters")).await;
    let gate = Gate::default();
    let hangs = |key: &str| {
        let gate = gate.clone();
        Change::of(key).old("o").new_from(move || {
            gate.pass_blocking();
            "value_2"
        })
    };
    for _ in 0..4 {
        let both = (hangs("documents"), hangs("documents"));
        let (one, other) = tokio::join!(refused(&manager, both.0), refused(&manager, both.1));
        assert_eq!([one, other], ["store_failed"; 2]);
    }
    assert_eq!(gate.count(), 1);
    // Another key has a turn of its own, and what gives the keys needs none.
    completes(
        &manager,
        Change::of("letters").old("o").new_from(|| "value_3"),
    )
    .await;
    completes(&manager, change().old("o").new_keys("value_3")).await;
    gate.open();
    until("the next one is asked", async || {
        within(manager.declare(hangs("documents"))).await.is_ok()
    })
    .await;
    assert_eq!(gate.count(), 2);
}
