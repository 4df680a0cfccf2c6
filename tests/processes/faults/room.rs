//! A disk that is really full, under RocksDB and a running manager: a small file system in memory
//! where the test can mount one, and a limit on the size of files, which it can always set.
//!
//! Either holds for a process of its own: this test's executable, told by its environment to live.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyward::{Change, KeysManagement, RotationId, RotationState};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use uuid::Uuid;

use crate::faults::ground::{Callback, back, change, goes_on, reopening, stated};
use crate::support::alone::{again_after, again_by, passes};
use crate::support::{assert_says, define, until, within};

const FOLDER: &str = "KEYWARD_TEST_FOLDER";
const DISK: &str = "KEYWARD_TEST_DISK";
const ENDING: &str = "KEYWARD_TEST_ENDING";

/// Mounts a small file system that goes with the process.
const MOUNTED: &str =
    "mount -t tmpfs -o size=32m,mode=0700 tmpfs \"$KEYWARD_TEST_FOLDER\" || exit 1";
/// Lets writes beyond a limit fail, instead of killing the process.
const LIMITED: &str = "trap '' XFSZ";

/// How the disk of a process becomes full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Mounted,
    Limited,
}

impl Disk {
    /// How room is used up; a file system of its own where that is possible.
    fn fill(self, folder: &Path) {
        match self {
            Self::Limited => limit(Some(0)),
            Self::Mounted => {
                let mut ballast = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(folder.join("ballast"))
                    .expect("a file");
                let mut bytes = 1 << 20;
                while bytes > 0 {
                    if ballast.write_all(&vec![0; bytes]).is_err() {
                        bytes /= 2;
                    }
                }
            }
        }
    }

    fn free(self, folder: &Path) {
        match self {
            Self::Limited => limit(None),
            Self::Mounted => fs::remove_file(folder.join("ballast")).expect("it is there"),
        }
    }
}

fn limit(bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        ..getrlimit(Resource::Fsize)
    };
    setrlimit(Resource::Fsize, limit).expect("a lower limit may be set, and taken back");
}

/// A process in a mount namespace of its own, as root or as a user who is root in it.
fn mounted(folder: &Path) -> Option<Command> {
    let starter = |user: &[&str], last: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(user).args(["--mount", "sh", "-c"]);
        unshare.arg(format!("{MOUNTED}\n{last}"));
        unshare.env(FOLDER, folder);
        unshare
    };
    let ways: [&[&str]; 2] = [&[], &["--map-root-user"]];
    ways.into_iter().find_map(|user| {
        let works = starter(user, "true").status().is_ok_and(|it| it.success());
        let becomes = starter(user, "exec \"$0\" \"$@\"");
        works.then(|| again_by(becomes, lives_until_there_is_no_room))
    })
}

fn limited(folder: &Path) -> Command {
    let mut command = again_after(LIMITED, lives_until_there_is_no_room);
    command.env(FOLDER, folder);
    command
}

/// Lets a program live on a disk that becomes full, in each way that is possible here.
fn live_with(ending: &str) {
    let folder = || tempfile::tempdir().expect("a folder");
    let (on_limited, on_mounted) = (folder(), folder());
    let mut ways = vec![("limited", limited(on_limited.path()))];
    match mounted(on_mounted.path()) {
        Some(command) => ways.push(("mounted", command)),
        None => println!("no file system can be mounted here"),
    }
    for (disk, mut command) in ways {
        println!("a full disk, {disk}");
        command.env(DISK, disk).env(ENDING, ending);
        passes(command);
    }
}

#[test]
fn on_a_full_disk_nothing_that_was_accepted_is_lost_and_the_next_life_goes_on() {
    live_with("restart");
}

#[test]
fn a_full_disk_that_has_room_again_is_reopened_and_all_goes_on() {
    live_with("reopening");
}

