//! The limit of a file's size: as a full disk, and no signal that ends the process.

use std::path::Path;

use keyward::repo::batch::Batch;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::{Change, RotationState, StateRepo, block_on};
use rustix::process::Resource;

use crate::limits::child::{run, say};
use crate::limits::rlimit::limit;
use crate::support::{builder, documents};

#[test]
fn a_file_that_may_not_grow_is_an_error_as_a_full_disk_is_and_afterwards_it_goes_on() {
    for size in [0, 1, 100, 4_096, 20_000, 100_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let said = run("file-size", folder.path(), size).cleanly(&format!("{size} bytes"));
        assert_eq!(
            said,
            ["full", "keys are handed out", "room again"],
            "{size} bytes"
        );
    }
}

pub fn with_a_limit(folder: &Path, size: u64) {
    let data = folder.join("data");
    let started = builder()
        .data_folder(&data)
        .reopen_every(std::time::Duration::from_millis(50));
    let keys = block_on(started.start()).expect("no limit is set");
    block_on(keys.define_key(documents())).expect("it is defined");
    limit(Resource::Fsize, Some(size));
    let error = (0..400).find_map(|number| {
        let (old, new) = (vec![b'o'; 900], format!("value {number}"));
        let change = Change::of("documents").old(old).new_keys(new);
        block_on(keys.declare(change)).err()
    });
    let error = error.expect("its file may not grow so far");
    // Where the write of a rotation's end was the first that failed, the declaration was not written.
    let codes = ["write_unknown", "repo_unavailable"];
    assert!(codes.contains(&error.code()), "{error}");
    assert!(error.to_string().contains("no room left"), "{error}");
    say("full");
    let key = block_on(keys.get_forward_path_key("documents")).expect("a key");
    assert_eq!(key.expose(), b"value_1");
    say("keys are handed out");
    limit(Resource::Fsize, None);
    let declared = (0..4_000).find_map(|number| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let change = Change::of("documents")
            .old("one")
            .new_keys(format!("new {number}"));
        block_on(keys.declare(change)).ok()
    });
    let report = block_on(keys.wait(declared.expect("it is accepted again")));
    assert_eq!(report.expect("a report").state, RotationState::Completed);
    block_on(keys.shutdown()).expect("it shuts down");
    say("room again");
}

#[test]
fn a_database_under_a_limit_of_file_size_opens_or_is_refused_as_full_and_is_whole() {
    for size in [0, 1, 10, 50, 100, 500, 2_000, 10_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let said = run("file-size-at-start", folder.path(), size).cleanly(&format!("{size} bytes"));
        assert_eq!(said, ["whole"], "{size} bytes");
    }
}

pub fn start_with_a_limit(folder: &Path, size: u64) {
    let options = FolderOptions::new(folder.join("data"));
    limit(Resource::Fsize, Some(size));
    // What is written in the background, by RocksDB's own threads, meets the limit too.
    let result = RocksDbRepo::open(&options).and_then(|repo| {
        (0..200_u32).try_for_each(|number| {
            let batch = Batch::new().put(Space::Rotations, number.to_be_bytes(), vec![7; 100_000]);
            repo.apply(&batch)
        })
    });
    let error = result.expect_err("it is more than a file may hold");
    assert_eq!(error.code(), "disk_full", "{error}");
    limit(Resource::Fsize, None);
    let repo = RocksDbRepo::open(&options).expect("it is whole");
    repo.close().expect("it is");
    say("whole");
}
