//! Limits of this process, a user of its own, and what it has of threads and descriptors.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Longer than what has ended takes to be gone.
const LONGEST_END: Duration = Duration::from_secs(20);

/// The user that a child of root becomes: no other process is this user's. For a child of another
/// user, none.
fn throwaway_user() -> Option<u32> {
    rustix::process::geteuid()
        .is_root()
        .then(|| 20_000 + std::process::id() % 40_000)
}

/// Gives a folder to a user of its own and becomes that one, because a limit of threads binds no
/// root. Another user than root stays what it is.
pub fn become_a_user(folder: &Path) {
    let Some(user) = throwaway_user() else {
        return;
    };
    give(folder, user);
    // SAFETY: plain calls; glibc changes all threads of the process.
    let changed = unsafe { libc::setgid(user) == 0 && libc::setuid(user) == 0 };
    assert!(changed, "root becomes user {user}");
}

fn give(path: &Path, user: u32) {
    std::os::unix::fs::chown(path, Some(user), Some(user)).expect("root may");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            give(&entry.expect("an entry").path(), user);
        }
    }
}

/// Sets the soft limit, which can be lifted again.
pub fn limit(resource: Resource, current: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    let current = current.or(maximum);
    setrlimit(resource, Rlimit { current, maximum }).expect("a lower limit");
}

/// Allows so many threads of this process, whatever else its user runs.
pub fn allow_threads(threads: u64) {
    let others = tasks_of_user() - tasks();
    limit(Resource::Nproc, Some(others + threads));
}

pub fn allow_any_threads() {
    limit(Resource::Nproc, None);
}

/// The threads of this process.
pub fn tasks() -> u64 {
    count(Path::new("/proc/self/task"))
}

/// The open descriptors of this process.
pub fn descriptors() -> u64 {
    count(Path::new("/proc/self/fd"))
}

fn count(folder: &Path) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| entries.count() as u64)
}

fn tasks_of_user() -> u64 {
    let user = rustix::process::geteuid().as_raw();
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries
        .filter(|entry| entry.metadata().is_ok_and(|found| found.uid() == user))
        .map(|entry| count(&entry.path().join("task")))
        .sum()
}

/// Waits until what is counted is not more than it was.
#[track_caller]
pub fn wait_until_gone(what: &str, before: u64, count: impl Fn() -> u64) {
    let begun = Instant::now();
    while count() > before {
        let left = count();
        assert!(
            begun.elapsed() < LONGEST_END,
            "{left} {what} instead of {before} are left"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
