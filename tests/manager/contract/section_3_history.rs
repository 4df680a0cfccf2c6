//! Section 3: what the history remembers, and for how long.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use keyward::management::builder::KeysManagementBuilder;
use keyward::{Change, KeysManagement, MemoryRepo, RotationId, RotationState};

use crate::support::{Gate, builder, define, remembered, until, within};
use crate::world::{Source, declare, end, fails_until, forward, waits_at};

async fn started(builder: KeysManagementBuilder) -> KeysManagement {
    let manager = builder.start().await.expect("it starts");
    define(&manager, Source::new("v").documents()).await;
    manager
}

async fn completes(manager: &KeysManagement, new: &str) -> RotationId {
    let id = declare(manager, new).await;
    let report = within(manager.wait(id)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    id
}

#[tokio::test]
async fn the_history_is_pruned_by_count_and_what_holds_keys_is_not() {
    let disk = MemoryRepo::new();
    let few = |disk: &MemoryRepo| builder().state_repo(disk.clone()).history_count(Some(3));
    let manager = started(few(&disk)).await;
    let mut newest = Vec::new();
    for number in 0..6 {
        newest.push(completes(&manager, &format!("n{number}")).await);
    }
    fails_until(&manager, "fails").await;
    let stopped = declare(&manager, "s").await;
    let report = within(manager.wait(stopped)).await.unwrap();
    assert_eq!(report.state, RotationState::Stopped);
    newest.reverse();
    let kept = newest[..3].to_vec();
    until("three are remembered", async || {
        remembered(&manager).await == kept
    })
    .await;
    end(manager).await;

    let manager = started(few(&disk).history_count(Some(1))).await;
    until("one is remembered", async || {
        remembered(&manager).await == kept[..1]
    })
    .await;
    let keys = within(manager.recover_keys(stopped)).await.unwrap();
    assert_eq!(keys.new.unwrap().forward().expose_str().unwrap(), "s");
}

#[tokio::test]
async fn the_history_is_pruned_by_age_and_a_forgotten_id_is_a_new_one() {
    let short = builder()
        .state_repo(MemoryRepo::new())
        .history_age(Some(Duration::ZERO));
    let manager = started(short).await;
    let id = completes(&manager, "a").await;
    until("nothing is remembered", async || {
        remembered(&manager).await.is_empty()
    })
    .await;
    // It is waited for before it ends, for then it may be forgotten again.
    let gate = Gate::default();
    let registered = manager.register_on_change("documents", "waits", waits_at(&gate));
    registered.await.unwrap();
    let again = Change::of("documents").id(id).new_keys("b");
    assert_eq!(within(manager.declare(again)).await.unwrap(), id);
    let (report, ()) = tokio::join!(within(manager.wait(id)), async { gate.open() });
    let report = report.unwrap();
    assert_eq!(report.state, RotationState::Completed);
}

#[tokio::test]
async fn without_limits_and_by_default_nothing_young_is_forgotten() {
    let unlimited = builder().history_age(None).history_count(None);
    for builder in [builder(), unlimited] {
        let manager = started(builder.state_repo(MemoryRepo::new())).await;
        for number in 0..20 {
            completes(&manager, &format!("n{number}")).await;
        }
        assert_eq!(remembered(&manager).await.len(), 20);
    }
}

fn tables(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| name.ends_with(".sst")).collect()
}

/// A folder that only its owner may enter.
fn folder() -> tempfile::TempDir {
    let private = fs::Permissions::from_mode(0o700);
    let builder = tempfile::Builder::new().permissions(private).tempdir();
    builder.unwrap()
}

fn copied(from: &Path) -> tempfile::TempDir {
    let to = folder();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

#[tokio::test]
async fn damage_to_the_history_is_told_after_the_start_and_keys_are_handed_out() {
    let whole = folder();
    let manager = started(builder().data_folder(whole.path())).await;
    // The start reads the last one of them.
    for number in 0..60 {
        completes(&manager, &format!("n{number}")).await;
    }
    end(manager).await;
    let mut told = 0;
    for table in tables(whole.path()) {
        let folder = copied(whole.path());
        let path = folder.path().join(&table);
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        fs::write(&path, bytes).unwrap();
        let manager = match builder().data_folder(folder.path()).start().await {
            Ok(manager) => manager,
            Err(error) => {
                assert!(error.to_string().contains(&table), "{error}");
                continue;
            }
        };
        define(&manager, Source::new("v").documents()).await;
        let mut damage = None;
        until("the damage is told", async || {
            damage = within(manager.status()).await.unwrap().damaged_history;
            damage.is_some()
        })
        .await;
        let damage = damage.unwrap();
        assert!(
            damage.contains(&table) && damage.contains("restore"),
            "{damage}"
        );
        assert_eq!(forward(&manager).await, "v");
        completes(&manager, "still").await;
        end(manager).await;
        told += 1;
    }
    assert_eq!(told, 1, "one table has the history");
}
