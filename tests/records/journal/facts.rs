//! Facts that were written are loaded in the next life, and nothing else is.

use keyward::crypto::aead::OVERHEAD_BYTES;
use keyward::journal::history::History;
use keyward::journal::load::LoadedJournal;
use keyward::journal::secrets::RotationSecrets;
use keyward::key::state::Loaded;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;
use keyward::rotation::event::StepRef;
use keyward::rotation::status::CallbackStatus;
use keyward::secret::value::MAX_VALUE_BYTES;

use super::*;

fn check_filled(loaded: &LoadedJournal) {
    let facts = &loaded.facts;
    assert_eq!(facts.next_sequence, 13);
    assert_eq!(facts.members, [member("v", 2), member("w", 1)]);
    let callbacks = [
        member_callback("w", "a", "c0", 3),
        member_callback("w", "a", "c1", 4),
    ];
    assert_eq!(facts.callbacks, callbacks);
    let steps = vec![step(0), step(1)];
    let one = begun(&header(11, "a")).1;
    let expected = [(one, steps.clone()), (header(12, "b"), steps)];
    assert_eq!(facts.rotations, expected);
    assert!(facts.unreadable.is_empty() && loaded.unreadable.is_empty());
    let mut secrets = RotationSecrets {
        old: Some(pair("old")),
        new: Some(pair("new")),
        snapshot: Some(snapshot()),
    };
    assert_eq!(loaded.secrets[&id(11)], secrets);
    secrets.snapshot = None;
    assert_eq!(loaded.secrets[&id(12)], secrets);
    assert_eq!(loaded.secrets.len(), 2);
}

#[test]
fn facts_come_back_in_the_next_life() {
    let repo = filled();
    check_filled(&open(&repo).load().unwrap());
}

#[test]
fn facts_come_back_from_rocksdb_after_a_clean_end_and_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let options = FolderOptions::new(folder.path().join("data"));
    let repo = Arc::new(RocksDbRepo::open(&options).unwrap());
    let mut batch = Batch::new();
    for ((space, key), value) in content(&filled()) {
        batch = batch.put(space, key, value);
    }
    repo.apply(&batch).unwrap();
    let journal = open_on(repo, 1).unwrap();
    check_filled(&journal.load().unwrap());
    journal.close().unwrap();
    let repo = Arc::new(RocksDbRepo::open(&options).unwrap());
    let mut journal = open_on(repo, 1).unwrap();
    journal.save_state(&key("c"), &put("last")).unwrap();
    drop(journal);
    let repo = Arc::new(RocksDbRepo::open(&options).unwrap());
    let journal = open_on(repo, 1).unwrap();
    assert_eq!(journal.life(), 4);
    check_filled(&journal.load().unwrap());
    let expected = Loaded::Record(record(Some("last")));
    assert_eq!(journal.load_state(&key("c")), expected);
}

#[test]
fn an_empty_journal_loads_nothing() {
    let repo = MemoryRepo::new();
    let journal = open(&repo);
    let loaded = journal.load().unwrap();
    assert_eq!(loaded.facts.next_sequence, 1);
    assert!(loaded.facts.rotations.is_empty() && loaded.unreadable.is_empty());
    assert_eq!(journal.history(10, None).unwrap(), History::default());
    assert_eq!(journal.find_ended(id(1)).unwrap(), None);
    assert_eq!(
        journal.last_declared(&key("a")).unwrap(),
        Declared::default()
    );
    assert_eq!(journal.load_state(&key("a")), Loaded::Absent);
}

#[test]
fn reading_writes_nothing() {
    let repo = filled();
    let journal = open(&repo);
    let before = content(&repo);
    journal.load().unwrap();
    journal.unreadable_records().unwrap();
    journal.history(10, None).unwrap();
    journal.find_ended(id(10)).unwrap();
    journal.last_declared(&key("a")).unwrap();
    journal.load_state(&key("a"));
    journal.was_written(1).unwrap();
    assert_eq!(content(&repo), before);
}

#[test]
fn an_ended_rotation_leaves_no_record_behind_and_is_in_the_history() {
    let repo = filled();
    let mut journal = open(&repo);
    let ended = Header {
        state: RotationState::Aborted,
        ..begun(&header(11, "a")).1
    };
    let steps = vec![step(0), step(1), step(2)];
    journal
        .write(&[
            Fact::Step(id(11), key("a"), step(2)).into(),
            Fact::Ended(ended.clone(), steps.clone()).into(),
        ])
        .unwrap();
    let left = in_space(&repo, Space::Rotations);
    assert!(
        left.iter()
            .all(|(key, _)| key.starts_with(id(12).as_uuid().as_bytes()))
    );
    assert_eq!(left.len(), 5);
    assert!(in_space(&repo, Space::Quarantine).is_empty());
    let found = journal.find_ended(id(11)).unwrap();
    assert_eq!(found, Some((ended.clone(), steps.clone())));
    assert_eq!(journal.find_ended(id(12)).unwrap(), None);
    let history = journal.history(1, None).unwrap();
    assert_eq!(history.rotations, [ended.report(steps)]);
    assert_eq!(history.next, Some(11));
    let older = journal.history(1, history.next).unwrap();
    assert_eq!(older.rotations[0].id, id(10));
    assert_eq!((older.rotations.len(), older.next), (1, None));
}

#[test]
fn no_value_is_legible_in_the_repo() {
    for ((space, place), value) in content(&filled()) {
        for secret in ["forward", "back", "half"] {
            let legible =
                |bytes: &[u8]| bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!legible(&value) && !legible(&place), "{space}");
        }
    }
}

