//! Opening: the database's id, the master key, lives, and who is overtaken.

use keyward::journal::error::JournalError;

use super::*;

const DATABASE: &[u8] = b"database";

#[test]
fn a_database_keeps_its_id_and_another_has_another() {
    let repo = MemoryRepo::new();
    let id = |repo: &MemoryRepo| Database::open(Arc::new(repo.clone())).unwrap().id();
    let first = id(&repo);
    assert_eq!(id(&repo), first);
    open(&repo);
    assert_eq!(id(&repo), first);
    assert_ne!(id(&MemoryRepo::new()), first);
}

#[test]
fn another_master_key_is_one_error_and_changes_nothing() {
    let repo = filled();
    let before = content(&repo);
    let error = try_open(&repo, 2).unwrap_err();
    assert!(matches!(error, JournalError::WrongMasterKey { .. }));
    assert_eq!(error.code(), "wrong_master_key");
    assert_eq!(content(&repo), before);
    open(&repo);
}

#[test]
fn a_check_record_that_was_cut_or_changed_is_one_error() {
    let repo = filled();
    let sealed = repo.get(Space::Meta, b"check").unwrap().unwrap();
    for damaged in damaged(&sealed) {
        overwrite(&repo, Space::Meta, b"check", &damaged);
        let before = content(&repo);
        let error = try_open(&repo, 1).unwrap_err();
        let told = ["wrong_master_key", "record_unreadable"];
        assert!(told.contains(&error.code()), "{error}");
        assert!(error.to_string().contains("check record"), "{error}");
        assert!(content(&repo) == before, "a refused opening has written");
    }
    overwrite(&repo, Space::Meta, b"check", &sealed);
    open(&repo);
}

#[test]
fn a_lost_check_record_lets_no_new_master_key_in() {
    let repo = filled();
    repo.apply(&Batch::new().delete(Space::Meta, "check"))
        .unwrap();
    for master in [1, 2] {
        let error = try_open(&repo, master).unwrap_err();
        assert_eq!(error.code(), "record_unreadable");
    }
}

#[test]
fn a_lost_or_damaged_id_is_not_replaced() {
    let repo = filled();
    let stored = repo.get(Space::Meta, DATABASE).unwrap().unwrap();
    for damaged in damaged(&stored) {
        overwrite(&repo, Space::Meta, DATABASE, &damaged);
        let before = content(&repo);
        let error = try_open(&repo, 1).unwrap_err();
        // Another id of the right form is told by what it salts: nothing opens.
        let of_its_form = damaged.len() == stored.len() && damaged[0] == stored[0];
        let code = if of_its_form {
            "wrong_master_key"
        } else {
            "record_unreadable"
        };
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains("id"), "{error}");
        assert!(content(&repo) == before, "a refused opening has written");
    }
    repo.apply(&Batch::new().delete(Space::Meta, DATABASE))
        .unwrap();
    let error = Database::open(Arc::new(repo.clone())).unwrap_err();
    assert_eq!(error.code(), "record_unreadable");
}

#[test]
fn a_first_start_that_ended_after_the_id_goes_on() {
    let repo = MemoryRepo::new();
    let id = Database::open(Arc::new(repo.clone())).unwrap().id();
    assert_eq!(open(&repo).life(), 1);
    assert_eq!(Database::open(Arc::new(repo)).unwrap().id(), id);
}

#[test]
fn every_opening_is_a_life_and_batches_are_numbered_through_all_of_them() {
    let repo = MemoryRepo::new();
    for life in 1..4 {
        let mut journal = open(&repo);
        assert_eq!(journal.life(), life);
        assert_eq!(journal.write(&[]).unwrap(), life);
        assert!(journal.was_written(life).unwrap());
        assert!(!journal.was_written(life + 1).unwrap());
    }
}

#[test]
fn an_overtaken_journal_writes_nothing_more() {
    let repo = filled();
    let mut first = open(&repo);
    first.save_state(&key("a"), &put("first")).unwrap();
    let mut second = open(&repo);
    let before = content(&repo);
    for _ in 0..2 {
        let error = first.save_state(&key("a"), &put("late")).unwrap_err();
        assert_eq!(error.code(), "fenced");
        assert_eq!(first.write(&[]).unwrap_err().code(), "fenced");
        assert_eq!(first.was_written(1).unwrap_err().code(), "fenced");
        assert_eq!(first.reopen().unwrap_err().code(), "fenced");
    }
    assert_eq!(content(&repo), before);
    second.save_state(&key("a"), &put("second")).unwrap();
}

#[test]
fn fingerprints_are_the_same_in_every_life_and_differ_between_databases() {
    let repo = MemoryRepo::new();
    let of = |repo: &MemoryRepo| open(repo).fingerprints().of(&key("k"), &pair("p"));
    let first = of(&repo);
    assert_eq!(of(&repo), first);
    assert_ne!(of(&MemoryRepo::new()), first);
}

#[test]
fn a_damaged_record_of_the_last_batch_is_kept_and_named_and_the_journal_goes_on() {
    let repo = filled();
    let stored = repo.get(Space::Meta, b"batch").unwrap().unwrap();
    let whole = content(&repo);
    for damaged in damaged(&stored) {
        let repo = repo_with(&whole);
        overwrite(&repo, Space::Meta, b"batch", &damaged);
        let mut journal = open(&repo);
        let loaded = journal.load().unwrap();
        assert_eq!(loaded.unreadable.len(), 1);
        assert_eq!(loaded.unreadable[0].place, "the record of the last batch");
        assert_eq!(loaded.facts.rotations.len(), 2);
        // An opening takes over by writing this one record; what it found there is kept.
        let aside = in_space(&repo, Space::Quarantine);
        assert_eq!((aside.len(), &aside[0].1), (1, &damaged));
        let mut after = content(&repo);
        after.retain(|(space, place), _| *space != Space::Quarantine && place != b"batch");
        let mut before = whole.clone();
        before.remove(&(Space::Meta, b"batch".to_vec()));
        assert!(after == before, "opening has changed another record");
        journal.write(&[]).unwrap();
    }
}
