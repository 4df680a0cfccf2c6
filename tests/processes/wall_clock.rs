//! A wall clock that is wrong: before 1970, or ahead for a while. The clock that the system answers to
//! this test's process is moved; the monotonic one goes on as it does.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyward::secret::value::SecretKeys;
use keyward::store::file::FileStore;
use keyward::store::keys_store::{Fetching, KeysStore, StoreRequest};
use keyward::{Change, KeyChange, KeysManagement, RotationId, RotationState};

use crate::support::alone::{alone, alone_async};
use crate::support::{builder, define, documents, remembered, until, within};

/// By how many seconds the wall clock is moved.
static MOVED: AtomicI64 = AtomicI64::new(0);

const YEAR: i64 = 365 * 86_400;

/// Stands in for the C library's, which everything in this process asks for the time.
///
/// # Safety
/// As that one: `time` is a place for the answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(
    clock: libc::clockid_t,
    time: *mut libc::timespec,
) -> libc::c_int {
    // SAFETY: the caller's promise is passed on, and what the system answered is changed only if it did.
    unsafe {
        let answered = libc::syscall(libc::SYS_clock_gettime, clock, time);
        if answered == 0 && clock == libc::CLOCK_REALTIME {
            (*time).tv_sec += MOVED.load(Ordering::SeqCst);
        }
        libc::c_int::try_from(answered).unwrap_or(-1)
    }
}

fn move_by(seconds: i64) {
    MOVED.store(seconds, Ordering::SeqCst);
}

fn folder() -> tempfile::TempDir {
    let private = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new()
        .permissions(private)
        .tempdir()
        .unwrap()
}

fn fetched(store: &FileStore) -> SecretKeys {
    match store.fetch(&StoreRequest::new("a key")) {
        Fetching::Blocking(fetch) => fetch().unwrap().keys,
        other => panic!("a file is read where it may block: {other:?}"),
    }
}

/// Has the times of all files lie in the future.
fn set_back() {
    move_by(-YEAR);
}

fn replace(folder: &tempfile::TempDir, name: &str, key: &str) {
    let next = folder.path().join("next");
    std::fs::write(&next, key).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&next, folder.path().join(name)).unwrap();
}

#[test]
fn a_key_file_whose_time_lies_in_the_future_is_waited_for_once_and_not_at_each_get() {
    alone(
        a_key_file_whose_time_lies_in_the_future_is_waited_for_once_and_not_at_each_get,
        || {
            set_back();
            let folder = folder();
            let store = FileStore::pair(folder.path().join("forward"), folder.path().join("back"));
            for key in ["first", "second"] {
                replace(&folder, "forward", key);
                replace(&folder, "back", key);
                let took = || {
                    let begun = Instant::now();
                    let pair = fetched(&store).to_pair();
                    assert_eq!(pair.forward(), &key.into());
                    assert_eq!(pair.back(), &key.into());
                    begun.elapsed()
                };
                assert!(took() >= Duration::from_millis(50), "it was not waited for");
                let later = (0..20).map(|_| took()).min().unwrap();
                assert!(later < Duration::from_millis(100), "each get waits");
            }
        },
    );
}

#[test]
fn two_files_of_the_future_that_are_replaced_shortly_after_one_another_are_not_mixed() {
    alone(
        two_files_of_the_future_that_are_replaced_shortly_after_one_another_are_not_mixed,
        || {
            set_back();
            let folder = folder();
            replace(&folder, "forward", "0");
            replace(&folder, "back", "0");
            let store = FileStore::pair(folder.path().join("forward"), folder.path().join("back"));
            let ended = AtomicBool::new(false);
            let (slow, mixed) = std::thread::scope(|scope| {
                let writer = scope.spawn(|| {
                    // On a busy machine a replacement may take longer than can be bridged.
                    let mut slow = BTreeSet::new();
                    for turn in 1..30_u64 {
                        let begun = Instant::now();
                        let key = turn.to_string();
                        replace(&folder, "forward", &key);
                        std::thread::sleep(Duration::from_millis(turn % 30));
                        replace(&folder, "back", &key);
                        if begun.elapsed() > Duration::from_millis(60) {
                            slow.insert(key);
                        }
                        std::thread::sleep(Duration::from_millis(turn * 7 % 200));
                    }
                    ended.store(true, Ordering::SeqCst);
                    slow
                });
                let mut mixed = BTreeSet::new();
                while !ended.load(Ordering::SeqCst) {
                    let fetching = store.fetch(&StoreRequest::new("a key"));
                    if let Fetching::Blocking(fetch) = fetching
                        && let Ok(fetched) = fetch()
                    {
                        let pair = fetched.keys.to_pair();
                        if pair.forward() != pair.back() {
                            mixed.insert(
                                String::from_utf8_lossy(pair.forward().expose()).into_owned(),
                            );
                        }
                    }
                }
                (writer.join().unwrap(), mixed)
            });
            assert!(mixed.is_subset(&slow), "{mixed:?}, slow: {slow:?}");
        },
    );
}

