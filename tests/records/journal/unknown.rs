//! Writes whose outcome is unknown.

use std::sync::atomic::{AtomicU8, Ordering};

use keyward::key::state::Loaded;
use keyward::repo::error::RepoError;

use super::*;

const FINE: u8 = 0;
pub const FAIL_BEFORE: u8 = 1;
pub const FAIL_AFTER: u8 = 2;
const REFUSE: u8 = 3;

/// A repo whose next write fails, before or after it was made.
#[derive(Default)]
pub struct Failing {
    repo: MemoryRepo,
    next: AtomicU8,
}

impl Failing {
    pub fn fail_next(&self, how: u8) {
        self.next.store(how, Ordering::SeqCst);
    }
}

impl StateRepo for Failing {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.repo.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RepoError> {
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let next = self.next.swap(FINE, Ordering::SeqCst);
        if next == REFUSE {
            let reason = "a test".to_owned();
            return Err(RepoError::Unavailable { reason });
        }
        if next != FAIL_BEFORE {
            self.repo.apply(batch)?;
        }
        if next == FINE {
            return Ok(());
        }
        Err(RepoError::Failed {
            action: "writing".to_owned(),
            cause: "the disk is gone".into(),
        })
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.repo.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}

fn is_unavailable(journal: &Journal) -> bool {
    matches!(journal.load_state(&key("k")), Loaded::Unavailable { .. })
}

#[test]
fn an_unknown_write_is_found_out_after_reopening_in_one_read() {
    for (how, made) in [(FAIL_BEFORE, false), (FAIL_AFTER, true)] {
        let repo = Arc::new(Failing::default());
        let mut journal = open_on(Arc::clone(&repo) as Arc<dyn StateRepo>, 1).unwrap();
        journal.write(&[]).unwrap();
        repo.next.store(how, Ordering::SeqCst);
        let error = journal.save_state(&key("k"), &put("new")).unwrap_err();
        assert!(matches!(
            error,
            JournalError::WriteUnknown { number: 2, .. }
        ));
        assert!(is_unavailable(&journal));
        for refused in [
            journal.write(&[]).unwrap_err(),
            journal.load().unwrap_err(),
            journal.was_written(2).unwrap_err(),
            journal.history(1, None).unwrap_err(),
        ] {
            assert_eq!(refused.code(), "repo_unavailable");
        }
        journal.reopen().unwrap();
        assert_eq!(journal.was_written(2).unwrap(), made);
        let found = journal.load_state(&key("k"));
        assert_eq!(matches!(found, Loaded::Record(_)), made);
        assert_eq!(journal.write(&[]).unwrap(), if made { 3 } else { 2 });
    }
}

#[test]
fn the_next_life_can_tell_what_became_of_an_unknown_write() {
    for (how, made) in [(FAIL_BEFORE, false), (FAIL_AFTER, true)] {
        let repo = Arc::new(Failing::default());
        let mut journal = open_on(Arc::clone(&repo) as Arc<dyn StateRepo>, 1).unwrap();
        repo.next.store(how, Ordering::SeqCst);
        let error = journal.write(&[]).unwrap_err();
        assert_eq!(error.code(), "write_unknown");
        drop(journal);
        let journal = open_on(repo, 1).unwrap();
        assert_eq!(journal.was_written(1).unwrap(), made);
    }
}

#[test]
fn a_refused_write_is_not_unknown() {
    let repo = Arc::new(Failing::default());
    let mut journal = open_on(Arc::clone(&repo) as Arc<dyn StateRepo>, 1).unwrap();
    repo.next.store(REFUSE, Ordering::SeqCst);
    assert_eq!(journal.write(&[]).unwrap_err().code(), "repo_unavailable");
    assert!(!is_unavailable(&journal));
    assert_eq!(journal.write(&[]).unwrap(), 1);
}

#[test]
fn a_journal_that_was_overtaken_while_a_write_was_unknown_is_fenced() {
    let repo = Arc::new(Failing::default());
    let mut journal = open_on(Arc::clone(&repo) as Arc<dyn StateRepo>, 1).unwrap();
    repo.next.store(FAIL_AFTER, Ordering::SeqCst);
    journal.write(&[]).unwrap_err();
    let _second = open_on(repo, 1).unwrap();
    assert_eq!(journal.reopen().unwrap_err().code(), "fenced");
    assert_eq!(journal.write(&[]).unwrap_err().code(), "fenced");
}

#[test]
fn a_closed_journal_frees_its_repo() {
    let repo = MemoryRepo::new();
    let kept = Arc::new(repo.clone());
    let journal = open_on(Arc::clone(&kept) as Arc<dyn StateRepo>, 1).unwrap();
    journal.close().unwrap();
    assert!(matches!(
        kept.get(Space::Meta, b"x"),
        Err(RepoError::Closed)
    ));
    open(&repo);
}
