//! A folder that is moved, removed or robbed of its lock file while a process has it open.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout};

use keyward::repo::batch::Batch;
use keyward::repo::space::Space;
use keyward::repo::state_repo::StateRepo;

use crate::repo::crash::{child, folder_of_child, numbered, numbers, open};
use crate::repo::new_folder;

/// So large that RocksDB flushes, compacts and changes its log every few dozen writes.
const BYTES: usize = 200_000;
const ENOUGH: u32 = 60;

/// Another process that writes as fast as it can.
struct Writer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    written: u32,
}

impl Writer {
    fn start(folder: &Path) -> Self {
        let mut process = child(writes_until_it_is_refused, folder).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let written = 0;
        Self {
            process,
            lines,
            written,
        }
    }

    /// Until it has written this number, or was refused: then what it was told.
    fn go_on(&mut self, until: u32) -> Option<String> {
        while self.written < until {
            let line = self.lines.next()?.unwrap();
            if let Some(number) = line.strip_prefix("written ") {
                self.written = number.parse().unwrap();
            } else if let Some(told) = line.strip_prefix("refused ") {
                return Some(told.to_owned());
            }
        }
        None
    }

    /// Until it is refused; answers what it was told and how much it had written.
    fn until_refused(mut self) -> (String, u32) {
        let told = self.go_on(u32::MAX).expect("it ends when it is refused");
        assert!(self.process.wait().unwrap().success());
        (told, self.written)
    }
}

#[test]
#[ignore = "run by its parent test only"]
fn writes_until_it_is_refused() {
    let repo = open(&folder_of_child());
    for number in 1.. {
        if let Err(error) = repo.apply(&numbered(number, BYTES)) {
            println!("refused {} {error}", error.code());
            for again in [
                repo.reopen(),
                repo.apply(&numbered(number, 1)),
                repo.get(Space::Meta, b"last").map(drop),
                repo.close(),
            ] {
                let code = again.unwrap_err().code();
                assert!(["folder_lost", "repo_closed"].contains(&code), "{code}");
            }
            return;
        }
        println!("written {number}");
    }
}

#[test]
fn a_holder_whose_folder_was_moved_stops_and_leaves_the_next_ones_database_whole() {
    let base = new_folder();
    let folder = base.path().join("data");
    for round in 0..3 {
        let mut first = Writer::start(&folder);
        assert_eq!(first.go_on(ENOUGH), None);
        let moved = base.path().join(format!("moved-{round}"));
        fs::rename(&folder, &moved).unwrap();
        let second = open(&folder);
        for number in 1..=ENOUGH {
            second.apply(&numbered(number, BYTES)).unwrap();
        }
        let (told, written) = first.until_refused();
        assert!(told.starts_with("folder_lost "), "{told}");
        assert!(told.contains(folder.to_str().unwrap()), "{told}");
        second.apply(&numbered(ENOUGH + 1, BYTES)).unwrap();
        drop(second);
        let second = open(&folder);
        assert_eq!(numbers(&second), (1..=ENOUGH + 1).collect::<Vec<_>>());
        second.close().unwrap();
        // What the first had written lies whole where its folder is now.
        let first = open(&moved);
        assert_eq!(numbers(&first), (1..=written).collect::<Vec<_>>());
        first.close().unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_holder_whose_folder_was_removed_stops_and_leaves_the_next_ones_database_whole() {
    let base = new_folder();
    let folder = base.path().join("data");
    let mut first = Writer::start(&folder);
    assert_eq!(first.go_on(ENOUGH), None);
    // The holder may still be making files.
    while fs::remove_dir_all(&folder).is_err() {}
    let second = open(&folder);
    second.apply(&numbered(1, BYTES)).unwrap();
    let (told, _) = first.until_refused();
    assert!(!told.is_empty());
    for number in 2..=ENOUGH {
        second.apply(&numbered(number, BYTES)).unwrap();
    }
    drop(second);
    let second = open(&folder);
    assert_eq!(numbers(&second), (1..=ENOUGH).collect::<Vec<_>>());
    second.close().unwrap();
}

#[test]
fn a_holder_whose_lock_file_was_removed_stops_and_nobody_gets_in_beside_it() {
    let folder = new_folder();
    let holder = open(folder.path());
    holder.apply(&numbered(1, 10)).unwrap();
    fs::remove_file(folder.path().join("keyward.lock")).unwrap();
    let output = child(is_refused, folder.path()).output().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("already_open"), "{told}");
    let own = format!("held by process {}", std::process::id());
    assert!(told.contains(&own), "{told}");
    let error = holder.apply(&numbered(2, 10)).unwrap_err();
    assert_eq!(error.code(), "folder_lost");
    assert!(error.to_string().contains("keyward.lock"), "{error}");
    assert_eq!(holder.reopen().unwrap_err().code(), "folder_lost");
    assert_eq!(holder.close().unwrap_err().code(), "folder_lost");
    let next = open(folder.path());
    assert_eq!(numbers(&next), [1]);
    next.apply(&Batch::new().put(Space::Meta, "k", "v"))
        .unwrap();
}

#[test]
#[ignore = "run by its parent test only"]
fn is_refused() {
    let options = keyward::repo::folder::FolderOptions::new(folder_of_child());
    let error = keyward::repo::rocks::RocksDbRepo::open(&options).unwrap_err();
    println!("{} {error}", error.code());
}
