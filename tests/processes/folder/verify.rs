//! A data folder that is looked at and not changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::{
    Batch, Change, Effect, KeyChange, KeysManagement, SecretKeyDefinition, Space, StartError,
    StateRepo, Verified,
};
use tempfile::tempdir;

use crate::support::{MASTER_KEY, builder, define, within};

/// Each file with its bytes and the time of its last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
    let entries = fs::read_dir(folder).unwrap();
    let read = |path: PathBuf| {
        let facts = fs::metadata(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        (path, (bytes, facts.ctime(), facts.ctime_nsec()))
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

async fn verify(folder: &Path) -> Result<Verified, StartError> {
    let verify = KeysManagement::builder()
        .data_folder(folder)
        .master_key(|| MASTER_KEY)
        .verify();
    within(verify).await
}

/// A manager with a stated key, an ended rotation and a stopped one.
async fn life(folder: &Path) -> KeysManagement {
    let manager = builder().data_folder(folder).start().await.unwrap();
    let stated = SecretKeyDefinition::round_trip("stated", || "value_1").stateless(false);
    define(&manager, stated).await;
    manager.get_forward_path_key("stated").await.unwrap();
    manager.save_state("stated").await.unwrap();
    let fails = |change: KeyChange| {
        let new = change.new_keys.expect("they are declared");
        match new.forward().expose() {
            b"b" => Ok(Effect::Nothing),
            _ => Err("not this one"),
        }
    };
    manager
        .register_on_change("stated", "counts", fails)
        .await
        .unwrap();
    for (old, new) in [("a", "b"), ("b", "c")] {
        let change = Change::of("stated").old(old).new_keys(new);
        drop(within(manager.key_changed(change)).await.unwrap());
    }
    manager
}

#[tokio::test]
async fn every_record_of_a_folder_is_read_and_no_file_of_it_is_changed() {
    let base = tempdir().unwrap();
    let (folder, copy) = (base.path().join("data"), base.path().join("copy"));
    let manager = life(&folder).await;
    manager.backup(&copy).await.unwrap();
    let error = verify(&folder).await.unwrap_err();
    assert_eq!(error.code(), "already_open", "{error}");
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    within(manager.shutdown()).await.unwrap();
    for folder in [&folder, &copy] {
        let before = files(folder);
        let found = verify(folder).await.unwrap();
        assert!(found.is_whole(), "{found}");
        for space in [
            Space::States,
            Space::Roster,
            Space::Rotations,
            Space::History,
        ] {
            assert!(found.records[&space] > 0, "{space} is empty: {found:?}");
        }
        assert_eq!(files(folder), before);
    }
    // What was looked at goes on as if it had not been.
    within(life(&folder).await.shutdown()).await.unwrap();
}

#[tokio::test]
async fn what_was_written_last_by_a_killed_process_lies_in_the_log_and_is_read_there() {
    let base = tempdir().unwrap();
    let (folder, killed) = (base.path().join("data"), base.path().join("killed"));
    let manager = life(&folder).await;
    fs::create_dir(&killed).unwrap();
    for (path, (bytes, ..)) in files(&folder) {
        fs::write(killed.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let mode = fs::metadata(&folder).unwrap().permissions();
    fs::set_permissions(&killed, mode).unwrap();
    within(manager.shutdown()).await.unwrap();
    let before = files(&killed);
    let found = verify(&killed).await.unwrap();
    assert!(
        found.is_whole() && found.records[&Space::History] > 0,
        "{found:?}"
    );
    assert_eq!(files(&killed), before);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_named_wherever_it_lies() {
    let base = tempdir().unwrap();
    let folder = base.path().join("data");
    within(life(&folder).await.shutdown()).await.unwrap();
    let repo = RocksDbRepo::open(&FolderOptions::new(&folder)).unwrap();
    for space in [
        Space::States,
        Space::Roster,
        Space::Rotations,
        Space::History,
    ] {
        let mut places = Vec::new();
        let mut first = |key: &[u8], value: &[u8]| {
            places.push((key.to_vec(), value.to_vec()));
            std::ops::ControlFlow::Continue(())
        };
        repo.scan(space, b"", &mut first).unwrap();
        places.retain(|(_, value)| !value.is_empty());
        // The last byte is of what seals it.
        let (place, mut value) = places.pop().unwrap();
        *value.last_mut().unwrap() ^= 1;
        repo.apply(&Batch::new().put(space, place, value)).unwrap();
    }
    let stranger = Batch::new().put(Space::Keys, *b"put there", *b"by another");
    repo.apply(&stranger).unwrap();
    repo.close().unwrap();
    drop(Arc::new(repo));
    let before = files(&folder);
    let found = verify(&folder).await.unwrap();
    assert!(!found.is_whole());
    let spaces: Vec<Space> = found.unreadable.iter().map(|record| record.space).collect();
    for space in [Space::States, Space::Roster, Space::Keys] {
        assert!(spaces.contains(&space), "{found}");
    }
    let unfinished = |is: bool| {
        found
            .unreadable_rotations
            .iter()
            .any(|found| found.unfinished == is)
    };
    assert!(unfinished(true) && unfinished(false), "{found}");
    let said = found.to_string();
    assert_eq!(
        said.lines().count(),
        1 + found.unreadable.len() + found.unreadable_rotations.len()
    );
    assert_eq!(files(&folder), before);
}

#[tokio::test]
async fn a_folder_that_is_missing_has_no_database_or_another_master_key_is_an_error_and_stays_as_it_is()
 {
    let base = tempdir().unwrap();
    let missing = base.path().join("missing");
    let error = verify(&missing).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(!missing.exists());
    let empty = base.path().join("empty");
    within(
        builder()
            .data_folder(&empty)
            .start()
            .await
            .unwrap()
            .shutdown(),
    )
    .await
    .unwrap();
    let other = KeysManagement::builder()
        .data_folder(&empty)
        .master_key(|| "another master key of 32 bytes, or more")
        .verify();
    let before = files(&empty);
    assert_eq!(within(other).await.unwrap_err().code(), "wrong_master_key");
    assert_eq!(files(&empty), before);
    let loose = base.path().join("loose");
    fs::create_dir(&loose).unwrap();
    std::fs::set_permissions(&loose, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(verify(&loose).await.unwrap_err().code(), "loose_folder");
    std::fs::set_permissions(&loose, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let error = verify(&loose).await.unwrap_err();
    assert!(
        error.to_string().contains("looking for a database"),
        "{error}"
    );
    assert_eq!(files(&loose).len(), 0);
}
