//! Data folders and master keys with which a manager does not start.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use keyward::{Change, KeysManagement, MemoryRepo, StartError};
use tempfile::tempdir;

use crate::support::{assert_says, builder, define, documents};

async fn refused(folder: &Path) -> StartError {
    let started = builder().data_folder(folder).start().await;
    started.map(drop).expect_err("it does not start")
}

async fn starts(folder: &Path) -> KeysManagement {
    let started = builder().data_folder(folder).start().await;
    started.expect("it starts")
}

#[tokio::test]
async fn without_a_data_folder_or_a_master_key_nothing_starts() {
    let no_folder = builder().start().await.map(drop).expect_err("no folder");
    assert_says(
        no_folder.code(),
        "no_data_folder",
        &no_folder.to_string(),
        &["data_folder"],
    );
    let no_key = KeysManagement::builder()
        .state_repo(MemoryRepo::new())
        .start()
        .await;
    let no_key = no_key.map(drop).expect_err("no master key");
    assert_says(
        no_key.code(),
        "no_master_key",
        &no_key.to_string(),
        &["master_key"],
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_one_or_is_not_writable_is_named() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "a file").expect("a file");
    for path in [file.clone(), file.join("data")] {
        let error = refused(&path).await;
        let name = path.display().to_string();
        assert_says(error.code(), "not_a_folder", &error.to_string(), &[&name]);
    }
    assert_eq!(fs::read(&file).expect("the file"), b"a file");
    // No user may make a folder here, root neither.
    let error = refused(Path::new("/sys/keyward")).await;
    assert_says(
        error.code(),
        "not_writable",
        &error.to_string(),
        &["/sys/keyward"],
    );
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_is_refused_unless_that_is_allowed() {
    let folder = tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("it is mine");
    let error = refused(folder.path()).await;
    let name = folder.path().display().to_string();
    let names = [name.as_str(), "755", "allow_shared_folder"];
    assert_says(error.code(), "loose_folder", &error.to_string(), &names);
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
    let allowed = builder()
        .data_folder(folder.path())
        .allow_shared_folder(true)
        .start()
        .await;
    allowed
        .expect("it is allowed")
        .shutdown()
        .await
        .expect("it shuts down");
}

#[tokio::test]
async fn a_folder_with_other_things_in_it_is_refused_and_left_alone() {
    let folder = tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("it is mine");
    fs::write(folder.path().join("a letter"), "dear").expect("a file");
    let error = refused(folder.path()).await;
    assert_says(
        error.code(),
        "foreign_content",
        &error.to_string(),
        &["a letter"],
    );
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 1);
}

/// A marker that is whole, as a later version may write it.
fn of_another_schema(ours: &str) -> String {
    let (said, _) = ours.split_once("check ").expect("a checksum");
    let said = said.replace("schema 1\n", "schema 999\n");
    let check = said.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{said}check {check:016x}\n")
}

#[tokio::test]
async fn a_folder_of_another_schema_version_is_refused_and_left_alone() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    starts(&data).await.shutdown().await.expect("it shuts down");
    let marker = data.join("KEYWARD");
    let ours = fs::read_to_string(&marker).expect("a marker");
    let theirs = of_another_schema(&ours);
    fs::write(&marker, &theirs).expect("it is mine");
    let error = refused(&data).await;
    let name = data.display().to_string();
    assert_says(
        error.code(),
        "other_schema",
        &error.to_string(),
        &[&name, "999", "1"],
    );
    fs::write(&marker, ours).expect("it is mine");
    starts(&data)
        .await
        .shutdown()
        .await
        .expect("nothing was changed");
}

#[tokio::test]
async fn a_damaged_file_of_the_database_is_one_error_at_the_start_that_names_it() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let manager = starts(&data).await;
    define(&manager, documents()).await;
    let change = Change::of("documents").new_keys("value_2");
    drop(manager.key_changed(change).await.expect("it ends"));
    manager.shutdown().await.expect("it shuts down");
    let entries = fs::read_dir(&data).expect("the folder");
    let mut files = entries.map(|entry| entry.expect("an entry").path());
    let table = files.find(|file| file.extension().is_some_and(|kind| kind == "sst"));
    let table = table.expect("a shutdown leaves tables");
    let ours = fs::read(&table).expect("a table");
    let mut damaged = ours.clone();
    damaged[10] ^= 1;
    fs::write(&table, damaged).expect("it is mine");
    let error = refused(&data).await;
    let name = table
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let names = [name.as_str(), "backup"];
    assert_says(error.code(), "damaged_files", &error.to_string(), &names);
    fs::write(&table, ours).expect("it is mine");
    starts(&data)
        .await
        .shutdown()
        .await
        .expect("nothing was changed");
}

