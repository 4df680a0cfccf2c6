//! Section 7: errors have stable codes and say where and what to do.

use keyward::{Change, SecretKeyFlow};

use crate::support::{assert_says, builder, in_memory};
use crate::world::{Disk, Source, back, end, forward};

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
