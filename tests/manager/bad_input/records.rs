//! Records that were changed, cut, moved, or come from a newer version: left in place, named, and
//! nothing else stops.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use keyward::repo::batch::Batch;
use keyward::repo::space::Space;
use keyward::rotation::report::WaitsFor;
use keyward::worker::callback::KeyChange;
use keyward::{
    Change, KeysManagement, MemoryRepo, RotationId, RotationState, SecretKeyDefinition, StateRepo,
};

use crate::support::{assert_says, builder, define, until, within};

type Record = (Vec<u8>, Vec<u8>);

fn records(repo: &MemoryRepo, space: Space) -> Vec<Record> {
    let mut records = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        records.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    repo.scan(space, b"", &mut visit).expect("it can be read");
    records
}

fn put(repo: &MemoryRepo, space: Space, key: &[u8], value: &[u8]) {
    repo.apply(&Batch::new().put(space, key, value))
        .expect("it can be written");
}

async fn start(repo: &MemoryRepo) -> KeysManagement {
    let builder = builder().state_repo(repo.clone()).worker_wait(None);
    builder.start().await.expect("bad records stop nothing")
}

fn stated(key: &str, value: &'static str) -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip(key, move || value).stateless(false)
}

/// A repo with the records of two stated keys.
async fn with_two_states() -> MemoryRepo {
    let repo = MemoryRepo::new();
    let manager = start(&repo).await;
    for key in ["documents", "letters"] {
        define(&manager, stated(key, "value_1")).await;
        manager.get_forward_path_key(key).await.expect("a key");
        manager.save_state(key).await.expect("it is saved");
    }
    manager.shutdown().await.expect("it shuts down");
    repo
}

