//! `fork()` in a program that uses keyward: what the child may and may not do, and that it harms
//! nobody. Each test runs in a process of its own, because it forks with threads alive.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use keyward::{Change, KeysManagement, block_on};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::folder::calls::{Handles, all_forked};
use crate::support::alone::{again, passes};
use crate::support::{MASTER_KEY, documents};

const FOLDER: &str = "KEYWARD_TEST_FOLDER";
/// A child that is not done by then hangs.
const LIMIT: Duration = Duration::from_secs(20);
/// This test program again, running one ignored test in a process of its own.
fn program<T>(test: T, folder: &Path) -> Command {
    let mut program = again(test);
    program.env(FOLDER, folder).stdout(Stdio::piped());
    program
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).expect("run by its parent test only"))
}

fn start() -> KeysManagement {
    block_on(
        KeysManagement::builder()
            .data_folder(folder())
            .master_key(|| MASTER_KEY)
            .shutdown_grace(Duration::from_millis(20))
            .start(),
    )
    .unwrap()
}

/// Forks; the child does `in_child` and exits with what it answers, through the C library's `exit`.
/// Answers how the child ended.
#[expect(unsafe_code, reason = "this is what is tested")]
fn forked(in_child: impl FnOnce() -> i32) -> i32 {
    // SAFETY: what the child does is what a program may do with keyward, which is tested here.
    let child = match unsafe { libc::fork() } {
        0 => std::process::exit(in_child()),
        child => Pid::from_raw(child).unwrap(),
    };
    let begun = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: the status is a local.
        match unsafe { libc::waitpid(child.as_raw_nonzero().get(), &mut status, libc::WNOHANG) } {
            0 if begun.elapsed() > LIMIT => {
                kill_process(child, Signal::KILL).unwrap();
                panic!("the child hangs");
            }
            0 => std::thread::sleep(Duration::from_millis(5)),
            _ if libc::WIFEXITED(status) => return libc::WEXITSTATUS(status),
            _ => panic!("the child was ended by signal {}", libc::WTERMSIG(status)),
        }
    }
}

#[test]
fn in_a_child_of_fork_every_call_is_an_error_at_once_and_its_end_harms_nobody() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let parent = program(a_parent_whose_children_ask_and_end, &data);
    passes(parent);
}

#[test]
#[ignore = "run by its parent test only"]
fn a_parent_whose_children_ask_and_end() {
    let manager = start();
    block_on(manager.define_key(documents())).unwrap();
    let worker = block_on(manager.join("worker")).unwrap();
    let single = manager.get_single_management("documents").unwrap();
    // Others ask all the time, so that a fork comes in the middle of anything.
    let busy: Vec<_> = (0..3)
        .map(|_| {
            let manager = manager.clone();
            std::thread::spawn(move || {
                while block_on(manager.get_forward_path_key("documents")).is_ok() {
                    drop(block_on(manager.status()));
                }
            })
        })
        .collect();
    for round in 0..40 {
        // Each handle is dropped in the child, and then it exits.
        let (another, of_child) = (manager.clone(), manager.clone());
        let (worker, single) = (&worker, single.clone());
        let status = forked(move || {
            let said = all_forked(&Handles {
                manager: &of_child,
                worker,
                single: &single,
            });
            drop((another, of_child, single));
            if said.is_ok() { 7 } else { 1 }
        });
        assert_eq!(status, 7, "round {round}");
        let own = Change::of("documents").old(format!("old {round}"));
        drop(block_on(manager.key_changed(own.new_keys(format!("new {round}")))).unwrap());
        let second = block_on(
            KeysManagement::builder()
                .data_folder(folder())
                .master_key(|| MASTER_KEY)
                .start(),
        );
        assert_eq!(second.unwrap_err().code(), "already_open");
    }
    block_on(manager.shutdown()).unwrap();
    for thread in busy {
        thread.join().unwrap();
    }
    // The child of a program whose manager has ended.
    let handles = Handles {
        manager: &manager,
        worker: &worker,
        single: &single,
    };
    let status = forked(|| i32::from(all_forked(&handles).is_err()));
    assert_eq!(status, 0);
    let next = start();
    assert_eq!(block_on(next.history(100)).unwrap().rotations.len(), 40);
    block_on(next.shutdown()).unwrap();
}

#[test]
fn the_last_handles_dropped_in_a_child_end_nothing_and_do_not_hang() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let parent = program(a_parent_whose_child_drops_everything, &data);
    passes(parent);
}

#[test]
#[ignore = "run by its parent test only"]
fn a_parent_whose_child_drops_everything() {
    let mut manager = Some(start());
    let calls = manager.as_ref().unwrap().clone();
    block_on(calls.define_key(documents())).unwrap();
    let mut worker = Some(block_on(calls.join("worker")).unwrap());
    let mut calls = Some(calls);
    let status = forked(|| {
        drop((worker.take(), calls.take(), manager.take()));
        9
    });
    assert_eq!(status, 9);
    let calls = calls.unwrap();
    // Neither the worker nor the manager has ended in the parent.
    assert_eq!(
        block_on(calls.join("worker")).unwrap_err().code(),
        "worker_name_taken"
    );
    assert!(block_on(calls.get_key("documents")).is_ok());
    block_on(calls.shutdown()).unwrap();
}

#[test]
fn a_child_that_outlives_a_killed_parent_does_not_keep_the_folder() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let mut parent = program(a_parent_that_leaves_a_child, &data)
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let child = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("child ")?.parse::<i32>().ok())
        .expect("it says whom it leaves");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let next = block_on(
        KeysManagement::builder()
            .data_folder(&data)
            .master_key(|| MASTER_KEY)
            .start(),
    );
    let child = Pid::from_raw(child).unwrap();
    let lives = rustix::process::test_kill_process(child).is_ok();
    kill_process(child, Signal::KILL).unwrap();
    assert!(lives, "the child was to outlive its parent");
    block_on(next.unwrap().shutdown()).unwrap();
}

#[test]
#[ignore = "run by its parent test only"]
#[expect(unsafe_code, reason = "this is what is tested")]
fn a_parent_that_leaves_a_child() {
    let manager = start();
    block_on(manager.define_key(documents())).unwrap();
    // SAFETY: the child only sleeps.
    match unsafe { libc::fork() } {
        0 => loop {
            std::thread::sleep(LIMIT);
        },
        child => println!("child {child}"),
    }
    std::thread::sleep(LIMIT * 2);
}
