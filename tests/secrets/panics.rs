//! What a panic prints: with the binary's hook its place and nothing else; and keyward itself prints
//! nothing besides what the program's hook does.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::panic;
use std::path::Path;

use keyward::{KeysManagement, SecretKeyDefinition};

use crate::canary::{self, DECLARED, OLD_FORWARD, TOLD};
use crate::child;
use crate::heard::Said;
use crate::story::{ask_for_keys, define, let_callbacks_quote, manager};
use crate::support;
use crate::{hardening, log};

/// The variable that the binary reads its log's filter from.
const LOG: (&str, &str) = ("KEYWARD_LOG", "trace");

/// Panics with keys wherever foreign code runs, and on threads of the program's own.
async fn panic_everywhere(folder: &Path) {
    let said = Said::default();
    let manager = manager(&folder.join("data")).await;
    define(&manager).await;
    ask_for_keys(&manager, &said).await;
    let_callbacks_quote(&manager, &said).await;
    let_stores_panic(&manager).await;
    drop(std::thread::spawn(|| panic!("a thread panics with {TOLD}")).join());
    drop(tokio::spawn(async { panic!("a task panics with {TOLD}") }).await);
    let caught = panic::catch_unwind(|| {
        // What an assertion shows is the values.
        assert_eq!(OLD_FORWARD, DECLARED);
    });
    drop(caught.expect_err("they differ"));
    manager.shutdown().await.expect("it shuts down");
}

async fn let_stores_panic(manager: &KeysManagement) {
    let formatted = || -> &'static str { panic!("the store panics with {TOLD}") };
    let text = || -> &'static str { panic::panic_any(TOLD) };
    let owned = || -> &'static str { panic::panic_any(TOLD.to_owned()) };
    let waits = async || -> &'static str { panic!("an async store panics with {TOLD}") };
    for definition in [
        SecretKeyDefinition::one_way("formatted", formatted),
        SecretKeyDefinition::one_way("text", text),
        SecretKeyDefinition::one_way("owned", owned),
        SecretKeyDefinition::one_way("waits", waits),
    ] {
        support::define(manager, definition).await;
    }
    for key in ["formatted", "text", "owned", "waits"] {
        let error = manager.get_key(key).await;
        assert_eq!(error.expect_err("it panics").code(), "store_failed");
    }
}

/// The child that is protected as the binary is.
pub fn with_the_hook_of_the_binary(folder: &Path) {
    hardening::forbid_payloads_in_panics();
    log::start(log::DEFAULT).expect("a good filter");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(panic_everywhere(folder));
}

/// The child that is a library's program: its hook writes the texts to a file of its own.
pub fn with_a_hook_of_its_own(folder: &Path) {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("hook"));
    let file = file.expect("a file");
    panic::set_hook(Box::new(move |panic| {
        writeln!(&file, "{panic}").expect("the file takes it");
    }));
    log::start(log::DEFAULT).expect("a good filter");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(panic_everywhere(folder));
}

#[test]
fn a_panic_under_the_hook_of_the_binary_prints_its_place_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = child::run("panics", folder.path(), &[LOG]);
    assert!(ended.status.success(), "{}", ended.output);
    canary::nowhere("the output", ended.output.as_bytes());
    canary::nowhere("the standard error", ended.errors.as_bytes());
    let places = |line: &&str| line.starts_with("keyward: a panic at tests/secrets/");
    let told = ended.errors.lines().filter(places).count();
    // A callback, four stores, a thread, a task and an assertion.
    assert_eq!(told, 8, "{}", ended.errors);
    assert!(canary::not_in_folder(folder.path()) > 4);
}

#[test]
fn keyward_prints_nothing_of_a_panic_besides_the_hook_of_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = child::run("panics-elsewhere", folder.path(), &[LOG]);
    assert!(ended.status.success(), "{}", ended.output);
    let hook = fs::read(folder.path().join("hook")).expect("what the hook wrote");
    assert!(canary::find(&hook).is_some(), "the panics quote keys");
    canary::nowhere("the output", ended.output.as_bytes());
    canary::nowhere("the standard error", ended.errors.as_bytes());
    assert!(!ended.errors.contains("panics with"), "{}", ended.errors);
    assert!(canary::not_in_folder(&folder.path().join("data")) > 4);
}
