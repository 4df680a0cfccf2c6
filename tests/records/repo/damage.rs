//! Files of RocksDB that were flipped, cut or removed: one error at the start, which changes nothing
//! and names the file, or the folder where RocksDB finds it; never a silently shorter history.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::repo::state_repo::StateRepo;
use tempfile::TempDir;

use crate::repo::{crash, new_folder, new_folder_in_memory};

/// The files of a data folder, without the locks.
type Files = BTreeMap<String, Vec<u8>>;
type History = Vec<(Vec<u8>, Vec<u8>)>;

fn open(folder: &Path) -> Result<RocksDbRepo, RepoError> {
    RocksDbRepo::open(&FolderOptions::new(folder))
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name != "keyward.lock" && name != "LOCK")
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

fn restored(files: &Files) -> TempDir {
    let folder = new_folder_in_memory();
    fs::write(folder.path().join("keyward.lock"), "").unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn history(repo: &RocksDbRepo) -> History {
    let mut found = History::new();
    repo.scan(Space::Rotations, b"", &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn write(repo: &RocksDbRepo, numbers: std::ops::Range<u8>) {
    for number in numbers {
        let batch = Batch::new()
            .put(Space::Rotations, [number], vec![number; 40])
            .put(Space::Meta, "last", [number]);
        repo.apply(&batch).unwrap();
    }
}

/// A life that was closed, one that was not, and one that ended with everything in its log.
fn three_lives() -> (Files, History) {
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    write(&repo, 0..4);
    repo.close().unwrap();
    let repo = open(folder.path()).unwrap();
    write(&repo, 4..8);
    drop(repo);
    let repo = open(folder.path()).unwrap();
    write(&repo, 8..16);
    let history = history(&repo);
    drop(repo);
    (files(folder.path()), history)
}

fn newest_log(files: &Files) -> &str {
    files
        .keys()
        .rev()
        .find(|name| name.ends_with(".log"))
        .unwrap()
}

/// A copy of a data folder; one file of it after the other is damaged. Where opening is refused
/// the copy must be as it was, and is used again.
struct Patient {
    files: Files,
    folder: TempDir,
    opened: u32,
}

impl Patient {
    fn new(files: Files) -> Self {
        let folder = restored(&files);
        let opened = 0;
        Self {
            files,
            folder,
            opened,
        }
    }

    /// What becomes of it when one file is replaced, or removed with `None`.
    fn opened_with(&mut self, name: &str, bytes: Option<&[u8]>) -> Result<History, RepoError> {
        self.opened += 1;
        let path = self.folder.path().join(name);
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let opened = open(self.folder.path()).map(|repo| history(&repo));
        if let Err(error) = &opened {
            let mut found = files(self.folder.path());
            assert_eq!(found.remove(name).as_deref(), bytes, "{name} {error}");
            let others = self.files.iter().filter(|(other, _)| *other != name);
            assert!(others.eq(&found), "{name} {error}");
            fs::write(&path, &self.files[name]).unwrap();
        } else {
            self.folder = restored(&self.files);
        }
        opened
    }
}

/// Whether RocksDB can do without the file's content. Each opening of such a folder succeeds and
/// writes to the disk, so that only some of their bytes are tried.
fn is_idle(name: &str) -> bool {
    name == "IDENTITY" || name.starts_with("OPTIONS-")
}

/// Which bytes of a file are flipped, and after which it is cut: every one.
fn places(name: &str, bytes: &[u8]) -> std::iter::StepBy<std::ops::Range<usize>> {
    let step = if is_idle(name) { 97 } else { 1 };
    (0..bytes.len()).step_by(step)
}

/// One error, that names the file and the remedy. Of a table, and of a log that is missing or shorter
/// than it was, it may name the folder: these RocksDB finds, and its text is in the error.
fn must_be_damage(name: &str, what: &str, opened: &Result<History, RepoError>) {
    let Err(error) = opened else {
        panic!("{name} {what}: {opened:?}");
    };
    let RepoError::Damaged { file, .. } = error else {
        panic!("{name} {what}: {error:?}");
    };
    let rocksdb_finds =
        name.ends_with(".sst") || name.ends_with(".log") && !what.starts_with("byte");
    let names_it = file.file_name().unwrap() == name;
    assert!(
        names_it || rocksdb_finds && file.is_dir(),
        "{what}: {error}"
    );
    let (text, remedy) = (
        error.to_string(),
        "restore the whole data folder from a backup",
    );
    assert!(
        text.contains(file.to_str().unwrap()) && text.contains(remedy),
        "{text}"
    );
}

#[test]
fn every_flipped_byte_is_one_error_that_names_the_file() {
    let (files, whole) = three_lives();
    let mut patient = Patient::new(files.clone());
    for (name, bytes) in &files {
        for at in places(name, bytes) {
            // Each byte once, each part of a record in several ways.
            let flip = [0x01, 0xff, 0x80, 0x04, 0x10][at % 5];
            let mut flipped = bytes.clone();
            flipped[at] ^= flip;
            let opened = patient.opened_with(name, Some(&flipped));
            if is_idle(name) {
                assert_eq!(opened.unwrap(), whole);
            } else {
                must_be_damage(name, &format!("byte {at} ^ {flip:#x}"), &opened);
            }
        }
    }
    println!("bytes flipped in files of RocksDB: {}", patient.opened);
}

#[test]
fn every_file_that_was_cut_or_removed_is_one_error_but_for_the_newest_log() {
    let (files, whole) = three_lives();
    let mut patient = Patient::new(files.clone());
    for (name, bytes) in &files {
        let cuts = places(name, bytes).map(|end| Some(&bytes[..end]));
        for cut in cuts.chain([None]) {
            let what = format!("cut to {:?}", cut.map(<[u8]>::len));
            let opened = patient.opened_with(name, cut);
            if is_idle(name) {
                assert_eq!(opened.unwrap(), whole);
            } else if name == newest_log(&files) {
                // A crash leaves the same behind: what was whole is kept, in its order.
                let kept = opened.unwrap();
                assert!(kept.len() >= 8 && whole.starts_with(&kept), "{what}");
            } else {
                must_be_damage(name, &what, &opened);
            }
        }
    }
    println!("lengths cut in files of RocksDB: {}", patient.opened);
}

#[test]
fn a_log_that_was_cut_and_opened_goes_on_and_opens_again() {
    let (mut files, whole) = three_lives();
    let log = newest_log(&files).to_owned();
    files.get_mut(&log).unwrap().pop();
    let folder = restored(&files);
    let repo = open(folder.path()).unwrap();
    assert_eq!(history(&repo), whole[..whole.len() - 1]);
    write(&repo, 15..20);
    drop(repo);
    let repo = open(folder.path()).unwrap();
    assert_eq!(history(&repo).len(), 20);
}

#[test]
fn after_close_nothing_lies_only_in_the_log() {
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    write(&repo, 0..10);
    repo.close().unwrap();
    let mut files = files(folder.path());
    files.retain(|name, _| !name.ends_with(".log"));
    let repo = open(restored(&files).path()).unwrap();
    assert_eq!(history(&repo).len(), 10);
}

#[test]
fn a_flip_in_a_log_of_many_blocks_is_found() {
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    for number in 0..20_u8 {
        let batch = Batch::new().put(Space::Rotations, [number], vec![number; 50_000]);
        repo.apply(&batch).unwrap();
    }
    drop(repo);
    let files = files(folder.path());
    let log = newest_log(&files).to_owned();
    let bytes = &files[&log];
    let mut patient = Patient::new(files.clone());
    assert!(bytes.len() > 1_000_000);
    // Headers at the beginning of blocks among them.
    for at in (0..bytes.len())
        .step_by(100_003)
        .chain((0..7).map(|n| 32_768 * 5 + n))
    {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        let opened = patient.opened_with(&log, Some(&flipped));
        must_be_damage(&log, &format!("byte {at}"), &opened);
    }
    assert_eq!(patient.opened_with("IDENTITY", None).unwrap().len(), 20);
}

/// A process that was killed while RocksDB moved a full log into tables and wrote on in a new one:
/// its folder, with both logs, and what it had written.
///
/// Only from the second record of the new log on is the length of the older one known for sure; and
/// once its content is in the tables, it is not needed any more.
fn two_logs() -> (Files, History) {
    for _ in 0..500 {
        let folder = new_folder();
        let both = || {
            let lengths = logs(folder.path());
            lengths.len() == 2 && lengths[1] > 2 * 60_000
        };
        crash::kill_when(folder.path(), || both() || logs(folder.path()).len() > 2);
        if both() {
            let files = files(folder.path());
            let mut patient = Patient::new(files.clone());
            if patient.opened_with(oldest_log(&files), None).is_err() {
                let whole = patient.opened_with("IDENTITY", None);
                return (files, whole.unwrap());
            }
        }
    }
    panic!("no process was killed with two logs");
}

fn oldest_log(files: &Files) -> &str {
    files.keys().find(|name| name.ends_with(".log")).unwrap()
}

/// How long the logs are, in their order.
fn logs(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut logs: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some("log".as_ref()))
        .collect();
    logs.sort();
    // One that was just removed is none.
    let lengths = logs.iter().flat_map(fs::metadata);
    lengths.map(|log| log.len()).collect()
}

#[test]
fn an_older_log_that_was_flipped_cut_or_removed_is_one_error_that_names_it() {
    let (files, whole) = two_logs();
    let older = oldest_log(&files);
    let bytes = &files[older];
    let mut patient = Patient::new(files.clone());
    for part in 0..40 {
        let at = bytes.len() / 40 * part + part;
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        let opened = patient.opened_with(older, Some(&flipped));
        must_be_damage(older, &format!("byte {at}"), &opened);
    }
    let ends = (0..40).map(|part| bytes.len() / 40 * part);
    let near = [1, 7, 100, 30_000, 60_000, 61_000].map(|less| bytes.len() - less);
    let cuts = ends.chain(near).map(|end| Some(&bytes[..end]));
    for cut in cuts.chain([None]) {
        let what = format!("cut to {:?}", cut.map(<[u8]>::len));
        let opened = patient.opened_with(older, cut);
        must_be_damage(older, &what, &opened);
    }
    let opened = patient.opened_with("IDENTITY", None).unwrap();
    assert!(opened == whole && !whole.is_empty());
}

#[test]
fn a_database_of_another_life_is_not_taken_for_this_one() {
    // CURRENT and its manifest were put back from an older copy, and nothing else.
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    write(&repo, 0..4);
    repo.close().unwrap();
    let older = files(folder.path());
    let repo = open(folder.path()).unwrap();
    write(&repo, 4..8);
    repo.close().unwrap();
    let mut mixed = files(folder.path());
    for (name, bytes) in older {
        if name == "CURRENT" || name.starts_with("MANIFEST-") {
            mixed.insert(name, bytes);
        }
    }
    let error = open(restored(&mixed).path()).unwrap_err();
    assert!(matches!(&error, RepoError::Damaged { file, .. } if file.ends_with("CURRENT")));
    assert!(
        error
            .to_string()
            .contains("restore the whole data folder from a backup")
    );
}

/// A database in which only the history has grown, closed so that all of it is in tables.
fn with_history() -> (Files, usize) {
    let folder = new_folder();
    let repo = open(folder.path()).unwrap();
    for number in 0..200_u8 {
        let batch = Batch::new().put(Space::History, [number], vec![number; 40]);
        repo.apply(&batch).unwrap();
    }
    repo.close().unwrap();
    (files(folder.path()), 200)
}

/// Everything of the history, as it is read after a start.
fn read_back(repo: &RocksDbRepo) -> Result<usize, RepoError> {
    let mut found = 0;
    repo.scan_back(Space::History, b"", None, &mut |_, _| {
        found += 1;
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[test]
fn damage_to_the_history_is_one_error_at_the_start_or_when_it_is_read() {
    let (files, whole) = with_history();
    let tables: Vec<&String> = files.keys().filter(|name| name.ends_with(".sst")).collect();
    let (mut at_start, mut when_read) = (0, 0);
    for name in tables {
        for at in (0..files[name].len()).step_by(7) {
            let mut damaged = files.clone();
            damaged.get_mut(name).unwrap()[at] ^= 0x10;
            let folder = restored(&damaged);
            match open(folder.path()) {
                Err(error) => {
                    must_be_damage(name, "at the start", &Err(error));
                    at_start += 1;
                }
                Ok(repo) => {
                    let read = read_back(&repo);
                    must_be_damage(name, "when read", &read.map(|_| History::new()));
                    when_read += 1;
                }
            }
        }
    }
    assert!(when_read > 0, "{at_start} at the start, and none when read");
    let folder = restored(&files);
    assert_eq!(read_back(&open(folder.path()).unwrap()).unwrap(), whole);
}
