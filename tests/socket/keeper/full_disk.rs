//! A disk that is full while workers of other processes are served: a small file system in memory, where one can be
//! mounted, and a limit on the size of files.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use keyward::{
    Change, Client, Effect, Join, KeyChange, RotationError, RotationId, RotationReport,
    RotationState, Uuid, Worker,
};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::process::{Folder, Keeper};
use crate::support::alone::LONGEST;
use crate::support::{Gate, step, within};

const DATA: &str = "KEYWARD_TEST_DATA";

/// What a keeper is started by, in a mount namespace of its own with a small file system for its data.
const MOUNTED: &str = "mount -t tmpfs -o size=32m,mode=0700 tmpfs \"$KEYWARD_TEST_DATA\" || exit 1";

/// How the disk of a keeper becomes full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Mounted,
    Limited,
}

impl Disk {
    /// A keeper on this disk; none where no file system can be mounted here.
    fn serve(self, folder: &Folder) -> Option<Keeper> {
        let serve = folder.keyward(&["serve"]);
        let keeper = match self {
            Self::Limited => Keeper::start(serve),
            Self::Mounted => {
                let data = folder.path().join("data");
                fs::create_dir(&data).unwrap();
                let starter = |last: &str| {
                    let mut starter = Command::new("unshare");
                    starter.args(["--mount", "sh", "-c"]);
                    starter.arg(format!("{MOUNTED}\n{last}")).env(DATA, &data);
                    starter
                };
                let works = starter("true").status();
                if !works.is_ok_and(|status| status.success()) {
                    println!("no file system can be mounted here");
                    return None;
                }
                let mut becomes = starter("exec \"$0\" \"$@\"");
                becomes.arg(serve.get_program()).args(serve.get_args());
                becomes.current_dir(folder.path());
                Keeper::start(becomes)
            }
        };
        keeper.says("keyward: ready;");
        Some(keeper)
    }

    fn fill(self, folder: &Folder, keeper: &Keeper) {
        match self {
            Self::Limited => limit(keeper, Some(0)),
            Self::Mounted => {
                let mut ballast = OpenOptions::new();
                let ballast = ballast
                    .create(true)
                    .append(true)
                    .open(ballast_of(folder, keeper));
                let mut ballast = ballast.unwrap();
                let mut bytes = 1 << 20;
                while bytes > 0 {
                    if ballast.write_all(&vec![0; bytes]).is_err() {
                        bytes /= 2;
                    }
                }
            }
        }
    }

    fn free(self, folder: &Folder, keeper: &Keeper) {
        match self {
            Self::Limited => limit(keeper, None),
            Self::Mounted => fs::remove_file(ballast_of(folder, keeper)).unwrap(),
        }
    }
}

/// A file beside the keeper's data, as its process sees that.
fn ballast_of(folder: &Folder, keeper: &Keeper) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", keeper.pid()));
    let data = folder.path().join("data").join("ballast");
    root.join(data.strip_prefix("/").unwrap())
}

