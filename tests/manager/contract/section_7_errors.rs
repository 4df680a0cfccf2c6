//! Section 7: errors have stable codes and say where and what to do.

use keyward::{Change, KeyChange, KeysManagement, MemoryRepo, SecretKeyFlow};

use crate::support::{MASTER_KEY, assert_says, builder, in_memory};
use crate::world::{Disk, Source, back, end, forward, with};

#[tokio::test]
async fn the_codes_of_the_vectors_are_stable() {
    let disk = Disk::default();
    let source = Source::new("v");
    let manager = disk.life_with(source.documents().stateless(false)).await;
    forward(&manager).await;
    manager.save_state("documents").await.unwrap();
    end(manager).await;
    disk.spoil(keyward::repo::space::Space::States, |_| true);
    let manager = disk.life_with(source.documents().stateless(false)).await;
    assert_eq!(back(&manager).await, "state_unreadable");
    let wrong = manager
        .get_key_on("documents", SecretKeyFlow::Default)
        .await;
    assert_eq!(wrong.unwrap_err().code(), "invalid_flow");
    let twice = manager.define_key(source.documents()).await;
    assert_eq!(twice.unwrap_err().code(), "invalid_definition");
    let same = manager
        .declare(Change::of("documents").old("a").new_keys("a"))
        .await;
    assert_eq!(same.unwrap_err().code(), "same_keys");
    manager
        .define_key(source.round_trip("stateless"))
        .await
        .unwrap();
    let stateless = manager.save_state("stateless").await.unwrap_err();
    assert_says(
        stateless.code(),
        "stateless_key",
        &stateless.to_string(),
        &["stateless"],
    );
    source.set("");
    assert_eq!(forward(&manager).await, "invalid_key");
    source.fail();
    assert_eq!(forward(&manager).await, "store_failed");
    let unknown = manager.get_key("unknown").await.unwrap_err();
    assert_says(
        unknown.code(),
        "key_not_defined",
        &unknown.to_string(),
        &["unknown"],
    );
}

#[tokio::test]
async fn a_definition_with_a_zero_limit_is_refused() {
    let manager = in_memory().await;
    let definition = Source::new("v").documents().max_requests(0);
    let refused = manager.define_key(definition).await.unwrap_err();
    assert_says(
        refused.code(),
        "invalid_definition",
        &refused.to_string(),
        &["max_requests"],
    );
}

#[tokio::test]
async fn a_callback_is_registered_once_in_a_life() {
    let manager = with(Source::new("v").documents()).await;
    let register = async || {
        manager
            .register_on_change("documents", "c", |_: KeyChange| {})
            .await
    };
    register().await.unwrap();
    assert_eq!(register().await.unwrap_err().code(), "callback_taken");
}

#[tokio::test]
async fn there_is_no_default_folder_and_no_default_master_key() {
    let start = KeysManagement::builder()
        .master_key(|| MASTER_KEY)
        .start()
        .await;
    assert_eq!(start.unwrap_err().code(), "no_data_folder");
    let start = KeysManagement::builder()
        .state_repo(MemoryRepo::new())
        .start()
        .await;
    assert_eq!(start.unwrap_err().code(), "no_master_key");
    let start = builder()
        .master_key(|| "too short")
        .state_repo(MemoryRepo::new())
        .start()
        .await;
    assert!(start.is_err());
}

#[tokio::test]
async fn another_master_key_than_the_one_that_made_the_database_is_one_error_at_the_start() {
    let disk = Disk::default();
    end(disk.life().await).await;
    let other = "another master key for tests: 32 bytes";
    let start = builder()
        .master_key(move || other)
        .state_repo(disk.clone())
        .start()
        .await;
    let error = start.unwrap_err();
    assert!(error.to_string().contains("master key"), "{error}");
    end(disk.life().await).await;
}

#[tokio::test]
async fn debug_of_an_error_is_its_code_and_its_whole_text_with_its_cause_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    end(builder().data_folder(&data).start().await.unwrap()).await;
    // What the system says to a lock file that is a folder.
    let lock = data.join("keyward.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let error = builder().data_folder(&data).start().await.unwrap_err();
    let text = error.to_string();
    assert_says(
        error.code(),
        "repo_failed",
        &text,
        &[lock.to_str().unwrap()],
    );
    assert_eq!(
        text.matches("Is a directory (os error 21)").count(),
        1,
        "{text}"
    );
    assert_eq!(format!("{error:?}"), format!("repo_failed: {text}"));
    let error: Box<dyn std::error::Error> = Box::new(error);
    assert_eq!(format!("{error:?}"), format!("repo_failed: {text}"));

    let manager = in_memory().await;
    let unknown = manager.get_key("unknown").await.unwrap_err();
    let shown = format!("key_not_defined: {unknown}");
    assert_eq!(
        format!("{unknown:?} {unknown:#?}"),
        format!("{shown} {shown}")
    );
}

#[tokio::test]
async fn a_name_that_turns_a_text_around_is_shown_escaped() {
    let manager = in_memory().await;
    let unknown = manager.get_key("a\u{202e}b").await.unwrap_err();
    let text = unknown.to_string();
    assert!(text.contains("a\\u{202e}b"), "{text}");
    manager.join("a\u{200b}b").await.unwrap();
    let taken = manager.join("a\u{200b}b").await;
    assert!(taken.is_err() || !format!("{taken:?}").contains('\u{200b}'));
}
