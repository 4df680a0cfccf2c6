//! What stores and callbacks say of their failures: texts of any length, texts that never end or that
//! fail, and characters that are not seen.

use std::fmt;
use std::fs;

use keyward::worker::callback::KeyChange;
use keyward::{Change, KeysManagement, SecretKeyDefinition};

use crate::support::alone::alone_async;
use crate::support::{define, documents, error, in_memory, within};

/// No text may take more of it.
const MOST_MEMORY: usize = 64 << 20;

/// Says as many mebibytes, or never ends.
struct Says(Option<usize>);

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let piece = "it goes on. ".repeat((1 << 20) / 12);
        let mut said = 0;
        while self.0.is_none_or(|most| said < most) {
            f.write_str(&piece)?;
            said += 1;
        }
        Ok(())
    }
}

/// Says this, and then that it cannot.
struct Fails(&'static str);

impl fmt::Display for Fails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        Err(fmt::Error)
    }
}

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next());
    kib.unwrap().parse::<usize>().unwrap() << 10
}

/// What a store says that fails with this error.
async fn of_store<E: fmt::Display + Send + 'static>(
    manager: &KeysManagement,
    name: &str,
    error: impl Fn() -> E + Send + Sync + 'static,
) -> String {
    let fails = move || Err::<&str, E>(error());
    define(manager, SecretKeyDefinition::round_trip(name, fails)).await;
    let answer = within(manager.get_forward_path_key(name)).await;
    let error = answer.expect_err("the store fails");
    assert_eq!(error.code(), "store_failed");
    error.to_string()
}

/// What the report says of a callback that fails with this error.
async fn of_callback<E: fmt::Display + Send + 'static>(
    manager: &KeysManagement,
    name: &str,
    failing: impl Fn() -> E + Send + Sync + 'static,
) -> String {
    define(manager, SecretKeyDefinition::round_trip(name, || "value_1")).await;
    let fails = move |_: KeyChange| Err::<(), E>(failing());
    let registered = manager.register_on_change(name, "fails", fails).await;
    registered.expect("it registers");
    let change = Change::of(name).new_keys("value_2");
    let report = within(manager.key_changed(change)).await.expect("a report");
    error(&report, "main", "fails").to_owned()
}

/// In a process of its own, whose memory is measured.
#[test]
fn a_text_without_end_or_bound_takes_no_memory_and_ends() {
    alone_async(
        a_text_without_end_or_bound_takes_no_memory_and_ends,
        async {
            let manager = in_memory().await;
            let before = peak();
            for (name, length) in [("long", Some(1_000)), ("endless", None)] {
                let store = of_store(&manager, &format!("{name} 1"), move || Says(length)).await;
                let callback =
                    of_callback(&manager, &format!("{name} 2"), move || Says(length)).await;
                for text in [store, callback] {
                    assert!(text.contains("it goes on. it goes on."), "{text}");
                    assert!(text.contains("(cut)") && text.len() < 2_000, "{text}");
                }
            }
            let panics = || -> &'static str { panic!("{}", Says(Some(64))) };
            define(&manager, SecretKeyDefinition::one_way("panics", panics)).await;
            let text = within(manager.get_key("panics"))
                .await
                .expect_err("it panics")
                .to_string();
            assert!(text.contains("it goes on.") && text.len() < 2_000, "{text}");
            // A panic's text is built by the panic, before keyward can see it.
            let grown = peak() - before;
            assert!(grown < MOST_MEMORY + (128 << 20), "{grown} bytes more");
        },
    );
}

#[tokio::test]
async fn an_error_that_fails_to_say_itself_is_no_empty_text() {
    let manager = in_memory().await;
    for (name, said) in [("some", "the vault is"), ("none", "")] {
        let store = of_store(&manager, &format!("{name} 1"), move || Fails(said)).await;
        let callback = of_callback(&manager, &format!("{name} 2"), move || Fails(said)).await;
        for text in [store, callback] {
            let text = text.trim_start_matches(' ');
            assert!(text.contains(said), "{text}");
            assert!(text.contains("(the error failed to say more)"), "{text}");
        }
    }
}

#[tokio::test]
async fn control_characters_of_foreign_texts_are_escaped_wherever_they_are_shown() {
    const SAID: &str = "no\nINFO all is \u{202e}well\u{1b}[2J\u{200b}";
    const SHOWN: &str = "no\\nINFO all is \\u{202e}well\\u{1b}[2J\\u{200b}";
    let manager = in_memory().await;
    let mut texts = vec![
        of_store(&manager, "one", || SAID).await,
        of_callback(&manager, "two", || SAID).await,
    ];
    define(&manager, documents()).await;
    let panics = |_: KeyChange| -> () { panic!("{SAID}") };
    let registered = manager
        .register_on_change("documents", "panics", panics)
        .await;
    registered.expect("it registers");
    let change = Change::of("documents").new_keys("value_2");
    let report = within(manager.key_changed(change)).await.expect("a report");
    texts.push(error(&report, "main", "panics").to_owned());
    let listed = within(manager.status()).await.expect("a status").rotations;
    texts.extend(
        listed
            .iter()
            .map(|report| report.steps[0].error.clone().unwrap()),
    );
    assert_eq!(texts.len(), 5);
    for text in texts {
        assert!(text.contains(SHOWN), "{text:?}");
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}