#[tokio::test]
#[ignore = "the child of the tests above"]
async fn lives_until_there_is_no_room() {
    let folder = PathBuf::from(env::var_os(FOLDER).expect("run by its parent test only"));
    let disk = match env::var(DISK).as_deref() {
        Ok("mounted") => Disk::Mounted,
        _ => Disk::Limited,
    };
    let manager = start(&folder).await;
    define(&manager, stated("letters")).await;
    drop(
        manager
            .get_forward_path_key("letters")
            .await
            .expect("a key"),
    );
    manager.save_state("letters").await.expect("it is saved");
    let held_up = Callback::register(&manager, "letters", "call").await;
    let mut accepted = vec![
        declare(&manager, change("letters"))
            .await
            .expect("there is room"),
    ];
    held_up.gate.arrived(1).await;
    define(&manager, stated("documents")).await;
    let called = Callback::register(&manager, "documents", "call").await;

    disk.fill(&folder);
    let unknown = fill_the_rest(&manager, &mut accepted).await;
    must_hold_still(&manager, disk, &folder).await;
    // A callback ends, and that cannot be written.
    held_up.gate.open();
    until("it ends", async || held_up.ended() == 1).await;
    if env::var(ENDING).as_deref() == Ok("reopening") {
        disk.free(&folder);
        called.gate.open();
        goes_on(&manager).await;
        assert_eq!(held_up.calls(), 1);
        must_complete(&manager, &accepted, unknown).await;
    } else {
        within(manager.shutdown()).await.expect("it shuts down");
        drop(manager);
        disk.fill(&folder); // RocksDB has given room back that it had set aside.
        let refused = reopening().data_folder(folder.join("data")).start().await;
        let error = refused.expect_err("there is still no room");
        let (code, text) = (error.code(), error.to_string());
        assert_says(code, "disk_full", &text, &["no room left", "make room"]);
        disk.free(&folder);
        let manager = start(&folder).await;
        for key in ["letters", "documents"] {
            define(&manager, stated(key)).await;
            Callback::register(&manager, key, "call").await.gate.open();
        }
        must_complete(&manager, &accepted, unknown).await;
        assert_eq!(back(&manager, "letters").await, "value_2");
        within(manager.shutdown()).await.expect("it shuts down");
    }
}

async fn start(folder: &Path) -> KeysManagement {
    let started = reopening().data_folder(folder.join("data")).start().await;
    started.expect("there is room for a start")
}

async fn declare(manager: &KeysManagement, change: Change) -> Result<RotationId, String> {
    let declared = within(manager.declare(change)).await;
    declared.map_err(|error| {
        let text = error.to_string();
        assert_says(error.code(), "write_unknown", &text, &["no room left"]);
        text
    })
}

/// Declares changes with large keys until there is no room; answers the one that is unknown.
async fn fill_the_rest(manager: &KeysManagement, accepted: &mut Vec<RotationId>) -> RotationId {
    for no in 1..60_u8 {
        let id = RotationId::new(Uuid::from_u128(u128::from(no)));
        let value = |no: u8| vec![no; 250_000];
        let change = Change::of("documents")
            .old(value(no - 1))
            .new_keys(value(no));
        match declare(manager, change.id(id.as_uuid())).await {
            Ok(id) => accepted.push(id),
            Err(text) => {
                assert!(text.contains(&id.to_string()), "{text}");
                return id;
            }
        }
    }
    panic!("there is still room");
}

/// Rotations are paused, what needs the disk is refused, and keys are handed out.
async fn must_hold_still(manager: &KeysManagement, disk: Disk, folder: &Path) {
    // A reopening gives room back that RocksDB had set aside: for a little, but not for long.
    let no_room = async || {
        disk.fill(folder);
        let saved = within(manager.save_state("letters")).await;
        let status = within(manager.status()).await.expect("a status");
        let full = status
            .paused
            .is_some_and(|why| why.contains("no room left"));
        full && saved.is_err_and(|error| error.is_retriable())
    };
    until("there is no room for anything", no_room).await;
    if disk == Disk::Limited {
        let refused = within(manager.declare(Change::of("letters"))).await;
        assert_eq!(refused.expect_err("no room").code(), "repo_unavailable");
    }
    assert_eq!(back(manager, "letters").await, "value_1");
    let forward = within(manager.get_forward_path_key("documents")).await;
    assert_eq!(forward.expect("the store is asked").expose(), b"value_1");
}

async fn must_complete(manager: &KeysManagement, accepted: &[RotationId], unknown: RotationId) {
    for id in accepted {
        let report = within(manager.wait(*id))
            .await
            .expect("nothing accepted is lost");
        assert_eq!(report.state, RotationState::Completed);
    }
    match within(manager.wait(unknown)).await {
        Ok(report) => assert_eq!(report.state, RotationState::Completed),
        Err(error) => assert_eq!(error.code(), "unknown_rotation"),
    }
}
