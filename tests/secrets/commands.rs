//! Commands that fail and print their key while they do: on their output and their standard error,
//! in every form, at the place where their text is cut, and after they had succeeded before.

use std::fs;
use std::path::Path;

use keyward::secret::scrub::Scrubber;
use keyward::store::keys_store::{Fetching, StoreRequest};
use keyward::{Change, CommandStore, KeyChange, KeysStore, SecretKeyDefinition};

use crate::canary::{self, PRINTED};
use crate::heard::{Said, log};
use crate::story::builder;
use crate::support::{self, Gate, SHORT, in_memory};

/// What a command does with the key in the file `$1`, and what of its error must be left: its words are
/// withheld whole.
const FAILING: [(&str, &str); 8] = [
    (
        "cat $1; echo sorry, $(cat $1) is bad >&2; exit 1",
        "exit status: 1",
    ),
    (
        "cat $1; (echo sorry; od -An -v -tx1 $1) >&2; exit 1",
        "exit status: 1",
    ),
    (
        "cat $1; (echo sorry; base64 $1) >&2; exit 2",
        "exit status: 2",
    ),
    (
        "cat $1; (echo sorry; base64 -w0 $1) >&2; exit 2",
        "exit status: 2",
    ),
    (
        "cat $1; (printf x; cat $1) | base64 >&2; exit 2",
        "exit status: 2",
    ),
    (
        "cat $1; (printf xy; cat $1) | base64 >&2; exit 2",
        "exit status: 2",
    ),
    ("cat $1; cat $1 >&2; kill -9 $$", "signal: 9"),
    // The key is the last thing that is kept of a long text.
    (
        "cat $1; head -c 65510 /dev/zero | tr '\\0' '.' >&2; cat $1 >&2; \
         head -c 9000 /dev/zero >&2; exit 1",
        "the text was cut, and may contain a part of a key value",
    ),
];

/// Answers its key once; then it is silent on its output and says the key on its standard error, so
/// that the text is cut in the middle of the key.
const LATER: &str = "if [ -e $1.used ]; then head -c 990 /dev/zero | tr '\\0' '.' >&2; \
                     cat $1 >&2; exit 1; fi; touch $1.used; cat $1";

pub fn command(script: &str, file: &Path) -> CommandStore {
    let command = CommandStore::new("sh").args(["-c", script, "sh"]);
    command.arg(file)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_command_wrote_is_in_no_error_and_in_no_log() {
    let (log, said) = (log(), Said::default());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, PRINTED).expect("the key's file");
    let manager = in_memory().await;
    for (no, (script, left)) in FAILING.into_iter().enumerate() {
        let name = format!("key {no}");
        let store = command(script, &file);
        said.add(&store);
        let definition = SecretKeyDefinition::round_trip(&name, store.clone());
        support::define(&manager, definition).await;
        let error = manager.get_forward_path_key(&name).await;
        let error = error.expect_err("it fails");
        assert_eq!(error.code(), "store_failed");
        let text = error.to_string();
        assert!(text.contains(left), "{script}: {text}");
        assert!(text.contains("(withheld: "), "{script}: {text}");
        said.error(error);
        // The store's own error, for a program that asks a store by itself.
        let Fetching::Async(fetch) = store.fetch(&StoreRequest::new("key")) else {
            panic!("a command is waited for without a thread");
        };
        let error = fetch.await.expect_err("it fails");
        said.add(&error.described(&Scrubber::default()));
        said.error(error);
    }

    let later = SecretKeyDefinition::round_trip("later", command(LATER, &file));
    support::define(&manager, later).await;
    let answer = manager.get_forward_path_key("later").await;
    assert_eq!(
        answer.expect("its first answer").expose(),
        PRINTED.as_bytes()
    );
    let error = manager.get_forward_path_key("later").await;
    let error = error.expect_err("it fails");
    let text = error.to_string();
    assert!(
        text.contains("withheld: the text contains a key value"),
        "{text}"
    );
    said.error(error);

    let hangs = command("cat $1; cat $1 >&2; sleep 1000", &file).time_limit(3 * SHORT);
    let hangs = SecretKeyDefinition::round_trip("hangs", hangs);
    support::define(&manager, hangs).await;
    let error = manager.get_forward_path_key("hangs").await;
    said.error(error.expect_err("its time has passed"));
    said.add(&manager.status().await.expect("a status"));
    said.assert_clean();
    log.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_command_wrote_of_a_rotations_keys_is_not_in_its_error() {
    let (said, gate) = (Said::default(), Gate::default());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, PRINTED).expect("the key's file");
    let manager = in_memory().await;
    let fails = command("echo bad: $(cat $1) >&2; exit 1", &file);
    support::define(
        &manager,
        SecretKeyDefinition::round_trip("documents", fails),
    )
    .await;
    let held = gate.clone();
    let waits = move |_: KeyChange| held.pass_blocking();
    let registered = manager
        .register_on_change("documents", "waits", waits)
        .await;
    registered.expect("it registers");
    let change = Change::of("documents").old(canary::old()).new_keys(PRINTED);
    manager.declare(change).await.expect("it is accepted");
    gate.arrived(1).await;
    let error = manager.get_forward_path_key("documents").await;
    said.error(error.expect_err("it fails"));
    gate.open();
    said.assert_clean();
}

#[tokio::test]
async fn what_the_failing_command_of_the_master_key_wrote_is_not_in_the_error_of_the_start() {
    let said = Said::default();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    fs::write(&file, canary::MASTER).expect("the key's file");
    for (script, _) in FAILING {
        let builder = builder().master_key(command(script, &file));
        let started = builder
            .data_folder(folder.path().join("data"))
            .start()
            .await;
        let error = started.map(drop).expect_err("there is no master key");
        assert_eq!(error.code(), "store_failed");
        said.error(error);
    }
    said.assert_clean();
}