#[tokio::test]
async fn a_folder_that_is_open_already_names_the_process_that_holds_it() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let holder = starts(&data).await;
    let error = refused(&data).await;
    let (name, pid) = (data.display().to_string(), std::process::id().to_string());
    assert_says(
        error.code(),
        "already_open",
        &error.to_string(),
        &[&name, &pid],
    );
    define(&holder, documents()).await;
    let change = Change::of("documents").new_keys("value_2");
    drop(
        holder
            .key_changed(change)
            .await
            .expect("the holder is unharmed"),
    );
    holder.shutdown().await.expect("it shuts down");
    starts(&data).await.shutdown().await.expect("it is free");
}

#[tokio::test]
async fn a_master_key_that_is_missing_empty_short_or_a_pair_is_one_error_at_the_start() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let with = |builder: keyward::KeysManagementBuilder| {
        let data = data.clone();
        async move {
            let started = builder.data_folder(&data).start().await;
            started.map(drop).expect_err("it does not start")
        }
    };
    let new = KeysManagement::builder;
    let error = with(new().master_key(|| None::<String>)).await;
    assert_says(
        error.code(),
        "store_failed",
        &error.to_string(),
        &["master key", "nothing"],
    );
    let variable = keyward::EnvStore::new("KEYWARD_TEST_NO_SUCH_VARIABLE");
    let error = with(new().master_key(variable)).await;
    let names = ["master key", "KEYWARD_TEST_NO_SUCH_VARIABLE"];
    assert_says(error.code(), "store_failed", &error.to_string(), &names);
    let error = with(new().master_key(|| "")).await;
    assert_says(
        error.code(),
        "invalid_key",
        &error.to_string(),
        &["master key", "empty"],
    );
    let error = with(new().master_key(|| ("a", "b"))).await;
    assert_says(
        error.code(),
        "store_failed",
        &error.to_string(),
        &["master key", "pair"],
    );
    let error = with(new().master_key(|| "31 bytes are not enough for it.")).await;
    let names = ["master key", "31", "32"];
    assert_says(
        error.code(),
        "master_key_too_short",
        &error.to_string(),
        &names,
    );
    starts(&data)
        .await
        .shutdown()
        .await
        .expect("the folder is free and unharmed");
}

#[tokio::test]
async fn a_wrong_master_key_is_one_error_at_the_start_and_nothing_is_lost() {
    let folder = tempdir().expect("a folder");
    let data = folder.path().join("data");
    let manager = starts(&data).await;
    define(&manager, documents()).await;
    let change = Change::of("documents").new_keys("value_2");
    let report = manager.key_changed(change).await.expect("it ends");
    manager.shutdown().await.expect("it shuts down");
    let wrong = KeysManagement::builder().master_key(|| "another master key, as long as the first");
    let error = wrong
        .data_folder(&data)
        .start()
        .await
        .map(drop)
        .expect_err("it is wrong");
    assert_says(
        error.code(),
        "wrong_master_key",
        &error.to_string(),
        &["master key"],
    );
    let manager = starts(&data).await;
    assert_eq!(manager.wait(report.id).await, Ok(report));
    manager.shutdown().await.expect("it shuts down");
}

#[tokio::test]
async fn a_setting_of_zero_is_named() {
    let with = [
        ("max_crashes", builder().max_crashes(0)),
        ("max_callbacks", builder().max_callbacks(0)),
        ("instances_at_once", builder().instances_at_once(0)),
        ("store_threads", builder().store_threads(0)),
        ("callback_threads", builder().callback_threads(0)),
        ("reopen_every", builder().reopen_every(Duration::ZERO)),
        ("call_time_limit", builder().call_time_limit(Duration::ZERO)),
        ("worker_wait", builder().worker_wait(Some(Duration::ZERO))),
        (
            "restart_intensity",
            builder().restart_intensity(5, Duration::ZERO),
        ),
    ];
    for (what, builder) in with {
        let started = builder.state_repo(MemoryRepo::new()).start().await;
        let error = started.map(drop).expect_err("a zero");
        assert_says(error.code(), "zero_bound", &error.to_string(), &[what]);
    }
}
