//! Plain keys are nowhere: not in the database folder, not in the log at trace level, not in any
//! error text, report or listing; neither raw nor in hex nor in base64.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod support;

use std::fmt::{Debug, Display};
use std::fs;
use std::io;
use std::panic;
use std::path::Path;
use std::sync::{Arc, Mutex};

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use data_encoding::{HEXLOWER, HEXUPPER};
use keyward::worker::callback::KeyChange;
use keyward::{
    Change, Effect, KeysManagement, OnKeyChangedCallbackErrorStrategy, RotationState,
    SecretKeyDefinition, SecretKeyFlow, SecretKeyPair,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Gate, MASTER_KEY, until, within};

/// Every key that is used, none of which is part of another word.
const KEYS: [&str; 9] = [
    "qZ7-first-forward-half/+é",
    "vK2-first-back-half/+é",
    "xW9-second-forward-half",
    "jB4-second-back-half",
    "mT6-held-and-told-by-the-store",
    "gP1-set-by-a-callback",
    "yR8-third-value",
    "hL3-of-a-one-way-key",
    MASTER_KEY,
];

/// The log, in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("no panic under the lock")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that was said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    fn add(&self, shown: &(impl Debug + ?Sized)) {
        let mut said = self.0.lock().expect("no panic under the lock");
        said.push_str(&format!("{shown:?}\n{shown:#?}\n"));
    }

    fn error<E: Debug + Display>(&self, error: E) {
        self.add(&error);
        self.0
            .lock()
            .expect("no panic under the lock")
            .push_str(&format!("{error}\n"));
    }

    fn all(&self) -> String {
        self.0.lock().expect("no panic under the lock").clone()
    }
}

/// The forms in which a program may show a key: raw, hex, base64, escaped, and as a list of bytes.
fn shown(key: &str) -> Vec<String> {
    let bytes = key.as_bytes();
    vec![
        key.to_owned(),
        HEXLOWER.encode(bytes),
        HEXUPPER.encode(bytes),
        BASE64.encode(bytes),
        BASE64_NOPAD.encode(bytes),
        BASE64URL.encode(bytes),
        BASE64URL_NOPAD.encode(bytes),
        bytes.escape_ascii().to_string(),
        format!("{bytes:?}"),
    ]
}

/// The forms in which a key is looked for: base64 at each of the three places where it may begin in
/// a longer text too, without what depends on its neighbours.
fn forms(key: &str) -> Vec<Vec<u8>> {
    let mut forms = shown(key);
    for skipped in 0..3 {
        let bytes = &key.as_bytes()[skipped..];
        let whole = &bytes[..bytes.len() / 3 * 3];
        forms.extend([BASE64.encode(whole), BASE64URL.encode(whole)]);
    }
    forms.into_iter().map(String::into_bytes).collect()
}

fn assert_nowhere(place: &str, bytes: &[u8]) {
    for key in KEYS {
        for form in forms(key) {
            let found = bytes.windows(form.len()).position(|window| window == form);
            assert_eq!(
                found,
                None,
                "{place} has {}",
                String::from_utf8_lossy(&form)
            );
        }
    }
}

fn assert_not_in_folder(folder: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files += assert_not_in_folder(&path);
        } else {
            assert_nowhere(
                &path.display().to_string(),
                &fs::read(&path).expect("a file"),
            );
            files += 1;
        }
    }
    files
}

/// What a callback says that quotes the keys of its own rotation in every form.
fn quote(change: &KeyChange) -> String {
    let pairs = [&change.old_keys, &change.new_keys];
    let halves = pairs
        .into_iter()
        .flatten()
        .flat_map(|pair| [pair.forward(), pair.back()]);
    let texts: Vec<String> = halves
        .flat_map(|half| shown(half.expose_str().expect("text")))
        .collect();
    format!("{change:?} {}", texts.join(" and "))
}

fn pair(first: usize) -> SecretKeyPair {
    SecretKeyPair::new(KEYS[first], KEYS[first + 1])
}

async fn manager(folder: &Path) -> KeysManagement {
    let started = support::builder().data_folder(folder).start().await;
    started.expect("it starts")
}

fn documents() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("documents", || pair(0))
        .stateless(false)
        .error_strategy(OnKeyChangedCallbackErrorStrategy::SkipAndRaise)
}

async fn ask_for_keys(manager: &KeysManagement, said: &Said) {
    for key in ["documents", "token", "missing"] {
        for flow in [
            SecretKeyFlow::ForwardPath,
            SecretKeyFlow::BackPath,
            SecretKeyFlow::Default,
        ] {
            match manager.get_key_on(key, flow).await {
                Ok(answer) => said.add(&answer),
                Err(error) => said.error(error),
            }
        }
    }
    manager.save_state("documents").await.expect("it is saved");
}

/// A store that answers once, and later quotes what it answered.
async fn let_a_store_quote(manager: &KeysManagement, said: &Said) {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let store = move || match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Ok(KEYS[4]),
        1 => panic!("the store panics with {}", KEYS[4]),
        _ => Err(format!(
            "the store fails with {} {:?}",
            KEYS[4],
            forms(KEYS[4])
        )),
    };
    let definition = SecretKeyDefinition::round_trip("quoted", store);
    manager.define_key(definition).await.expect("it is defined");
    manager
        .get_forward_path_key("quoted")
        .await
        .expect("it answers once");
    for _ in 0..2 {
        let error = manager
            .get_forward_path_key("quoted")
            .await
            .expect_err("it quotes");
        said.error(error);
    }
}

