//! `fork()` in a program that uses keyward: what the child may and may not do, and that it harms
//! nobody. Each test runs in a process of its own, because it forks with threads alive.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use keyward::{Change, KeyChange, KeysManagement};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::support::{MASTER_KEY, documents};

const FOLDER: &str = "KEYWARD_TEST_FOLDER";
/// A child that is not done by then hangs.
const LIMIT: Duration = Duration::from_secs(20);
/// "At once", on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

/// This test program again, running one ignored test in a process of its own.
fn program(test: &str, folder: &std::path::Path) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped());
    program
}

fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).expect("run by its parent test only"))
}

fn ends(mut child: Child) -> bool {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        if begun.elapsed() > LIMIT * 2 {
            child.kill().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn start() -> KeysManagement {
    KeysManagement::builder()
        .data_folder(folder())
        .master_key(|| MASTER_KEY)
        .shutdown_grace(Duration::from_millis(20))
        .start_blocking()
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

/// What a call answers at its first poll.
fn at_once<T>(call: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(call).poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

/// What every call answers in a child, or what is wrong.
fn all_forked(manager: &KeysManagement) -> Result<(), String> {
    let said = codes_of_all(manager);
    if let Err(wrong) = &said {
        eprintln!("in the child: {wrong}");
    }
    said
}

fn codes_of_all(manager: &KeysManagement) -> Result<(), String> {
    let begun = Instant::now();
    let calls = manager.blocking();
    let single = manager.get_single_management("documents");
    let id = keyward::RotationId::new(keyward::Uuid::now_v7());
    let change = || Change::of("documents").old("value_1").new_keys("value_2");
    let never = |_: KeyChange| Err::<(), _>("never called");
    let codes = [
        (
            "get",
            calls.get_key("documents").map(drop).map_err(|e| e.code()),
        ),
        (
            "get unknown",
            calls.get_key("none").map(drop).map_err(|e| e.code()),
        ),
        ("single", single.map(drop).map_err(|e| e.code())),
        ("save", calls.save_state("documents").map_err(|e| e.code())),
        ("save all", calls.save_states().map_err(|e| e.code())),
        (
            "change",
            calls.key_changed(change()).map(drop).map_err(|e| e.code()),
        ),
        (
            "declare",
            calls.declare(change()).map(drop).map_err(|e| e.code()),
        ),
        ("wait", calls.wait(id).map(drop).map_err(|e| e.code())),
        (
            "define",
            calls.define_key(documents()).map_err(|e| e.code()),
        ),
        ("join", calls.join("late").map(drop).map_err(|e| e.code())),
        (
            "register",
            calls
                .register_on_change("documents", "late", never)
                .map_err(|e| e.code()),
        ),
        ("status", calls.status().map(drop).map_err(|e| e.code())),
        ("history", calls.history(1).map(drop).map_err(|e| e.code())),
        ("resume", calls.resume(id).map_err(|e| e.code())),
        (
            "recover",
            calls.recover_keys(id).map(drop).map_err(|e| e.code()),
        ),
        (
            "restart",
            at_once(manager.restart(&keyward::ActorName::Coordinator)).map_err(|e| e.code()),
        ),
        (
            "backup",
            calls.backup(folder().join("backup")).map_err(|e| e.code()),
        ),
        (
            "async get",
            at_once(manager.get_key("documents"))
                .map(drop)
                .map_err(|e| e.code()),
        ),
        (
            "async declare",
            at_once(manager.declare(change()))
                .map(drop)
                .map_err(|e| e.code()),
        ),
        (
            "async shutdown",
            at_once(manager.shutdown()).map_err(|e| e.code()),
        ),
        ("shutdown", calls.shutdown().map_err(|e| e.code())),
        (
            "start",
            KeysManagement::builder()
                .data_folder(folder().join("another"))
                .master_key(|| MASTER_KEY)
                .start_blocking()
                .map(drop)
                .map_err(|e| e.code()),
        ),
    ];
    for (call, code) in codes {
        if code != Err("forked") {
            return Err(format!("{call}: {code:?}"));
        }
    }
    match begun.elapsed() {
        took if took < AT_ONCE => Ok(()),
        took => Err(format!("it took {took:?}")),
    }
}

#[test]
fn in_a_child_of_fork_every_call_is_an_error_at_once_and_its_end_harms_nobody() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let parent = program("forked::a_parent_whose_children_ask_and_end", &data);
    assert!(ends({ parent }.spawn().unwrap()));
}

#[test]
#[ignore = "run by its parent test only"]
fn a_parent_whose_children_ask_and_end() {
    let manager = start();
    let calls = manager.blocking();
    calls.define_key(documents()).unwrap();
    let worker = calls.join("worker").unwrap();
    // Others ask all the time, so that a fork comes in the middle of anything.
    let busy: Vec<_> = (0..3)
        .map(|_| {
            let manager = manager.clone();
            std::thread::spawn(move || {
                let calls = manager.blocking();
                while calls.get_forward_path_key("documents").is_ok() {
                    drop(calls.status());
                }
            })
        })
        .collect();
    for round in 0..40 {
        // Each handle is dropped in the child, and then it exits.
        let (manager, of_child) = (manager.clone(), manager.clone());
        let worker = &worker;
        let status = forked(move || {
            let said = all_forked(&of_child);
            if worker.blocking().get_key("documents").is_ok() {
                return 3;
            }
            drop((manager, of_child));
            if said.is_ok() { 7 } else { 1 }
        });
        assert_eq!(status, 7, "round {round}");
        let own = Change::of("documents").old(format!("old {round}"));
        calls
            .key_changed(own.new_keys(format!("new {round}")))
            .unwrap();
        let second = KeysManagement::builder()
            .data_folder(folder())
            .master_key(|| MASTER_KEY)
            .start_blocking();
        assert_eq!(second.unwrap_err().code(), "already_open");
    }
    drop(worker);
    calls.shutdown().unwrap();
    for thread in busy {
        thread.join().unwrap();
    }
    // The child of a program whose manager has ended.
    let status = forked(|| i32::from(all_forked(&manager).is_err()));
    assert_eq!(status, 0);
    let next = start();
    assert_eq!(next.blocking().history(100).unwrap().rotations.len(), 40);
    next.blocking().shutdown().unwrap();
}

#[test]
fn the_last_handles_dropped_in_a_child_end_nothing_and_do_not_hang() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let parent = program("forked::a_parent_whose_child_drops_everything", &data);
    assert!(ends({ parent }.spawn().unwrap()));
}

#[test]
#[ignore = "run by its parent test only"]
fn a_parent_whose_child_drops_everything() {
    let mut manager = Some(start());
    let calls = manager.as_ref().unwrap().blocking();
    calls.define_key(documents()).unwrap();
    let mut worker = Some(calls.join("worker").unwrap());
    let mut calls = Some(calls);
    let status = forked(|| {
        drop((worker.take(), calls.take(), manager.take()));
        9
    });
    assert_eq!(status, 9);
    let calls = calls.unwrap();
    // Neither the worker nor the manager has ended in the parent.
    assert_eq!(
        calls.join("worker").unwrap_err().code(),
        "worker_name_taken"
    );
    assert!(calls.get_key("documents").is_ok());
    calls.shutdown().unwrap();
}

#[test]
fn a_child_that_outlives_a_killed_parent_does_not_keep_the_folder() {
    let base = tempdir().unwrap();
    let data = base.path().join("data");
    let mut parent = program("forked::a_parent_that_leaves_a_child", &data)
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let child = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("child ")?.parse::<i32>().ok())
        .expect("it says whom it leaves");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let next = KeysManagement::builder()
        .data_folder(&data)
        .master_key(|| MASTER_KEY)
        .start_blocking();
    let child = Pid::from_raw(child).unwrap();
    let lives = rustix::process::test_kill_process(child).is_ok();
    kill_process(child, Signal::KILL).unwrap();
    assert!(lives, "the child was to outlive its parent");
    next.unwrap().blocking().shutdown().unwrap();
}

#[test]
#[ignore = "run by its parent test only"]
#[expect(unsafe_code, reason = "this is what is tested")]
fn a_parent_that_leaves_a_child() {
    let manager = start();
    manager.blocking().define_key(documents()).unwrap();
    // SAFETY: the child only sleeps.
    match unsafe { libc::fork() } {
        0 => loop {
            std::thread::sleep(LIMIT);
        },
        child => println!("child {child}"),
    }
    std::thread::sleep(LIMIT * 2);
}
