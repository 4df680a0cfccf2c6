//! The last step of a rotation between versions puts the new key into the key's store.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyward::{
    Change, FileStore, KeysManagement, RotationReport, RotationState, SecretKeyDefinition,
};
use tempfile::TempDir;

use crate::support::within;
use crate::world::{Disk, end};

fn key_file(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn versioned(name: &str, store: FileStore) -> SecretKeyDefinition {
    let short = Duration::from_millis(1);
    SecretKeyDefinition::round_trip(name, store)
        .versions(true)
        .drain(short)
}

async fn life(store: FileStore) -> KeysManagement {
    Disk::default()
        .life_with(versioned("documents", store))
        .await
}

async fn change(manager: &KeysManagement, change: Change) -> RotationReport {
    within(manager.key_changed(change)).await.unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_step_renames_a_finished_file_over_the_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(&folder, "key", "one\n");
    let before = fs::metadata(&path).unwrap().ino();
    let manager = life(FileStore::new(&path)).await;
    let report = change(&manager, Change::of("documents").new_keys("two")).await;
    assert_eq!(report.state, RotationState::Completed);
    let last = report.steps.last().unwrap();
    assert_eq!(last.kind.to_string(), "switch");
    assert_eq!(fs::read(&path).unwrap(), b"two");
    let after = fs::metadata(&path).unwrap();
    assert!(after.ino() != before && after.mode() & 0o777 == 0o600);
    assert_eq!(names(folder.path()), ["key"]);
    // A line end at the end of the value stays part of it.
    let lines = change(&manager, Change::of("documents").new_keys("three\n")).await;
    assert_eq!(lines.state, RotationState::Completed);
    assert_eq!(fs::read(&path).unwrap(), b"three\n\n");
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_pair_in_two_files_each_half_is_looked_at_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let forward = key_file(&folder, "forward", "f1");
    let back = key_file(&folder, "back", "b1");
    let manager = life(FileStore::pair(&forward, &back)).await;
    let report = change(&manager, Change::of("documents").new_keys(("f2", "b2"))).await;
    assert_eq!(report.state, RotationState::Completed);
    let halves = || (fs::read(&forward).unwrap(), fs::read(&back).unwrap());
    assert_eq!(halves(), (b"f2".to_vec(), b"b2".to_vec()));
    // A switch that ended between the two files left the new back half and the old forward half.
    fs::write(&back, "b3").unwrap();
    let report = change(&manager, Change::of("documents").new_keys(("f3", "b3"))).await;
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(halves(), (b"f3".to_vec(), b"b3".to_vec()));
    assert_eq!(names(folder.path()), ["back", "forward"]);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_a_third_value_is_left_as_it_is_and_a_resume_tries_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(&folder, "key", "one");
    let manager = life(FileStore::new(&path)).await;
    fs::write(&path, "other").unwrap();
    let report = change(&manager, Change::of("documents").new_keys("two")).await;
    assert_eq!(report.state, RotationState::Stopped);
    let error = report.steps.last().unwrap().error.clone().unwrap();
    assert!(error.starts_with("store_diverged"), "{error}");
    assert!(
        !error.contains("other") && !error.contains("two"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"other");
    let key = within(manager.get_forward_path_key("documents"))
        .await
        .unwrap();
    assert_eq!(key.expose_str(), Some("two"), "the journal has the truth");
    fs::write(&path, "one").unwrap();
    manager.resume(report.id).await.unwrap();
    let report = within(manager.wait(report.id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(fs::read(&path).unwrap(), b"two");
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_switched_already_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(&folder, "key", "one");
    let manager = life(FileStore::new(&path)).await;
    fs::write(&path, "two").unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    let report = change(&manager, Change::of("documents").new_keys("two")).await;
    assert_eq!(report.state, RotationState::Completed);
    assert_eq!(fs::metadata(&path).unwrap().ino(), before);
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_replaced_is_refused_at_the_declaration() {
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(&folder, "key", "one");
    let refused = async |store: FileStore, why: &str| {
        let manager = life(store).await;
        let change = Change::of("documents").new_keys("two");
        let error = within(manager.declare(change)).await.unwrap_err();
        assert_eq!(error.code(), "store_not_writable");
        assert!(error.to_string().contains(why), "{error}");
        assert!(manager.rotations().await.unwrap().is_empty());
        assert_eq!(manager.versions("documents").await.unwrap().len(), 1);
        end(manager).await;
    };
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    refused(FileStore::new(&link), "a link is on its path").await;
    let linked_folder = folder.path().join("folder");
    symlink(folder.path(), &linked_folder).unwrap();
    refused(
        FileStore::new(linked_folder.join("key")),
        "a link is on its path",
    )
    .await;
    let name = folder.path().join("name");
    fs::hard_link(&path, &name).unwrap();
    refused(FileStore::new(&path), "it has several names").await;
    fs::remove_file(&name).unwrap();
    std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
    refused(FileStore::new(&path), "another user owns it").await;
    std::os::unix::fs::chown(&path, Some(0), None).unwrap();

    // Said to be read only, it is not written, and the rotation has no such step.
    let manager = life(FileStore::new(&link).read_only()).await;
    let report = change(&manager, Change::of("documents").new_keys("two")).await;
    assert_eq!(
        (report.state, report.steps.len()),
        (RotationState::Completed, 0)
    );
    assert_eq!(fs::read(&path).unwrap(), b"one");
    end(manager).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_key_reads_is_refused_and_a_pair_for_one_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(&folder, "key", "one");
    let manager = life(FileStore::new(&path)).await;
    let pair = Change::of("documents").new_keys(("f", "b"));
    let error = within(manager.declare(pair)).await.unwrap_err();
    assert_eq!(error.code(), "store_not_writable");
    let other = SecretKeyDefinition::round_trip("other", FileStore::new(&path));
    manager.define_key(other).await.unwrap();
    let change = Change::of("documents").new_keys("two");
    let error = within(manager.declare(change)).await.unwrap_err();
    assert_eq!(error.code(), "store_not_writable");
    assert!(
        error.to_string().contains("key other reads the same file"),
        "{error}"
    );
    end(manager).await;
}
