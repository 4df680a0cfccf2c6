//! Commands in a process whose children end unseen, and under profiles that refuse system calls.

use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyward::store::command::CommandStore;
use keyward::store::error::StoreError;
use keyward::store::keys_store::{Fetching, KeysStore, StoreRequest};

use crate::stores::{LONG, error, fetched, runtime, value};
use crate::support::alone::{again, passes};
use crate::support::refused_calls::refuse;

fn sh(script: &str) -> CommandStore {
    CommandStore::new("sh")
        .args(["-c", script])
        .time_limit(LONG)
}

fn not_there() -> CommandStore {
    CommandStore::new("/keyward-no-such-program")
}

/// Sets what this process does at SIGCHLD.
fn on_child_end(handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: all zeroes are a `sigaction`, and no handler of ours is set.
    let set = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(libc::SIGCHLD, &action, ptr::null_mut())
    };
    assert_eq!(set, 0);
}

#[test]
fn a_process_that_ignores_the_ends_of_its_children_is_told_so() {
    passes(again(with_ends_ignored));
}

#[test]
#[ignore = "changes its process"]
fn with_ends_ignored() {
    for (handler, flags) in [(libc::SIG_IGN, 0), (libc::SIG_DFL, libc::SA_NOCLDWAIT)] {
        on_child_end(handler, flags);
        for store in [sh("echo key"), sh("echo key; exit 3"), not_there()] {
            let error = error(&store);
            assert!(matches!(error, StoreError::ChildrenIgnored), "{error}");
            assert_eq!(error.code(), "store_failed");
            let text = error.to_string();
            assert!(text.contains("SIGCHLD"), "{text}");
            assert!(!text.contains("child processes"), "{text}");
        }
    }
    on_child_end(libc::SIG_DFL, 0);
    assert_eq!(value(&sh("echo key")), b"key");
}

#[test]
fn code_that_reaps_any_child_is_blamed_and_not_the_command() {
    passes(again(with_a_reaper));
}

#[test]
#[ignore = "reaps every child of its process"]
fn with_a_reaper() {
    static ENDS: AtomicBool = AtomicBool::new(false);
    let reaper = std::thread::spawn(|| {
        while !ENDS.load(Ordering::SeqCst) {
            // SAFETY: nothing is read from it.
            if unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } < 0 {
                std::thread::yield_now();
            }
        }
    });
    let mut blamed = 0;
    for _ in 0..50 {
        match fetched(&sh("echo key")) {
            Ok(keys) => assert_eq!(keys.to_pair().forward().expose(), b"key"),
            Err(error) => {
                blamed += 1;
                let text = error.to_string();
                assert!(matches!(error, StoreError::Reaped { .. }), "{text}");
                assert!(text.contains("waitpid(-1)"), "{text}");
            }
        }
        // What ended in vain is reaped by either.
        let error = error(&not_there());
        let text = error.to_string();
        match error {
            StoreError::Start { .. } => assert!(text.contains("No such file"), "{text}"),
            StoreError::Reaped { .. } => assert!(text.contains("/keyward-no-such"), "{text}"),
            other => panic!("{other}"),
        }
    }
    assert!(blamed > 0, "the reaper came too late each time");
    ENDS.store(true, Ordering::SeqCst);
    drop(std::process::Command::new("true").status());
    reaper.join().unwrap();
}

const REFUSED: [libc::c_int; 2] = [libc::EPERM, libc::ENOSYS];

#[test]
fn a_command_runs_where_close_range_is_refused_and_inherits_nothing() {
    for errno in REFUSED {
        let mut process = again(without_close_range);
        process.env("KW_ERRNO", errno.to_string());
        passes(process);
    }
}

fn errno() -> libc::c_int {
    std::env::var("KW_ERRNO").unwrap().parse().unwrap()
}

fn open_to_children() -> std::os::fd::OwnedFd {
    // A duplicate has no close-on-exec.
    rustix::io::dup(std::fs::File::open("/dev/null").unwrap()).unwrap()
}

