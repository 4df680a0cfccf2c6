//! A copy of the data folder of a running manager.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keyward::{
    Change, Effect, KeyChange, KeysManagement, RotationId, SecretKeyDefinition, block_on,
};
use tempfile::tempdir;

use crate::support::{builder, define, documents, in_memory, within};

async fn life(folder: &std::path::Path) -> KeysManagement {
    let manager = builder().data_folder(folder).start().await.unwrap();
    define(&manager, documents()).await;
    let stated = SecretKeyDefinition::round_trip("stated", || "value_1").stateless(false);
    define(&manager, stated).await;
    manager
}

fn change(round: usize) -> Change {
    let old = format!("old_{round}");
    Change::of("stated")
        .old(old)
        .new_keys(format!("new_{round}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_made_while_rotations_run_has_all_that_was_accepted_before_and_goes_on() {
    let base = tempdir().unwrap();
    let manager = life(&base.path().join("data")).await;
    manager
        .register_on_change("stated", "encrypts", |_: KeyChange| Effect::Reencrypted)
        .await
        .unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let (rotating, of_rotating, ends) = (manager.clone(), Arc::clone(&rounds), Arc::clone(&over));
    let rotating = tokio::spawn(async move {
        while !ends.load(Ordering::SeqCst) {
            let round = of_rotating.load(Ordering::SeqCst);
            drop(rotating.key_changed(change(round)).await.unwrap());
            of_rotating.store(round + 1, Ordering::SeqCst);
        }
    });
    for number in 0..5 {
        let id = RotationId::from(keyward::Uuid::from_u128(number));
        manager
            .declare(Change::of("documents").old("a").new_keys("b").id(id))
            .await
            .unwrap();
        let completed = rounds.load(Ordering::SeqCst);
        let folder = base.path().join(format!("backup-{number}"));
        within(manager.backup(&folder)).await.unwrap();
        let copy = life(&folder).await;
        let known = copy.wait(id).await;
        assert!(known.is_ok(), "it was accepted before: {known:?}");
        let stated = Some("stated");
        let listed = copy.history(100_000).await.unwrap().rotations;
        let found = listed.iter().filter(|r| Some(r.key.as_str()) == stated);
        assert!(found.count() >= completed);
        assert!(copy.status().await.unwrap().unreadable_records.is_empty());
        // The record of the last effect that was made.
        let back = copy.get_back_path_key("stated").await.unwrap();
        assert!(completed == 0 || back.expose_str().unwrap().starts_with("new_"));
        copy.shutdown().await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    rotating.await.unwrap();
    manager.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_backup_needs_its_own_master_key_as_the_folder_does() {
    let base = tempdir().unwrap();
    let manager = life(&base.path().join("data")).await;
    let folder = base.path().join("backup");
    manager.backup(&folder).await.unwrap();
    manager.shutdown().await.unwrap();
    let other = KeysManagement::builder()
        .master_key(|| "another master key, which has 32 bytes too")
        .data_folder(&folder);
    assert_eq!(other.start().await.unwrap_err().code(), "wrong_master_key");
    life(&folder).await.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_state_repo_without_backups_says_so() {
    let base = tempdir().unwrap();
    let manager = in_memory().await;
    let folder = base.path().join("backup");
    let error = manager.backup(&folder).await.unwrap_err();
    assert_eq!(error.code(), "no_backup");
    assert!(error.to_string().contains("by its own means"), "{error}");
    assert!(!folder.exists());
    manager.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_backup_is_refused_for_a_bad_target_and_after_the_shutdown() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let manager = life(&data).await;
    let inside = manager.backup(data.join("backup")).await.unwrap_err();
    assert_eq!(inside.code(), "backup_target");
    assert!(
        inside.to_string().contains("data folder itself"),
        "{inside}"
    );
    let of_thread = manager.clone();
    let made = {
        let folder = base.path().join("blocking");
        tokio::task::spawn_blocking(move || block_on(of_thread.backup(folder)))
    };
    made.await.unwrap().unwrap();
    manager.shutdown().await.unwrap();
    let late = manager.backup(base.path().join("late")).await.unwrap_err();
    assert_eq!(late.code(), "shut_down");
    let mut names: Vec<_> = fs::read_dir(base.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["blocking", "data"]);
}

#[tokio::test]
async fn backups_at_once_are_made_one_after_the_other_or_are_told_busy() {
    let base = tempdir().unwrap();
    let manager = life(&base.path().join("data")).await;
    let targets = (0..8).map(|number| base.path().join(format!("backup-{number}")));
    let targets: Vec<_> = targets.collect();
    let all = targets.iter().map(|target| {
        let (manager, target) = (manager.clone(), target.clone());
        tokio::spawn(async move { manager.backup(target).await })
    });
    let all: Vec<_> = all.collect();
    let mut made = 0;
    for (backup, target) in all.into_iter().zip(&targets) {
        match within(backup).await.unwrap() {
            Ok(()) => {
                life(target).await.shutdown().await.unwrap();
                made += 1;
            }
            Err(error) => {
                assert_eq!(error.code(), "busy");
                assert!(!target.exists());
            }
        }
    }
    assert!(made > 0);
    manager.shutdown().await.unwrap();
}
