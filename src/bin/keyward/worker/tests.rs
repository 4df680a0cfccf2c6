//! Callbacks that are commands, called by a keeper in this process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use keyward::{
    CallbackStatus, Change, KeysManagement, MemoryRepo, RotationReport, SecretKeyDefinition,
    SecretKeyPair,
};
use serde_json::{Value, json};

use crate::worker::calls::Calls;
use crate::worker::on_change::{OnChange, Words};

const OLD: &str = "canary-old-0123456789";
const NEW: &str = "canary-new-0123456789";

async fn keeper(limit: Duration) -> KeysManagement {
    let builder = KeysManagement::builder().state_repo(MemoryRepo::new());
    let builder = builder.master_key(|| "a master key for tests: 32 bytes or more");
    let keeper = builder.start().await.unwrap();
    let pair = || SecretKeyPair::new(OLD, "back");
    let key = SecretKeyDefinition::round_trip("documents", pair);
    let key = key.callback_time_limit(limit);
    keeper.define_key(key).await.unwrap();
    keeper
}

/// The report of a change that calls this command once.
async fn change(keeper: &KeysManagement, words: Words, memory: bool) -> RotationReport {
    let worker = keeper.join("anna").await.unwrap();
    let on_change = OnChange {
        key: "documents".to_owned(),
        command: words,
    };
    let mut calls = Calls::new();
    let registered = calls.register(&worker, &on_change, "re-encrypt", &[], memory);
    registered.await.unwrap();
    let change = Change::of("documents").old(OLD).new_keys(NEW);
    tokio::select! {
        report = keeper.key_changed(change) => report.unwrap(),
        () = calls.serve() => panic!("it does not end"),
    }
}

fn sh(script: &str) -> Words {
    Words {
        program: "sh".to_owned(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
    }
}

/// How the one call of this script ended: its status, and what is said of it.
async fn ended(words: Words, limit: Duration) -> (CallbackStatus, String) {
    let keeper = keeper(limit).await;
    let report = change(&keeper, words, false).await;
    keeper.shutdown().await.unwrap();
    let step = &report.steps[0];
    (step.status, step.error.clone().unwrap_or_default())
}

async fn failed(words: Words) -> String {
    let (status, said) = ended(words, Duration::from_secs(60)).await;
    assert_eq!(status, CallbackStatus::Failed, "{said}");
    assert!(!said.contains("canary"), "{said}");
    said
}

async fn succeeded(script: &str) {
    let (status, said) = ended(sh(script), Duration::from_secs(60)).await;
    assert_eq!(status, CallbackStatus::Succeeded, "{said}");
}

fn runs(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ");
    state.is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_command_finds_the_change_on_its_standard_input_and_no_key_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (given, seen) = (path("given"), path("seen"));
    let script = format!(
        "cat > {given}; env > {seen}; tr '\\0' ' ' < /proc/$$/cmdline >> {seen}; ls /proc/$$/fd >> {seen}"
    );
    let keeper = keeper(Duration::from_secs(60)).await;
    let report = change(&keeper, sh(&script), false).await;
    assert_eq!(report.steps[0].status, CallbackStatus::Succeeded);
    let text = fs::read_to_string(&given).unwrap();
    assert_eq!(text.lines().count(), 1);
    let given: Value = serde_json::from_str(&text).unwrap();
    let half = |value: &str| BASE64.encode(value.as_bytes());
    let keys = |value: &str| json!({ "forward": half(value), "back": half(value) });
    assert_eq!(
        given,
        json!({
            "rotation": report.id.to_string(), "key": "documents", "worker": "anna", "attempt": 1,
            "old": keys(OLD), "new": keys(NEW),
        })
    );
    let seen = fs::read_to_string(&seen).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("canary"), "{seen}");
    assert!(!seen.contains("CARGO"), "{seen}");
    keeper.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_last_line_is_the_effect() {
    let keeper = keeper(Duration::from_secs(60)).await;
    let script = "cat > /dev/null; echo working; echo effect: reencrypted";
    let report = change(&keeper, sh(script), false).await;
    assert_eq!(report.steps[0].status, CallbackStatus::Succeeded);
    let back = keeper.get_back_path_key("documents").await.unwrap();
    assert_eq!(back.expose_str(), Some(NEW));
    keeper.shutdown().await.unwrap();
    let said = failed(sh("echo effect: encrypted")).await;
    assert!(said.contains("effect: reencrypted"), "{said}");
}

#[tokio::test]
async fn a_callback_of_memory_has_no_effect() {
    let keeper = keeper(Duration::from_secs(60)).await;
    let report = change(&keeper, sh("echo effect: reencrypted"), true).await;
    assert_eq!(report.steps[0].status, CallbackStatus::Failed);
    keeper.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_standard_error_is_the_failures_text_unless_it_shows_a_key() {
    let said = failed(sh("echo the disk is full >&2; exit 3")).await;
    assert!(
        said.contains("exit status: 3") && said.contains("the disk is full"),
        "{said}"
    );
    let said = failed(sh("cat >&2; exit 3")).await;
    assert!(said.contains("withheld"), "{said}");
    // A key is found before the text is shortened.
    let long = format!("head -c 1010 /dev/zero | tr '\\0' . >&2; echo {NEW} >&2; exit 3");
    let said = failed(sh(&long)).await;
    assert!(said.contains("withheld"), "{said}");
}

#[tokio::test]
async fn a_command_that_is_missing_or_not_executable_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let program = |path: &Path| Words {
        program: path.display().to_string(),
        arguments: Vec::new(),
    };
    let script = folder.path().join("script");
    let said = failed(program(&script)).await;
    assert!(said.contains(&script.display().to_string()), "{said}");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
    let said = failed(program(&script)).await;
    assert!(said.contains("ermission denied"), "{said}");
}

#[tokio::test]
async fn a_command_that_prints_a_gigabyte_or_closes_its_input_ends_as_it_says() {
    succeeded("head -c 1000000000 /dev/zero; echo; echo effect: nothing").await;
    let said = failed(sh("head -c 1000000000 /dev/zero | tr '\\0' x >&2; exit 4")).await;
    assert!(
        said.contains("exit status: 4") && said.len() < 2048,
        "{}",
        said.len()
    );
    succeeded("exec <&-; sleep 0.2").await;
    succeeded("exit 0").await;
    let said = failed(sh("exec <&- >&- 2>&-; exit 5")).await;
    assert!(said.contains("exit status: 5"), "{said}");
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed_with_its_group_and_what_it_said_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("processes");
    let script = format!(
        "sleep 1000 & echo $! >> {0}; echo $$ >> {0}; echo waiting for the disk >&2; trap '' TERM; wait",
        log.display()
    );
    let (status, said) = ended(sh(&script), Duration::from_secs(3)).await;
    assert_eq!(status, CallbackStatus::Failed);
    assert!(
        said.contains("within 3s") && said.contains("waiting for the disk"),
        "{said}"
    );
    let processes = fs::read_to_string(&log).unwrap();
    let begun = Instant::now();
    while processes.lines().any(runs) {
        assert!(begun.elapsed() < Duration::from_secs(30), "they go on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(processes.lines().count(), 2);
}