#[test]
#[ignore = "refuses system calls to its process"]
fn without_close_range() {
    let many: Vec<_> = (0..300).map(|_| open_to_children()).collect();
    refuse(libc::SYS_close_range, None, errno());
    assert_eq!(value(&sh("echo key")), b"key");
    // The listing itself has one more.
    let listed = String::from_utf8(value(&sh("ls /proc/self/fd"))).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let missing = error(&not_there());
    assert!(matches!(missing, StoreError::Start { .. }), "{missing}");
    drop(many);
}

#[test]
fn what_is_refused_is_named_where_nothing_stands_in_for_it() {
    passes(again(without_close_range_and_a_list));
}

#[test]
#[ignore = "refuses system calls to its process"]
fn without_close_range_and_a_list() {
    refuse(libc::SYS_close_range, None, libc::EPERM);
    // Folders cannot be opened any more.
    let folders = u32::try_from(libc::O_DIRECTORY).unwrap();
    refuse(libc::SYS_openat, Some((2, folders)), libc::EACCES);
    let error = error(&sh("echo key"));
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert_eq!(error.code(), "store_failed");
    let text = error.to_string();
    for said in ["close_range", "/proc/self/fd", "Operation not permitted"] {
        assert!(text.contains(said), "{text}");
    }
    assert!(!text.contains("sh:"), "{text}");
}

#[test]
fn a_command_runs_where_pidfd_open_is_refused() {
    for errno in REFUSED {
        let mut process = again(without_pidfd_open);
        process.env("KW_ERRNO", errno.to_string());
        passes(process);
    }
}

#[test]
#[ignore = "refuses system calls to its process"]
fn without_pidfd_open() {
    refuse(libc::SYS_pidfd_open, None, errno());
    assert_eq!(value(&sh("echo key")), b"key");
    assert_eq!(value(&sh("echo key; exec >&- 2>&-; sleep 0.3")), b"key");
    let failed = error(&sh("exec >&- 2>&-; sleep 0.3; exit 3"));
    assert!(matches!(failed, StoreError::Command { .. }), "{failed}");
    let hangs = sh("sleep 1000 & wait").time_limit(Duration::from_millis(500));
    let late = error(&hangs);
    assert!(matches!(late, StoreError::TimedOut { .. }), "{late}");
}

#[test]
fn a_process_that_the_system_refuses_is_not_blamed_on_the_command() {
    passes(again(without_another_process));
}

#[test]
#[ignore = "refuses system calls to its process"]
fn without_another_process() {
    // A process is what is not made with CLONE_VM; fork is one flag that threads lack.
    let of_fork = u32::try_from(libc::CLONE_CHILD_CLEARTID).unwrap();
    refuse(libc::SYS_clone, Some((0, of_fork)), libc::EAGAIN);
    let error = error(&sh("echo key"));
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("another process (ulimit -u"), "{text}");
    assert!(text.contains("temporarily unavailable"), "{text}");
}

#[test]
fn a_killed_command_is_reaped_where_no_thread_is_to_be_had() {
    passes(again(without_another_thread));
}

#[test]
#[ignore = "refuses system calls to its process"]
fn without_another_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("process");
    let runtime = runtime();
    // glibc falls back to the call that has its flags in the open.
    refuse(libc::SYS_clone3, None, libc::ENOSYS);
    let of_thread = u32::try_from(libc::CLONE_THREAD).unwrap();
    refuse(libc::SYS_clone, Some((0, of_thread)), libc::EAGAIN);
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    let script = format!("echo $$ > {}; sleep 1000 & wait", path.display());
    let store = sh(&script).time_limit(Duration::from_secs(1));
    let Fetching::Async(fetch) = store.fetch(&StoreRequest::new("a key")) else {
        panic!("a command is waited for without a thread");
    };
    runtime.block_on(async {
        let late = fetch.await.unwrap_err();
        assert!(matches!(late, StoreError::TimedOut { .. }), "{late}");
        let process = std::fs::read_to_string(&path).unwrap();
        let process = Path::new("/proc").join(process.trim());
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
