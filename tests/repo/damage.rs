//! Files of RocksDB that were flipped, cut or removed: one error at the start, which changes nothing
//! and names the file; never a silently shorter history.

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

use crate::new_folder;

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
    let folder = new_folder();
    fs::write(folder.path().join("keyward.lock"), "").unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn history(repo: &RocksDbRepo) -> History {
    let mut found = History::new();
    repo.scan(Space::History, b"", &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn write(repo: &RocksDbRepo, numbers: std::ops::Range<u8>) {
    for number in numbers {
        let batch = Batch::new()
            .put(Space::History, [number], vec![number; 40])
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

/// What becomes of the folder when one file is replaced, or removed with `None`.
fn opened_with(files: &Files, name: &str, bytes: Option<Vec<u8>>) -> Result<History, RepoError> {
    let mut files = files.clone();
    match bytes {
        Some(bytes) => files.insert(name.to_owned(), bytes),
        None => files.remove(name),
    };
    let folder = restored(&files);
    match open(folder.path()) {
        Ok(repo) => Ok(history(&repo)),
        Err(error) => {
            assert_eq!(self::files(folder.path()), files, "{name} {error}");
            Err(error)
        }
    }
}

/// Whether RocksDB can do without the file's content.
fn is_idle(name: &str) -> bool {
    name == "IDENTITY" || name.starts_with("OPTIONS-")
}

fn must_be_damage(name: &str, what: &str, opened: Result<History, RepoError>) {
    match opened {
        Err(RepoError::Damaged { file, .. }) => {
            assert_eq!(file.file_name().unwrap(), name, "{what}");
        }
        other => panic!("{name} {what}: {other:?}"),
    }
}

#[test]
fn every_flipped_byte_is_one_error_that_names_the_file() {
    let (files, whole) = three_lives();
    for (name, bytes) in &files {
        // Prime, so that every part of a record is met; large files hold nothing but options.
        let step = if bytes.len() > 3000 { 997 } else { 7 };
        for at in (0..bytes.len()).step_by(step) {
            for flip in [0x01, 0x04, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= flip;
                let opened = opened_with(&files, name, Some(flipped));
                if is_idle(name) {
                    assert_eq!(opened.unwrap(), whole);
                } else {
                    must_be_damage(name, &format!("byte {at} ^ {flip:#x}"), opened);
                }
            }
        }
    }
}

#[test]
fn every_file_that_was_cut_or_removed_is_one_error_but_for_the_newest_log() {
    let (files, whole) = three_lives();
    for (name, bytes) in &files {
        let ends = (0..bytes.len()).step_by(if bytes.len() > 3000 { 9973 } else { 13 });
        let cuts = ends.map(|end| Some(bytes[..end].to_vec())).chain([None]);
        for cut in cuts {
            let what = format!("cut to {:?}", cut.as_ref().map(Vec::len));
            let opened = opened_with(&files, name, cut);
            if is_idle(name) {
                assert_eq!(opened.unwrap(), whole);
            } else if name == newest_log(&files) {
                // A crash leaves the same behind: what was whole is kept, in its order.
                let kept = opened.unwrap();
                assert!(kept.len() >= 8 && whole.starts_with(&kept), "{what}");
            } else {
                must_be_damage(name, &what, opened);
            }
        }
    }
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
        let batch = Batch::new().put(Space::History, [number], vec![number; 50_000]);
        repo.apply(&batch).unwrap();
    }
    drop(repo);
    let files = files(folder.path());
    let log = newest_log(&files).to_owned();
    let bytes = &files[&log];
    assert!(bytes.len() > 1_000_000);
    // Headers at the beginning of blocks among them.
    for at in (0..bytes.len())
        .step_by(100_003)
        .chain((0..7).map(|n| 32_768 * 5 + n))
    {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x04;
        must_be_damage(
            &log,
            &at.to_string(),
            opened_with(&files, &log, Some(flipped)),
        );
    }
    assert_eq!(opened_with(&files, "IDENTITY", None).unwrap().len(), 20);
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