#[test]
fn the_last_fact_about_a_record_counts() {
    let repo = filled();
    let mut journal = open(&repo);
    let mut changed = step(0);
    changed.status = CallbackStatus::InProgress;
    let step_ref = StepRef {
        rotation: id(11),
        step: 0,
    };
    let state = |change| {
        let attached = Attached::Record {
            key: key("a"),
            change,
        };
        JournalFact::new(Fact::Record(step_ref), attached)
    };
    let gone = Fact::MemberGone(worker("w"));
    journal
        .write(&[
            Fact::NextSequence(90).into(),
            Fact::NextSequence(91).into(),
            Fact::Step(id(11), key("a"), step(0)).into(),
            Fact::Step(id(11), key("a"), changed.clone()).into(),
            Fact::Callback(member_callback("w", "a", "lost", 80)).into(),
            gone.into(),
            Fact::Member(member("w", 81)).into(),
            Fact::Callback(member_callback("w", "b", "kept", 82)).into(),
            state(Some(put("first"))),
            state(Some(put("second"))),
            state(None),
        ])
        .unwrap();
    let loaded = journal.load().unwrap();
    assert_eq!(loaded.facts.next_sequence, 91);
    assert_eq!(loaded.facts.rotations[0].1[0], changed);
    assert_eq!(loaded.facts.members, [member("v", 2), member("w", 81)]);
    let kept = [member_callback("w", "b", "kept", 82)];
    assert_eq!(loaded.facts.callbacks, kept);
    let expected = Loaded::Record(record(Some("second")));
    assert_eq!(journal.load_state(&key("a")), expected);
}

#[test]
fn a_callback_that_is_removed_leaves_the_others() {
    let repo = filled();
    let mut journal = open(&repo);
    let (worker, key, callback) = (worker("w"), key("a"), callback("c0"));
    let gone = Fact::CallbackGone {
        worker,
        key,
        callback,
    };
    journal.write(&[gone.into()]).unwrap();
    let left = [member_callback("w", "a", "c1", 4)];
    assert_eq!(journal.load().unwrap().facts.callbacks, left);
}

#[test]
fn a_step_that_joins_later_is_one_of_the_plan() {
    let repo = filled();
    let mut journal = open(&repo);
    let fact = Fact::Step(id(12), key("b"), step(2));
    journal.write(&[fact.into()]).unwrap();
    let loaded = journal.load().unwrap();
    assert_eq!(loaded.facts.rotations[1].1, [step(0), step(1), step(2)]);
}

#[test]
fn the_largest_keys_are_kept() {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    let value = SecretKeyValue::new(vec![7; MAX_VALUE_BYTES]);
    let largest = SecretKeyPair::new(value.clone(), value.clone());
    let header = header(1, "k");
    let mut facts = accepted(&header);
    facts[2].attached = Attached::Keys {
        old: Some(largest.clone()),
        new: Some(largest.clone()),
    };
    journal.write(&facts).unwrap();
    let secrets = &journal.load().unwrap().secrets[&header.id];
    assert_eq!(secrets.old.as_ref(), Some(&largest));
    let sizes = in_space(&repo, Space::Rotations);
    let largest = sizes.iter().map(|(_, value)| value.len()).max().unwrap();
    assert!(largest < 2 * MAX_VALUE_BYTES + OVERHEAD_BYTES + 16);
}

#[test]
fn what_was_declared_last_is_remembered_and_not_changed_by_an_earlier_rotation() {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    let first = header(1, "k");
    let mut second = header(2, "k");
    second.declared.old = Some([[8; 32], [9; 32]]);
    journal.write(&accepted(&first)).unwrap();
    assert_eq!(journal.last_declared(&key("k")).unwrap(), first.declared);
    journal.write(&accepted(&second)).unwrap();
    let overtaken = Header {
        overtaken: true,
        ..first
    };
    journal.write(&[Fact::Rotation(overtaken).into()]).unwrap();
    assert_eq!(journal.last_declared(&key("k")).unwrap(), second.declared);
    assert_eq!(
        journal.last_declared(&key("l")).unwrap(),
        Declared::default()
    );
}

#[test]
fn facts_that_do_not_fit_together_write_nothing() {
    let repo = filled();
    let mut journal = open(&repo);
    let before = content(&repo);
    let new = header(20, "n");
    let no_old = Attached::Keys {
        old: None,
        new: Some(pair("new")),
    };
    let begins = Header {
        begun: true,
        ..header(12, "b")
    };
    let wrong: [Vec<JournalFact>; 6] = [
        vec![Fact::Rotation(new.clone()).into()],
        vec![
            Fact::Rotation(new.clone()).into(),
            Fact::Keys(new.id).into(),
        ],
        vec![
            Fact::Rotation(new.clone()).into(),
            JournalFact::new(Fact::Keys(new.id), no_old),
        ],
        vec![Fact::Step(new.id, new.key.clone(), step(0)).into()],
        vec![Fact::Rotation(begins).into()],
        vec![JournalFact::new(
            Fact::NextSequence(99),
            Attached::Snapshot(snapshot()),
        )],
    ];
    for facts in wrong {
        let error = journal.write(&facts).unwrap_err();
        assert_eq!(error.code(), "incomplete_facts", "{facts:?}");
    }
    assert_eq!(content(&repo), before);
    journal.write(&accepted(&new)).unwrap();
}

#[test]
fn a_record_that_is_too_large_is_refused_and_nothing_is_written() {
    let repo = filled();
    let mut journal = open(&repo);
    let before = content(&repo);
    let mut large = step(0);
    large.error = Some("x".repeat(5 * 1024 * 1024));
    let fact = Fact::Step(id(11), key("a"), large);
    let error = journal.write(&[fact.into()]).unwrap_err();
    assert_eq!(error.code(), "record_too_large");
    assert_eq!(content(&repo), before);
}
