//! The whole folder after a crash, when nothing was flushed, closed or tidied up.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use rustix::process::{Signal, getpid, kill_process};

use crate::canary;
use crate::child;
use crate::heard::Said;
use crate::story::{ask_for_keys, define, leave_one_running, let_callbacks_quote, manager};

/// The child: uses every key, and is killed in the middle of a callback.
pub fn crash(folder: &Path) {
    crate::heard::log();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let said = Said::default();
        let manager = manager(&folder.join("data")).await;
        define(&manager).await;
        ask_for_keys(&manager, &said).await;
        let_callbacks_quote(&manager, &said).await;
        leave_one_running(&manager, &said).await;
        kill_process(getpid(), Signal::KILL).expect("it may kill itself");
        std::future::pending::<()>().await;
    });
}

/// The names of the files in the folder that hold these bytes.
fn with(folder: &Path, wanted: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file");
        if bytes.windows(wanted.len()).any(|part| part == wanted) {
            let name = path.file_name().expect("a name").display().to_string();
            names.push(name);
        }
    }
    names
}

#[tokio::test]
async fn no_plain_key_is_in_the_folder_after_a_crash_or_after_the_next_shutdown() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = child::run("crash", folder.path(), &[]);
    assert_eq!(ended.status.signal(), Some(9), "{}", ended.errors);
    let data = folder.path().join("data");
    assert!(canary::not_in_folder(&data) > 4, "the folder is empty");
    canary::nowhere("the output", ended.output.as_bytes());
    // The records themselves are there, in RocksDB's log, with their places in plain.
    let logs = with(&data, b"documents");
    assert!(logs.iter().any(|name| name.ends_with(".log")), "{logs:?}");

    let next = manager(&data).await;
    define(&next).await;
    let status = next.status().await.expect("a status");
    assert_eq!(status.rotations.len(), 2, "{status:?}");
    let answer = next.get_back_path_key("documents").await;
    assert!(!answer.expect("the record's key").expose().is_empty());
    assert!(canary::not_in_folder(&data) > 4, "while it is open again");
    next.shutdown().await.expect("it shuts down");
    assert!(canary::not_in_folder(&data) > 4, "the folder is empty");
    let tables = with(&data, b"documents");
    assert!(
        tables.iter().any(|name| name.ends_with(".sst")),
        "{tables:?}"
    );
}