async fn assert_unreadable(repo: &MemoryRepo, key: &str) {
    let before = records(repo, Space::States);
    let manager = start(repo).await;
    define(&manager, stated(key, "value_2")).await;
    for _ in 0..2 {
        let error = manager
            .get_key(key)
            .await
            .expect_err("its record cannot be read");
        assert_says(error.code(), "state_unreadable", &error.to_string(), &[key]);
    }
    assert_eq!(
        records(repo, Space::States),
        before,
        "reading has changed the records"
    );

    manager
        .get_forward_path_key(key)
        .await
        .expect("the forward path needs no record");
    manager.save_state(key).await.expect("it is saved");
    manager.shutdown().await.expect("it shuts down");
    let aside = records(repo, Space::Quarantine);
    assert_eq!(aside.len(), 1, "the unreadable bytes are lost");
    assert!(
        before.iter().any(|(_, bytes)| aside[0].1.ends_with(bytes)),
        "they are others"
    );
    let manager = start(repo).await;
    define(&manager, stated(key, "the store was asked")).await;
    let answer = manager
        .get_back_path_key(key)
        .await
        .expect("the newer record");
    assert_eq!(answer.expose(), b"value_2");
    manager.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn a_state_record_with_a_flipped_bit_is_unreadable_until_a_newer_one_takes_its_place() {
    let repo = with_two_states().await;
    let (key, mut value) = records(&repo, Space::States).remove(0);
    *value.last_mut().expect("bytes") ^= 1;
    put(&repo, Space::States, &key, &value);
    assert_unreadable(&repo, "documents").await;
}

#[tokio::test]
async fn a_state_record_that_was_cut_short_is_unreadable_until_a_newer_one_takes_its_place() {
    let repo = with_two_states().await;
    let (key, value) = records(&repo, Space::States).remove(0);
    put(&repo, Space::States, &key, &value[..value.len() / 2]);
    assert_unreadable(&repo, "documents").await;
}

#[tokio::test]
async fn a_state_record_of_no_bytes_is_not_taken_for_no_record() {
    let repo = with_two_states().await;
    let (key, _) = records(&repo, Space::States).remove(0);
    put(&repo, Space::States, &key, b"");
    assert_unreadable(&repo, "documents").await;
}

#[tokio::test]
async fn a_state_record_of_a_newer_version_is_unreadable_until_a_newer_one_takes_its_place() {
    let repo = with_two_states().await;
    let (key, mut value) = records(&repo, Space::States).remove(0);
    value[0] = 99;
    put(&repo, Space::States, &key, &value);
    assert_unreadable(&repo, "documents").await;
}

#[tokio::test]
async fn a_state_record_of_another_key_does_not_open() {
    let repo = with_two_states().await;
    let states = records(&repo, Space::States);
    put(&repo, Space::States, &states[0].0, &states[1].1);
    assert_unreadable(&repo, "documents").await;
}

#[tokio::test]
async fn a_state_record_of_another_database_does_not_open() {
    let repo = with_two_states().await;
    let foreign = records(&with_two_states().await, Space::States);
    put(&repo, Space::States, &foreign[0].0, &foreign[0].1);
    assert_unreadable(&repo, "documents").await;
}

/// A repo with a rotation that waits for the worker `w1`.
async fn with_a_rotation() -> (MemoryRepo, RotationId) {
    let repo = MemoryRepo::new();
    let manager = start(&repo).await;
    define(&manager, stated("documents", "value_1")).await;
    let worker = manager.join("w1").await.expect("it joins");
    worker
        .register_on_change("documents", "call", |_: KeyChange| {})
        .await
        .expect("it registers");
    drop(worker);
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let id = manager.declare(change).await.expect("it is accepted");
    until("it waits for its worker", async || {
        let status = manager.status().await.expect("a status");
        matches!(
            status.rotations[0].waits_for.first(),
            Some(WaitsFor::Worker { .. })
        )
    })
    .await;
    manager.shutdown().await.expect("it shuts down");
    (repo, id)
}

/// A manager on a repo with one rotation and a record of it that cannot be read.
async fn assert_dismissed(repo: &MemoryRepo, id: RotationId, which: &str) {
    let manager = start(repo).await;
    let status = manager.status().await.expect("a status");
    assert!(status.rotations.is_empty(), "{which} is bad: {status:?}");
    let unreadable = &status.unreadable_rotations;
    assert_eq!(unreadable.len(), 1, "{which} is bad");
    assert_eq!(
        (unreadable[0].id, unreadable[0].key.as_str()),
        (id, "documents")
    );
    define(&manager, stated("documents", "value_1")).await;
    for refused in [manager.resume(id).await, manager.abort(id, &["w1"]).await] {
        let error = refused.expect_err("it cannot be read");
        let names = [&id.to_string(), "dismiss"];
        assert_says(
            error.code(),
            "rotation_unreadable",
            &error.to_string(),
            &names,
        );
    }
    let next = Change::of("documents").new_keys("value_3");
    let next = manager.declare(next).await.expect("it is accepted");
    let status = manager.status().await.expect("a status");
    assert_eq!(
        status.rotations[0].state,
        RotationState::Waiting,
        "it has begun"
    );
    assert_eq!(status.rotations[0].waits_for, [WaitsFor::Unreadable { id }]);

    manager.dismiss(id).await.expect("an operator dismisses it");
    assert!(
        !records(repo, Space::Quarantine).is_empty(),
        "its bytes are lost"
    );
    let worker = manager.join("w1").await.expect("it joins");
    worker
        .register_on_change("documents", "call", |_: KeyChange| {})
        .await
        .expect("it registers");
    let report = within(manager.wait(next)).await.expect("it goes on");
    assert_eq!(report.state, RotationState::Completed);
    manager.shutdown().await.expect("it shuts down");
    let manager = start(repo).await;
    let status = manager.status().await.expect("a status");
    assert!(status.unreadable_rotations.is_empty() && status.rotations.is_empty());
    manager.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn a_rotation_of_which_any_record_is_damaged_is_unreadable_until_it_is_dismissed() {
    let (repo, _) = with_a_rotation().await;
    let count = records(&repo, Space::Rotations).len();
    assert!(count >= 4, "header, step, keys and snapshot");
    for which in 0..count {
        let (repo, id) = with_a_rotation().await;
        let (key, mut value) = records(&repo, Space::Rotations).swap_remove(which);
        *value.last_mut().expect("bytes") ^= 1;
        put(&repo, Space::Rotations, &key, &value);
        assert_dismissed(&repo, id, &key.escape_ascii().to_string()).await;
    }
}

#[tokio::test]
async fn a_worker_of_which_the_record_is_damaged_is_listed_and_the_others_go_on() {
    let (repo, _) = with_a_rotation().await;
    let (key, mut value) = records(&repo, Space::Roster).pop().expect("a record");
    *value.last_mut().expect("bytes") ^= 1;
    put(&repo, Space::Roster, &key, &value);
    let manager = start(&repo).await;
    let status = manager.status().await.expect("a status");
    assert_eq!(status.unreadable_records.len(), 1, "{status:?}");
    assert_eq!(status.unreadable_records[0].space, Space::Roster);
    define(&manager, stated("documents", "value_1")).await;
    manager
        .get_key("documents")
        .await
        .expect("keys are handed out");
    manager.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn the_status_lists_a_state_record_until_another_takes_its_place() {
    let repo = with_two_states().await;
    for (key, mut value) in records(&repo, Space::States) {
        *value.last_mut().expect("bytes") ^= 1;
        put(&repo, Space::States, &key, &value);
    }
    let manager = start(&repo).await;
    let listed = async || {
        let status = manager.status().await.expect("a status");
        status.unreadable_records.len()
    };
    assert_eq!(listed().await, 2);
    for (key, left) in [("documents", 1), ("letters", 0)] {
        define(&manager, stated(key, "value_2")).await;
        manager.get_forward_path_key(key).await.expect("a key");
        manager.save_state(key).await.expect("it is saved");
        assert_eq!(listed().await, left);
    }
    // One that is damaged while all runs is listed once a request has met it.
    let (key, _) = records(&repo, Space::States).remove(0);
    put(&repo, Space::States, &key, b"");
    let uncached = SecretKeyDefinition::round_trip("parcels", || "v").stateless(false);
    define(&manager, uncached.keep_in_cache(false)).await;
    let (parcels, record) = ("parcels", records(&repo, Space::States).remove(1).1);
    put(&repo, Space::States, parcels.as_bytes(), &record);
    let error = manager.get_back_path_key(parcels).await;
    assert_eq!(
        error.expect_err("of another place").code(),
        "state_unreadable"
    );
    assert_eq!(listed().await, 1);
    manager.shutdown().await.expect("it shuts down");
}

type Content = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// Everything that lies in a repo but the record of the last batch, by which each start takes over.
fn content(repo: &MemoryRepo) -> Content {
    let mut all = Content::new();
    for space in Space::ALL {
        for (key, value) in records(repo, space) {
            all.insert((space, key), value);
        }
    }
    all.remove(&(Space::Meta, b"batch".to_vec()));
    all
}

/// What a status and a history name as unreadable, in a few words.
async fn named(manager: &KeysManagement) -> Vec<String> {
    let status = manager.status().await.expect("a status");
    let history = manager.history(10).await.expect("a history");
    let records = status.unreadable_records.iter();
    let records = records.map(|record| format!("{} {}", record.space, record.place));
    let unfinished = status.unreadable_rotations.iter();
    let ended = history.unreadable.iter();
    let rotations = unfinished.chain(ended).map(|rotation| {
        let place = if rotation.unfinished {
            "rotations"
        } else {
            "history"
        };
        format!("{place} {} {}", rotation.id, rotation.key)
    });
    records.chain(rotations).collect()
}

/// A repo with a record of every kind: a rotation that waits for the worker `w1`, and one that has
/// ended.
async fn with_every_kind() -> MemoryRepo {
    let (repo, _) = with_a_rotation().await;
    rotate_letters(&repo).await;
    repo
}

/// A life of the key `letters` that needs a record of each kind but unfinished rotations.
async fn rotate_letters(repo: &MemoryRepo) {
    let manager = start(repo).await;
    define(&manager, stated("letters", "value_1")).await;
    manager
        .register_on_change("letters", "call", |_: KeyChange| {})
        .await
        .expect("it registers");
    manager
        .get_forward_path_key("letters")
        .await
        .expect("a key");
    manager.save_state("letters").await.expect("it is saved");
    let change = Change::of("letters").old("value_1").new_keys("value_2");
    let report = within(manager.key_changed(change)).await.expect("it ends");
    assert_eq!(report.state, RotationState::Completed);
    manager.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn a_damaged_record_of_any_kind_is_named_in_the_status_and_left_and_the_rest_goes_on() {
    let whole = with_every_kind().await;
    let mut damaged_records = 0;
    for ((space, key), value) in content(&whole) {
        if value.is_empty() {
            continue; // In the order of the history: its place says it all.
        }
        damaged_records += 1;
        let what = format!("{space}/{}", key.escape_ascii());
        let repo = MemoryRepo::new();
        for space in Space::ALL {
            for (key, value) in records(&whole, space) {
                put(&repo, space, &key, &value);
            }
        }
        let mut damaged = value.clone();
        *damaged.last_mut().expect("bytes") ^= 1;
        put(&repo, space, &key, &damaged);
        let before = content(&repo);

        if space == Space::Meta && [&b"database"[..], b"check"].contains(&key.as_slice()) {
            let start = builder().state_repo(repo.clone()).start().await;
            let error = start.expect_err("nothing opens without this record");
            let text = error.to_string();
            assert_says(error.code(), "wrong_master_key", &text, &["restore"]);
            assert!(content(&repo) == before, "a refused start has written");
            continue;
        }
        let manager = start(&repo).await;
        let told = named(&manager).await;
        assert_eq!(told.len(), 1, "{what}: {told:?}");
        assert!(told[0].starts_with(space.name()), "{what}: {told:?}");
        manager.shutdown().await.expect("it shuts down");
        // `main` joins at each start, and takes the place of a record of itself that cannot be read.
        let joins = space == Space::Roster && key.ends_with(b"main") && key[0] == 1;
        assert!(
            joins || content(&repo) == before,
            "reading {what} has written"
        );

        rotate_letters(&repo).await;
        let after = content(&repo);
        let left = after.get(&(space, key)) == Some(&damaged);
        let mut aside = after
            .iter()
            .filter(|((space, _), _)| *space == Space::Quarantine);
        assert!(
            left || aside.any(|(_, bytes)| *bytes == damaged),
            "{what} is lost"
        );
    }
    println!("records of every kind, damaged one by one: {damaged_records}");
    assert!(damaged_records >= 16, "{damaged_records}");
}