async fn let_callbacks_quote(manager: &KeysManagement, said: &Said) {
    let worker = manager.join("w1").await.expect("it joins");
    let register = |name: &'static str| (&worker, name);
    let (w, name) = register("fails");
    let fails = |change: KeyChange| Err::<(), _>(quote(&change));
    w.register_on_change("documents", name, fails)
        .await
        .expect("it registers");
    let (w, name) = register("panics");
    let panics = |change: KeyChange| -> Effect { panic!("{}", quote(&change)) };
    w.register_on_change("documents", name, panics)
        .await
        .expect("it registers");
    let (w, name) = register("sets");
    let sets = |change: KeyChange| {
        change
            .key
            .set_last_flow(SecretKeyFlow::ForwardPath)
            .expect("it fits");
        change.key.set_previous_keys(KEYS[5]).expect("it fits");
    };
    w.register_on_change("documents", name, sets)
        .await
        .expect("it registers");
    let change = Change::of("documents").old(pair(0)).new_keys(pair(2));
    said.add(&change);
    let error = within(manager.key_changed(change))
        .await
        .expect_err("it raises");
    let keyward::RotationError::Raised { report } = &error else {
        panic!("{error}");
    };
    assert_eq!(report.state, RotationState::CompletedWithFailures);
    said.add(&report);
    let id = report.id;
    said.error(error);
    said.add(&manager.recover_keys(id).await.expect("it holds keys still"));
    let unfit = [
        Change::of("documents").old(KEYS[6]).new_keys(KEYS[6]),
        Change::of("token").new_keys(pair(2)),
        Change::of("documents").old(KEYS[6]).id(id.as_uuid()),
        Change::of("missing").new_keys(KEYS[6]),
    ];
    for change in unfit {
        said.error(manager.declare(change).await.expect_err("it is refused"));
    }
    said.error(
        manager
            .abort(id, &[])
            .await
            .expect_err("it must be confirmed"),
    );
}

/// Leaves a rotation whose keys are in the journal.
async fn leave_one_running(manager: &KeysManagement, folder: &Path, said: &Said) {
    let gate = Gate::default();
    let held = gate.clone();
    let waits = move |_: KeyChange| {
        let gate = held.clone();
        async move { gate.pass().await }
    };
    manager
        .register_on_change("token", "waits", waits)
        .await
        .expect("it registers");
    let change = Change::of("token").old(KEYS[7]).new_keys(KEYS[6]);
    manager.declare(change).await.expect("it is accepted");
    gate.arrived(1).await;
    assert!(assert_not_in_folder(folder) > 4, "while everything is open");
    said.add(&manager.status().await.expect("a status"));
    said.add(&manager.history(10).await.expect("a history"));
}

async fn refuse_to_start(folder: &Path, said: &Said) {
    let started = support::builder().data_folder(folder).start().await;
    said.error(started.map(drop).expect_err("it is open already"));
    for master_key in [
        "gP1-set",
        "mT6-held-and-told-by-the-store, and much longer than that",
    ] {
        let builder = KeysManagement::builder().master_key(move || master_key);
        let builder = builder.data_folder(folder.join("elsewhere"));
        let started = builder.start().await;
        match started {
            Ok(manager) => manager.shutdown().await.expect("it shuts down"),
            Err(error) => said.error(error),
        }
    }
}

#[test]
fn the_forms_that_are_looked_for_are_found_where_they_are() {
    for form in forms(KEYS[0]) {
        let text = [b"before ", form.as_slice(), b" after"].concat();
        assert!(panic::catch_unwind(|| assert_nowhere("a text", &text)).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_plain_key_is_in_the_folder_in_the_log_or_in_any_text() {
    let (log, said) = (Log::default(), Said::default());
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("it is the first");
    // The default hook would print what the plug-ins of this test panic with.
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        if !thread
            .name()
            .is_some_and(|name| name.starts_with("keyward"))
        {
            default(panic);
        }
    }));
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");

    let first = manager(&data).await;
    first.define_key(documents()).await.expect("it is defined");
    said.add(&documents());
    let token = SecretKeyDefinition::one_way("token", || KEYS[7]);
    first.define_key(token).await.expect("it is defined");
    ask_for_keys(&first, &said).await;
    let_a_store_quote(&first, &said).await;
    let_callbacks_quote(&first, &said).await;
    leave_one_running(&first, &data, &said).await;
    refuse_to_start(&data, &said).await;
    first.shutdown().await.expect("it shuts down");
    until("the folder is free", async || {
        let started = support::builder().data_folder(&data).start().await;
        match started {
            Ok(second) => {
                said.add(&second.status().await.expect("a status"));
                second.shutdown().await.expect("it shuts down");
                true
            }
            Err(_) => false,
        }
    })
    .await;

    assert!(assert_not_in_folder(&data) > 4, "the folder is empty");
    let log = log.0.lock().expect("no panic under the lock").clone();
    assert!(
        log.len() > 200,
        "the log is empty: {}",
        String::from_utf8_lossy(&log)
    );
    assert_nowhere("the log", &log);
    let said = said.all();
    assert!(said.contains("panicked") && said.contains("***"), "{said}");
    assert_nowhere("what was said", said.as_bytes());
}
