//! The records of stated keys.

use keyward::key::state::Loaded;
use keyward::rotation::event::StepRef;

use super::*;

fn unreadable(journal: &Journal, name: &str) -> bool {
    matches!(journal.load_state(&key(name)), Loaded::Unreadable { .. })
}

#[test]
fn a_state_is_saved_changed_and_deleted() {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    for half in [Some("one"), None, Some("two")] {
        let change = RecordChange::Put(record(half));
        journal.save_state(&key("k"), &change).unwrap();
        let expected = Loaded::Record(record(half));
        assert_eq!(open(&repo).load_state(&key("k")), expected);
        journal = open(&repo);
    }
    journal
        .save_state(&key("k"), &RecordChange::Delete)
        .unwrap();
    assert_eq!(journal.load_state(&key("k")), Loaded::Absent);
    journal
        .save_state(&key("k"), &RecordChange::Delete)
        .unwrap();
    assert!(in_space(&repo, Space::Quarantine).is_empty());
}

#[test]
fn what_replaces_an_unreadable_state_first_copies_it_to_quarantine() {
    let step = StepRef {
        rotation: id(1),
        step: 0,
    };
    let by_fact = |change| {
        let attached = Attached::Record {
            key: key("a"),
            change: Some(change),
        };
        [JournalFact::new(Fact::Record(step), attached)]
    };
    type Replace<'a> = Box<dyn Fn(&mut Journal) + 'a>;
    let ways: [Replace<'_>; 4] = [
        Box::new(|j| j.save_state(&key("a"), &put("new")).unwrap()),
        Box::new(|j| j.save_state(&key("a"), &RecordChange::Delete).unwrap()),
        Box::new(|j| assert!(j.write(&by_fact(put("new"))).is_ok())),
        Box::new(|j| assert!(j.write(&by_fact(RecordChange::Delete)).is_ok())),
    ];
    for replace in ways {
        let repo = filled();
        overwrite(&repo, Space::States, b"a", b"\x01not a record");
        let mut journal = open(&repo);
        assert!(unreadable(&journal, "a"));
        replace(&mut journal);
        assert!(!unreadable(&journal, "a"));
        let aside = in_space(&repo, Space::Quarantine);
        assert_eq!(aside.len(), 1);
        assert!(aside[0].0.ends_with(b"states/a"));
        assert_eq!(aside[0].1, b"\x01not a record");
        // A second one takes nothing's place there.
        overwrite(&repo, Space::States, b"a", b"another");
        replace(&mut journal);
        assert_eq!(in_space(&repo, Space::Quarantine).len(), 2);
    }
}

#[test]
fn a_failing_crypto_tool_is_no_unreadable_record() {
    let repo = filled();
    let journal = open(&repo);
    drop(journal);
    let database = Database::open(Arc::new(repo.clone())).unwrap();
    let tool = damage::Sometimes::new(&database.id());
    let broken = tool.broken();
    let mut journal = database.unlock(Arc::new(tool)).unwrap();
    let before = content(&repo);
    broken.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(
        journal.load_state(&key("a")),
        Loaded::Unavailable { .. }
    ));
    assert_eq!(journal.load().unwrap_err().code(), "crypto_failed");
    let error = journal.save_state(&key("a"), &put("x")).unwrap_err();
    assert_eq!(error.code(), "crypto_failed");
    assert_eq!(content(&repo), before);
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    assert!(journal.load().unwrap().unreadable.is_empty());
    journal.save_state(&key("a"), &put("x")).unwrap();
}