fn limit(keeper: &Keeper, bytes: Option<u64>) {
    let limit = Rlimit {
        current: bytes,
        ..getrlimit(Resource::Fsize)
    };
    let pid = Pid::from_raw(i32::try_from(keeper.pid()).unwrap());
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

/// A worker whose callback waits at a gate.
struct Anna {
    client: Client,
    gate: Gate,
    calls: Arc<AtomicUsize>,
    _worker: Worker,
}

impl Anna {
    async fn join(folder: &Folder) -> Self {
        let client = within(Client::at(folder.socket())).await.unwrap();
        let worker = within(client.join(Join::sole("anna"))).await.unwrap();
        let (gate, calls) = (Gate::default(), Arc::<AtomicUsize>::default());
        let (waits, called) = (gate.clone(), Arc::clone(&calls));
        let call = move |_: KeyChange| {
            called.fetch_add(1, Ordering::SeqCst);
            let waits = waits.clone();
            async move {
                waits.pass().await;
                Effect::Reencrypted
            }
        };
        within(worker.register_on_change("documents", "reencrypt", call))
            .await
            .unwrap();
        within(worker.ready()).await.unwrap();
        Self {
            client,
            gate,
            calls,
            _worker: worker,
        }
    }

    async fn waits(&self, id: RotationId) -> RotationReport {
        match tokio::time::timeout(LONGEST, self.client.wait(id)).await {
            Ok(report) => report.unwrap(),
            Err(_) => {
                let report = self.client.rotation(id).await;
                panic!("{report:?}, {:?}", self.client.workers().await)
            }
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn gets(&self) {
        for _ in 0..20 {
            let key = within(self.client.get_forward_path_key("documents")).await;
            assert_eq!(key.unwrap().expose(), b"value_1");
        }
    }

    /// Declares changes until there is no room for one; answers that one, and adds the others.
    async fn declares_until_refused(&self, accepted: &mut Vec<RotationId>) -> Change {
        loop {
            let change = change(u8::try_from(accepted.len()).unwrap());
            match within(self.client.declare(change.clone())).await {
                Ok(id) => accepted.push(id),
                Err(error) => {
                    assert_refused(&error);
                    return change;
                }
            }
        }
    }
}

fn assert_refused(error: &RotationError) {
    let codes = ["write_unknown", "repo_unavailable"];
    assert!(codes.contains(&error.code()), "{error}");
    assert!(error.to_string().contains("no room left"), "{error}");
    assert!(error.is_retriable(), "{error}");
}

/// A change with large keys.
fn change(number: u8) -> Change {
    let value = |number: u8| vec![number; 100_000];
    Change::of("documents")
        .id(Uuid::from_u128(u128::from(number) + 1))
        .old(value(number))
        .new_keys(value(number + 1))
}

const CONFIGURATION: &str = "[manager]\nreopen_every = \"50 ms\"\n";

/// What an end left that was told on a full disk.
struct Told {
    anna: Anna,
    /// The rotations that were accepted; the callback of the first one has ended.
    accepted: Vec<RotationId>,
    refused: Change,
}

/// Anna's callback runs, the disk is full, and the end of her call is told.
async fn told_on_a_full_disk(disk: Disk, folder: &Folder, keeper: &Keeper) -> Told {
    let anna = Anna::join(folder).await;
    let mut accepted = vec![within(anna.client.declare(change(0))).await.unwrap()];
    anna.gate.arrived(1).await;
    disk.fill(folder, keeper);
    anna.gets().await;
    let refused = anna.declares_until_refused(&mut accepted).await;
    anna.gets().await;
    anna.gate.open();
    anna.gets().await;
    let again = within(anna.client.declare(refused.clone())).await;
    assert_refused(&again.expect_err("there is still no room"));
    // Its end is nothing that an operator is told before it is durable.
    if let Ok(report) = within(anna.client.rotation(accepted[0])).await {
        assert_eq!(report.state, RotationState::Running, "{report}");
    }
    assert_eq!(anna.calls(), 1);
    Told {
        anna,
        accepted,
        refused,
    }
}

async fn goes_on(told: Told) {
    let Told {
        anna,
        mut accepted,
        refused,
    } = told;
    let begun = Instant::now();
    let second = loop {
        match anna.client.declare(refused.clone()).await {
            Ok(id) => break id,
            Err(error) => assert!(error.is_retriable() && begun.elapsed() < LONGEST, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    accepted.push(second);
    for id in &accepted {
        let report = anna.waits(*id).await;
        assert_eq!(report.state, RotationState::Completed, "{report}");
        let of_anna = step(&report, "anna", "reencrypt");
        assert_eq!((of_anna.attempt, of_anna.crashes), (1, 0), "{report}");
    }
    assert_eq!(anna.calls(), accepted.len());
}

async fn has_room_again(disk: Disk) {
    let folder = Folder::new(CONFIGURATION);
    let Some(keeper) = disk.serve(&folder) else {
        return;
    };
    let told = told_on_a_full_disk(disk, &folder, &keeper).await;
    disk.free(&folder, &keeper);
    goes_on(told).await;
    keeper.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_gets_go_on_a_declaration_is_refused_and_ends_are_told_until_there_is_room()
{
    has_room_again(Disk::Mounted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_files_may_not_grow_gets_go_on_a_declaration_is_refused_and_ends_are_told_until_they_may()
 {
    has_room_again(Disk::Limited).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_a_keeper_without_room_could_not_keep_is_told_to_the_next_one() {
    let folder = Folder::new(CONFIGURATION);
    let keeper = Disk::Limited.serve(&folder).unwrap();
    let told = told_on_a_full_disk(Disk::Limited, &folder, &keeper).await;
    // It is killed.
    drop(keeper);
    let keeper = Disk::Limited.serve(&folder).unwrap();
    goes_on(told).await;
    keeper.stop();
}
