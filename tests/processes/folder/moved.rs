//! A manager whose folder is not its own any more says so and writes nothing more.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keyward::Change;
use tempfile::tempdir;

use crate::support::alone::{again_by, passes};
use crate::support::log::Log;
use crate::support::{builder, define, documents, until, within};

const LOST: &str = "is not the one that was opened any more";

#[tokio::test]
async fn a_manager_whose_folder_was_moved_says_so_and_writes_nothing_more_for_good() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let start = || {
        let every = Duration::from_millis(20);
        builder().data_folder(&data).reopen_every(every).start()
    };
    let change = |old: &str, new: &str| Change::of("documents").old(old).new_keys(new);
    let first = start().await.unwrap();
    define(&first, documents()).await;
    let report = within(first.key_changed(change("value_1", "value_2")));
    assert!(report.await.is_ok());

    let moved = base.path().join("moved");
    fs::rename(&data, &moved).unwrap();
    let second = start().await.unwrap();
    define(&second, documents()).await;
    let refused = within(first.key_changed(change("value_2", "value_3")))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "folder_lost", "{refused}");
    assert!(!refused.is_retriable());
    let path = data.to_str().unwrap();
    for said in [LOST, path, "another folder", "start this program anew"] {
        assert!(refused.to_string().contains(said), "{refused}");
    }
    let status = first.status().await.unwrap();
    assert_eq!(status.lost, Some("folder_lost"));
    assert!(status.paused.unwrap().contains(LOST));
    // Keys are handed out all the same.
    let got = first.get_forward_path_key("documents").await.unwrap();
    assert_eq!(got.expose_str(), Some("value_1"));

    let report = within(second.key_changed(change("value_1", "value_2")));
    assert!(report.await.is_ok());
    second.shutdown().await.unwrap();
    // Also where the folder is put back: what happened meanwhile is unknown.
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&moved, &data).unwrap();
    let refused = within(first.declare(change("value_2", "value_3")));
    assert!(refused.await.is_err());
    first.shutdown().await.unwrap();
    let third = start().await.unwrap();
    assert_eq!(third.history(10).await.unwrap().rotations.len(), 1);
    third.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_second_manager_of_the_same_process_is_told_that_the_holder_is_itself() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let holder = builder().data_folder(&data).start().await.unwrap();
    for removed in [false, true] {
        if removed {
            fs::remove_file(data.join("keyward.lock")).unwrap();
        }
        let error = builder().data_folder(&data).start().await.unwrap_err();
        assert_eq!(error.code(), "already_open");
        let text = error.to_string();
        assert!(text.contains("which is this one"), "{text}");
        assert!(text.contains("wait for the end of its shutdown"), "{text}");
        assert!(!text.contains("stop that program"), "{text}");
    }
    holder.shutdown().await.unwrap();
}

#[test]
fn without_proc_a_warning_at_the_start_says_that_the_folder_cannot_be_followed() {
    const NO_PROC: &str = "KEYWARD_TEST_NO_PROC";
    let test = without_proc_a_warning_at_the_start_says_that_the_folder_cannot_be_followed;
    if std::env::var_os(NO_PROC).is_none() {
        let may = Command::new("unshare").args(["-rm", "true"]).status();
        if !may.is_ok_and(|may| may.success()) {
            println!("this system lets no process have mounts of its own: nothing was tried");
            return;
        }
        let mut shell = Command::new("unshare");
        shell.args(["-rm", "sh", "-c"]);
        shell.arg("mount -t tmpfs none /proc && exec \"$0\" \"$@\"");
        let mut command = again_by(shell, test);
        command.env(NO_PROC, "1");
        passes(command);
        return;
    }
    assert!(!Path::new("/proc/self").exists());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let base = tempdir().unwrap();
        let log = Log::begin();
        let manager = builder().data_folder(base.path().join("data")).start();
        let manager = manager.await.unwrap();
        let told = async || {
            !log.lines(&["WARN", "/proc is not mounted", "data"])
                .is_empty()
        };
        until("it is told", told).await;
        manager.shutdown().await.unwrap();
    });
}