/// A life of the program in this folder.
async fn life(folder: &tempfile::TempDir) -> KeysManagement {
    let started = builder().data_folder(folder.path()).start().await;
    let manager = started.expect("it starts whatever the wall clock says");
    define(&manager, documents()).await;
    let call = |_: KeyChange| {};
    manager
        .register_on_change("documents", "callback", call)
        .await
        .unwrap();
    manager
}

async fn completes(manager: &KeysManagement, change: Change) -> RotationId {
    let report = within(manager.key_changed(change)).await.unwrap();
    assert_eq!(report.state, RotationState::Completed);
    report.id
}

#[test]
fn before_1970_everything_works_and_a_change_without_an_id_gets_one() {
    alone_async(
        before_1970_everything_works_and_a_change_without_an_id_gets_one,
        async {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            move_by(-i64::try_from(now.as_secs()).unwrap() - 10 * YEAR);
            assert!(SystemTime::now() < UNIX_EPOCH, "the clock is moved");
            let folder = folder();
            let manager = life(&folder).await;
            let key = within(manager.get_key("documents")).await.unwrap();
            assert_eq!(key.expose_str(), Some("value_1"));
            let first = completes(&manager, Change::of("documents").new_keys("a")).await;
            let second = completes(&manager, Change::of("documents").new_keys("b")).await;
            assert_ne!(first, second);
            for id in [first, second] {
                assert_eq!(id.as_uuid().get_version_num(), 7);
            }
            within(manager.shutdown()).await.unwrap();
            let manager = life(&folder).await;
            assert_eq!(remembered(&manager).await, [second, first]);
            within(manager.shutdown()).await.unwrap();
        },
    );
}

#[test]
fn a_clock_that_stands_ten_years_ahead_for_a_while_deletes_nothing() {
    alone_async(
        a_clock_that_stands_ten_years_ahead_for_a_while_deletes_nothing,
        async {
            let folder = folder();
            let manager = life(&folder).await;
            let mut all = Vec::new();
            for new in ["a", "b", "c"] {
                all.push(completes(&manager, Change::of("documents").new_keys(new)).await);
            }
            // Each end of a rotation has the history tidied.
            move_by(10 * YEAR);
            all.push(completes(&manager, Change::of("documents").new_keys("d")).await);
            tokio::time::sleep(Duration::from_secs(2)).await;
            within(manager.shutdown()).await.unwrap();
            // A start before the clock is set: the history is tidied a second later.
            let manager = life(&folder).await;
            all.push(completes(&manager, Change::of("documents").new_keys("e")).await);
            tokio::time::sleep(Duration::from_secs(2)).await;
            move_by(0);
            all.push(completes(&manager, Change::of("documents").new_keys("f")).await);
            tokio::time::sleep(Duration::from_secs(2)).await;
            all.reverse();
            assert_eq!(remembered(&manager).await, all);
            let known = Change::of("documents").id(all[5]).new_keys("a");
            assert_eq!(within(manager.declare(known)).await.unwrap(), all[5]);
            within(manager.shutdown()).await.unwrap();
        },
    );
}

#[test]
fn with_a_steady_clock_what_is_too_old_is_forgotten() {
    alone_async(with_a_steady_clock_what_is_too_old_is_forgotten, async {
        let folder = folder();
        let aged = builder().data_folder(folder.path());
        let aged = aged.history_age(Some(Duration::from_secs(1)));
        let manager = aged.start().await.unwrap();
        define(&manager, documents()).await;
        completes(&manager, Change::of("documents").new_keys("a")).await;
        until("it is forgotten", async || {
            remembered(&manager).await.is_empty()
        })
        .await;
        within(manager.shutdown()).await.unwrap();
    });
}
