//! Keeping the history: read once, pruned by age and count, one rotation at a time.

use std::time::Duration;

use keyward::journal::tidy::Tidied;
use keyward::rotation::retention::HistoryLimits;

use super::*;

const DAY_MS: u64 = 86_400_000;
const FOR_EVER: HistoryLimits = HistoryLimits {
    max_age: None,
    max_count: None,
};

fn at_most(count: u64) -> HistoryLimits {
    HistoryLimits {
        max_count: Some(count),
        ..FOR_EVER
    }
}

fn days(days: u64) -> HistoryLimits {
    HistoryLimits {
        max_age: Some(Duration::from_millis(days * DAY_MS)),
        ..FOR_EVER
    }
}

/// A rotation that was accepted and has ended on these days.
fn end(journal: &mut Journal, number: u64, accepted: u64, ended: u64) {
    let header = Header {
        accepted_ms: accepted * DAY_MS,
        ..header(number, "k")
    };
    journal.write(&super::accepted(&header)).unwrap();
    let header = Header {
        state: RotationState::Completed,
        ended_ms: Some(ended * DAY_MS),
        ..header
    };
    let fact = Fact::Ended(header, vec![step(0), step(1)]);
    journal.write(&[fact.into()]).unwrap();
}

/// Tidies until nothing is left to be done; answers what was pruned.
fn tidy(journal: &mut Journal, limits: &HistoryLimits, day: u64) -> Vec<RotationId> {
    let mut pruned = Vec::new();
    loop {
        match journal.tidy(limits, day * DAY_MS).unwrap() {
            Tidied::Read => {}
            Tidied::Pruned(id) => pruned.push(id),
            Tidied::Nothing => return pruned,
        }
    }
}

fn remembered(journal: &Journal) -> Vec<u64> {
    let history = journal.history(10_000, None).unwrap();
    assert!(history.unreadable.is_empty());
    history.rotations.iter().map(|r| r.sequence).collect()
}

fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<RotationId> {
    numbers.into_iter().map(|n| id(n.into())).collect()
}

#[test]
fn beyond_the_count_what_was_declared_first_is_pruned_first() {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    (1..=300).for_each(|number| end(&mut journal, number, 1, 1));
    assert_eq!(tidy(&mut journal, &at_most(300), 2), []);
    assert_eq!(tidy(&mut journal, &at_most(298), 2), ids([1, 2]));
    end(&mut journal, 301, 1, 1);
    assert_eq!(tidy(&mut journal, &at_most(298), 2), ids([3]));
    // Another life counts anew, and what ends while it does is counted once.
    let mut journal = open(&repo);
    journal.tidy(&at_most(298), 2 * DAY_MS).unwrap();
    (302..=304).for_each(|number| end(&mut journal, number, 1, 1));
    assert_eq!(tidy(&mut journal, &at_most(298), 2), ids([4, 5, 6]));
    assert_eq!(remembered(&journal).len(), 298);
}

#[test]
fn a_pruned_rotation_leaves_nothing_behind_and_its_id_is_a_new_one() {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    end(&mut journal, 1, 1, 1);
    assert!(!in_space(&repo, Space::History).is_empty());
    assert_eq!(tidy(&mut journal, &at_most(0), 1), ids([1]));
    assert!(in_space(&repo, Space::History).is_empty());
    assert_eq!(journal.find_ended(id(1)).unwrap(), None);
    end(&mut journal, 1, 1, 1);
    assert_eq!(remembered(&journal), [1]);
}

#[test]
fn what_ended_too_long_ago_is_pruned_and_what_was_declared_long_ago_and_ended_late_is_not() {
    let mut journal = open(&MemoryRepo::new());
    for (number, ended) in [(1, 50), (2, 2), (3, 3), (4, 51)] {
        end(&mut journal, number, number, ended);
    }
    (5..60).for_each(|day| end(&mut journal, day, day, day));
    assert_eq!(tidy(&mut journal, &days(30), 35), ids([2, 3]));
    assert_eq!(tidy(&mut journal, &days(30), 36), ids([5]));
    assert_eq!(tidy(&mut journal, &FOR_EVER, 10_000), []);
    // A clock that is behind prunes nothing.
    assert_eq!(tidy(&mut journal, &days(0), 0), []);
    assert_eq!(tidy(&mut journal, &days(30), 10_000).len(), 56);
    assert!(remembered(&journal).is_empty());
}

#[test]
fn what_has_not_ended_and_what_cannot_be_read_is_never_pruned() {
    let repo = filled();
    let mut journal = open(&repo);
    (20..30).for_each(|number| end(&mut journal, number, 1, 1));
    let place = |number: u128| {
        let all = in_space(&repo, Space::History).into_iter();
        let id = id(number);
        let mut of_it = all.filter(|(place, _)| place[1..].starts_with(id.as_uuid().as_bytes()));
        of_it.next().expect("its header").0
    };
    overwrite(&repo, Space::History, &place(20), b"\x01damaged");
    overwrite(&repo, Space::Quarantine, b"aside", b"kept");
    let before = content(&repo);
    assert_eq!(
        tidy(&mut journal, &at_most(0), 9),
        ids([10].into_iter().chain(21..30))
    );
    let left = content(&repo);
    for ((space, key), value) in &before {
        if !matches!(space, Space::History | Space::Meta) {
            assert_eq!(left.get(&(*space, key.clone())), Some(value));
        }
    }
    let history = journal.history(100, None).unwrap();
    let unreadable: Vec<_> = history.unreadable.iter().map(|u| u.id).collect();
    assert_eq!((history.rotations.len(), unreadable), (0, ids([20])));
    assert_eq!(journal.load().unwrap().facts.rotations.len(), 2);
}

#[test]
fn a_rotation_is_pruned_whole_or_not_at_all_whatever_becomes_of_the_write() {
    for (how, made) in [(unknown::FAIL_BEFORE, false), (unknown::FAIL_AFTER, true)] {
        let repo = Arc::new(unknown::Failing::default());
        let mut journal = open_on(Arc::clone(&repo) as Arc<dyn StateRepo>, 1).unwrap();
        (1..=3).for_each(|number| end(&mut journal, number, 1, 1));
        while journal.tidy(&at_most(3), DAY_MS).unwrap() != Tidied::Nothing {}
        repo.fail_next(how);
        let error = journal.tidy(&at_most(2), DAY_MS).unwrap_err();
        assert_eq!(error.code(), "write_unknown");
        assert!(journal.tidy(&at_most(2), DAY_MS).is_err(), "in doubt");
        journal.reopen().unwrap();
        assert_eq!(
            remembered(&journal),
            if made { vec![3, 2] } else { vec![3, 2, 1] }
        );
        assert_eq!(tidy(&mut journal, &at_most(2), 1).len(), usize::from(!made));
        assert_eq!(remembered(&journal), [3, 2]);
    }
}

#[test]
fn rotations_that_were_declared_while_the_clock_was_ahead_keep_no_others_from_being_pruned() {
    let repo = MemoryRepo::new();
    let mut journal = open(&repo);
    (1..=5).for_each(|number| end(&mut journal, number, 4_000, 4_000));
    (6..=8).for_each(|number| end(&mut journal, number, 1, 1));
    end(&mut journal, 9, 100, 100);
    assert_eq!(tidy(&mut journal, &days(10), 100), ids([6, 7, 8]));
    assert_eq!(tidy(&mut journal, &days(10), 100), []);
    assert_eq!(tidy(&mut journal, &days(10), 0), []);
}
