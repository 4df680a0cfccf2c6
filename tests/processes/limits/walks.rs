//! A start under each limit of threads and descriptors, from one upwards.

use std::path::Path;
use std::time::{Duration, Instant};

use keyward::worker::callback::KeyChange;
use keyward::{Change, KeysManagement, RotationState, StartError, block_on};
use rustix::process::Resource;

use crate::limits::child::{run, say};
use crate::limits::rlimit::{
    allow_any_threads, allow_threads, become_a_user, descriptors, limit, tasks, wait_until_gone,
};
use crate::support::{builder, documents};

const HIGHEST: u64 = 64;
/// How long a callback waits for what the system refuses.
const WORKER_WAIT: Duration = Duration::from_millis(300);
/// No start takes longer, whatever it ends with.
const LONGEST_START: Duration = Duration::from_secs(60);

#[test]
fn a_start_under_any_limit_of_threads_works_or_names_the_limit_and_leaves_nothing() {
    walk("start-with-threads", "no_thread", &["thread"]);
}

#[test]
fn a_start_under_any_limit_of_descriptors_works_or_names_the_limit_and_leaves_nothing() {
    walk(
        "start-with-descriptors",
        "no_descriptor",
        &["open files", "os error 24"],
    );
}

fn walk(order: &str, code: &str, names: &[&str]) {
    let mut worked = 0;
    for allowed in 1..=HIGHEST {
        let folder = tempfile::tempdir().expect("a folder");
        let what = format!("{order} {allowed}");
        let said = run(order, folder.path(), allowed).cleanly(&what);
        match said.first().map(String::as_str) {
            Some("works") => worked += 1,
            Some(refused) => {
                assert!(
                    refused.starts_with(&format!("{code}: ")),
                    "{what}: {refused}"
                );
                let names = names.iter().any(|name| refused.contains(name));
                assert!(names, "{what}: {refused}");
                assert_eq!(
                    worked, 0,
                    "{what} is refused, and one with less was not: {refused}"
                );
            }
            None => panic!("{what} said nothing"),
        }
        assert_eq!(
            said.get(1).map(String::as_str),
            Some("nothing is left"),
            "{what}"
        );
        assert_eq!(said.get(2).map(String::as_str), Some("it opens"), "{what}");
    }
    assert!(worked > 0, "{HIGHEST} are enough");
    assert!(worked < HIGHEST, "one is not enough");
}

pub fn start_with_threads(folder: &Path, allowed: u64) {
    become_a_user(folder);
    first_life(folder);
    let (threads, opened) = (tasks(), descriptors());
    allow_threads(allowed);
    start_under_the_limit(folder);
    allow_any_threads();
    afterwards(folder, threads, opened);
}

pub fn start_with_descriptors(folder: &Path, allowed: u64) {
    let (threads, opened) = (tasks(), descriptors());
    limit(Resource::Nofile, Some(allowed));
    start_under_the_limit(folder);
    limit(Resource::Nofile, None);
    afterwards(folder, threads, opened);
}

/// Whatever a process makes only once, so that it is not taken for something that was left: in every
/// second walk, so that the first start is seen under the limit as well.
fn first_life(folder: &Path) {
    if std::process::id().is_multiple_of(2) {
        life(folder).expect("no limit is set");
    }
}

fn start_under_the_limit(folder: &Path) {
    let begun = Instant::now();
    let ended = life(folder);
    assert!(begun.elapsed() < LONGEST_START);
    match ended {
        Ok(()) => say("works"),
        Err(error) => say(&format!("{}: {error}", error.code()).replace('\n', " ")),
    }
}

/// Starts a manager, has it do all that it is for, and ends it.
fn life(folder: &Path) -> Result<(), StartError> {
    let keys = block_on(
        builder()
            .data_folder(folder.join("data"))
            .worker_wait(Some(WORKER_WAIT))
            .start(),
    )?;
    works(&keys);
    block_on(keys.shutdown()).expect("it shuts down");
    Ok(())
}

fn works(keys: &KeysManagement) {
    block_on(keys.define_key(documents())).expect("it is defined");
    block_on(keys.register_on_change("documents", "call", async |_: KeyChange| {}))
        .expect("it registers");
    let key = block_on(keys.get_key("documents")).expect("a key");
    assert_eq!(key.expose(), b"value_1");
    let change = Change::of("documents").old("value_1").new_keys("value_2");
    let report = block_on(keys.key_changed(change)).expect("it is accepted");
    // Async callbacks run on threads and descriptors of their own, which are asked for when they are due.
    let waited = report.steps[0].error.as_deref();
    let waited = waited.is_some_and(|why| why.contains("no thread was free"));
    let ended = report.state == RotationState::Completed;
    assert!(ended || waited, "{report:?}");
}

fn afterwards(folder: &Path, threads: u64, opened: u64) {
    // RocksDB's two pools and its timer stay, and so does the pair for the signals of the process.
    wait_until_gone("threads", threads + 3, tasks);
    wait_until_gone("descriptors", opened + 2, descriptors);
    say("nothing is left");
    life(folder).expect("no limit is set");
    say("it opens");
}

#[test]
fn a_start_under_any_limit_of_memory_works_or_says_what_there_is_too_little_of() {
    let mut worked = 0;
    for steps in (1..=151).step_by(3) {
        let folder = tempfile::tempdir().expect("a folder");
        let what = format!("{steps} steps of memory");
        let said = run("start-with-memory", folder.path(), steps).cleanly(&what);
        // Each thread needs memory too.
        let names = [
            "works",
            "no_thread: ",
            "repo_failed: the repo failed: finding 128 MiB",
        ];
        let first = said.first().map_or("nothing", String::as_str);
        assert!(
            names.iter().any(|name| first.starts_with(name)),
            "{what}: {first}"
        );
        assert_eq!(said.get(1).map(String::as_str), Some("it opens"), "{what}");
        worked += usize::from(first == "works");
    }
    assert!(worked > 0, "the most of it is enough");
}

/// In steps of 8 MiB beyond what the test has when it begins.
const MEMORY_STEP: u64 = 8 * 1024 * 1024;

pub fn start_with_memory(folder: &Path, steps: u64) {
    let has = std::fs::read_to_string("/proc/self/statm").expect("what it has");
    let pages: u64 = has
        .split(' ')
        .next()
        .expect("a number")
        .parse()
        .expect("one");
    limit(Resource::As, Some(pages * 4_096 + steps * MEMORY_STEP));
    start_under_the_limit(folder);
    limit(Resource::As, None);
    life(folder).expect("no limit is set");
    say("it opens");
}
