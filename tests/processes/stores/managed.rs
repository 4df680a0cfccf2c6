//! keyward's own stores under a manager: what is told of them, and their limits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use keyward::store::command::CommandStore;
use keyward::store::env::EnvStore;
use keyward::store::file::FileStore;
use keyward::{KeysManagement, MemoryRepo, SecretKeyDefinition};

use crate::stores::runtime;
use crate::support::alone::{again, passes};
use crate::support::log::Log;

const MARKED: &[u8] = b"\xef\xbb\xbfcanary";

async fn in_memory() -> KeysManagement {
    KeysManagement::builder()
        .state_repo(MemoryRepo::new())
        .master_key(|| [7_u8; 32])
        .start()
        .await
        .unwrap()
}

#[test]
fn a_byte_order_mark_before_a_key_is_told_once_and_stays() {
    let mut process = again(with_a_marked_variable);
    process.env("KW_MARKED", "\u{feff}canary");
    passes(process);
}

#[test]
#[ignore = "needs the variable that the test above sets"]
fn with_a_marked_variable() {
    let folder = tempfile::tempdir().unwrap();
    let [path, plain] = ["marked", "plain"].map(|name| folder.path().join(name));
    for (path, content) in [(&path, MARKED), (&plain, b"canary")] {
        fs::write(path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let printed = CommandStore::new("printf").arg("\\357\\273\\277canary");
    let marked = [
        SecretKeyDefinition::one_way("of-file", FileStore::new(&path)),
        SecretKeyDefinition::one_way("of-variable", EnvStore::new("KW_MARKED")),
        SecretKeyDefinition::one_way("of-command", printed),
        SecretKeyDefinition::one_way("of-closure", || MARKED),
    ];
    let sources = [
        ("of-file", path.to_str().unwrap()),
        ("of-variable", "KW_MARKED"),
        ("of-command", "printf"),
        ("of-closure", "the program's own"),
    ];
    let log = Log::begin();
    runtime().block_on(async {
        let keys = in_memory().await;
        for definition in marked {
            keys.define_key(definition).await.unwrap();
        }
        let plain = SecretKeyDefinition::one_way("plain", FileStore::new(&plain));
        keys.define_key(plain).await.unwrap();
        for (key, _) in sources {
            for _ in 0..2 {
                assert_eq!(keys.get_key(key).await.unwrap().expose(), MARKED);
            }
        }
        assert_eq!(keys.get_key("plain").await.unwrap().expose(), b"canary");
        keys.shutdown().await.unwrap();
    });
    let log = log.text();
    assert!(!log.contains("canary"), "{log}");
    let told = log.lines().filter(|line| line.contains("byte order mark"));
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), sources.len(), "{log}");
    for (line, (key, source)) in told.iter().zip(sources) {
        let names_both = line.contains(key) && line.contains(source);
        assert!(line.contains("WARN") && names_both, "{line}");
    }
}

#[test]
fn a_command_that_hangs_until_the_keys_limit_says_what_it_had_written() {
    let script = "echo waiting for the vault >&2; sleep 1000";
    // Its own limit is longer.
    let store = CommandStore::new("sh").args(["-c", script]);
    let limit = Duration::from_secs(2);
    let definition = SecretKeyDefinition::one_way("token", store).store_time_limit(limit);
    runtime().block_on(async {
        let keys = in_memory().await;
        keys.define_key(definition).await.unwrap();
        let error = keys.get_key("token").await.unwrap_err();
        assert_eq!(error.code(), "store_failed");
        let text = error.to_string();
        assert!(text.contains("waiting for the vault"), "{text}");
        assert!(text.contains("sh did not end within 2s"), "{text}");
        keys.shutdown().await.unwrap();
    });
}
