//! A manager that is alive when the system stops giving threads.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use keyward::repo::batch::Batch;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::{Change, KeysManagement, StateRepo, block_on};
use rustix::process::Resource;

use crate::limits::child::{run, say};
use crate::limits::rlimit::{
    allow_any_threads, allow_threads, become_a_user, limit, tasks, wait_until_gone,
};
use crate::support::{builder, documents};

#[test]
fn a_database_is_written_flushed_and_reopened_where_the_system_gives_no_thread() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("no-thread-while-alive", folder.path(), 0).cleanly("while alive");
    assert_eq!(said, ["written", "reopened", "closed", "opened again"]);
}

/// Enough for the buffers of a space to be flushed, and for the tables to be merged, some times.
const WRITES: u32 = 40;
const VALUE: usize = 1_000_000;

pub fn without_threads(folder: &Path) {
    become_a_user(folder);
    let options = FolderOptions::new(folder.join("data"));
    let repo = RocksDbRepo::open(&options).expect("no limit is set");
    allow_threads(1);
    assert!(
        std::thread::Builder::new().spawn(|| {}).is_err(),
        "no thread is to be had"
    );
    let write = |from: u32| {
        for number in from..from + WRITES {
            let batch =
                Batch::new().put(Space::Rotations, (number % 7).to_be_bytes(), vec![7; VALUE]);
            repo.apply(&batch).expect("it is written");
        }
    };
    write(0);
    say("written");
    for _ in 0..3 {
        repo.reopen().expect("it needs no new thread");
        write(100);
    }
    say("reopened");
    repo.close().expect("it needs no new thread");
    drop(repo);
    say("closed");
    let repo = RocksDbRepo::open(&options).expect("nor does another one");
    let found = repo.get(Space::Rotations, &3_u32.to_be_bytes());
    assert_eq!(
        found.expect("it is read").map(|value| value.len()),
        Some(VALUE)
    );
    say("opened again");
}

#[test]
fn a_shutdown_where_the_system_gives_no_thread_ends_everything_and_frees_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("shutdown-without-threads", folder.path(), 0).cleanly("shutdown");
    assert_eq!(said, ["gone", "free"]);
}

#[test]
fn the_drop_of_the_last_handle_where_the_system_gives_no_thread_ends_everything_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("drop-without-threads", folder.path(), 0).cleanly("drop");
    assert_eq!(said, ["gone", "free"]);
}

pub fn shut_down_without_threads(folder: &Path) {
    end_without_threads(folder, |keys| {
        block_on(keys.shutdown()).expect("it shuts down");
        let again = block_on(keys.shutdown()).expect_err("it has shut down");
        assert_eq!(again.code(), "shut_down");
    });
}

pub fn drop_without_threads(folder: &Path) {
    end_without_threads(folder, drop);
}

fn end_without_threads(folder: &Path, end: impl FnOnce(KeysManagement)) {
    become_a_user(folder);
    let start = || block_on(builder().data_folder(folder.join("data")).start());
    let before = tasks();
    let keys = start().expect("no limit is set");
    block_on(keys.define_key(documents())).expect("it is defined");
    block_on(keys.get_key("documents")).expect("a key");
    allow_threads(1);
    end(keys);
    // RocksDB's two pools and its timer stay.
    wait_until_gone("threads", before + 3, tasks);
    say("gone");
    allow_any_threads();
    let begun = Instant::now();
    while let Err(error) = start() {
        assert_eq!(error.code(), "already_open", "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
    }
    say("free");
}

#[test]
fn where_no_descriptor_is_left_writes_are_unknown_keys_are_handed_out_and_it_goes_on_afterwards() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("no-descriptor-while-alive", folder.path(), 0).cleanly("descriptors");
    assert_eq!(said, ["unknown", "keys are handed out", "goes on", "ended"]);
}

pub fn without_descriptors(folder: &Path) {
    let start = || {
        let builder = builder().data_folder(folder.join("data"));
        block_on(builder.reopen_every(Duration::from_millis(50)).start())
    };
    let keys = start().expect("no limit is set");
    block_on(keys.define_key(documents())).expect("it is defined");
    block_on(keys.get_forward_path_key("documents")).expect("a key");
    let mut taken = take_all_descriptors();
    // The next log and the next table are files that cannot be opened.
    let old = vec![b'o'; 900_000];
    let declare = |number: u32| {
        let change = Change::of("documents").old(old.clone());
        let declared = block_on(keys.declare(change.new_keys(format!("new {number}"))));
        // The write that fails may be that of the change's end.
        declared.and_then(|id| block_on(keys.wait(id)))
    };
    let error = (0..200).find_map(|number| declare(number).err());
    let error = error.expect("more than the open files hold");
    assert!(
        ["write_unknown", "repo_unavailable"].contains(&error.code()),
        "{error}"
    );
    let paused = block_on(keys.status()).expect("a status").paused;
    let text = format!("{error} {}", paused.unwrap_or_default());
    assert!(text.contains("Too many open files"), "{text}");
    say("unknown");
    let key = block_on(keys.get_back_path_key("documents")).expect("it is held");
    assert_eq!(key.expose(), b"value_1");
    say("keys are handed out");
    taken.clear();
    let begun = Instant::now();
    while let Err(error) = declare(1_000) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        std::thread::sleep(Duration::from_millis(20));
    }
    say("goes on");
    let taken = take_all_descriptors();
    block_on(keys.shutdown()).expect("it shuts down");
    drop(taken);
    let keys = start().expect("the folder is free and whole");
    block_on(keys.shutdown()).expect("it shuts down");
    say("ended");
}

fn take_all_descriptors() -> Vec<File> {
    limit(Resource::Nofile, Some(256));
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    taken
}
