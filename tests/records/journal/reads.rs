//! What a write has to read first: nothing that this life has written or read whole itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyward::repo::error::RepoError;

use super::*;

/// A repo that counts what is read of the records of rotations and of what was declared.
#[derive(Default)]
struct Counting {
    repo: MemoryRepo,
    reads: AtomicUsize,
}

impl Counting {
    fn count(&self, space: Space) {
        if matches!(space, Space::Rotations | Space::Keys) {
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn reads_of(&self, what: impl FnOnce()) -> usize {
        self.reads.store(0, Ordering::SeqCst);
        what();
        self.reads.load(Ordering::SeqCst)
    }
}

impl StateRepo for Counting {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.count(space);
        self.repo.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), RepoError> {
        self.count(space);
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.repo.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.repo.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}

#[test]
fn the_steps_of_a_rotation_are_written_without_reading_what_is_known() {
    let repo = Arc::new(Counting::default());
    let open = || open_on(Arc::clone(&repo) as Arc<dyn StateRepo>, 1).unwrap();
    let mut journal = open();
    let header = header(1, "k");
    journal.write(&accepted(&header)).unwrap();
    let facts = [Fact::Step(header.id, header.key, step(0)).into()];
    let write = |journal: &mut Journal| assert!(journal.write(&facts).is_ok());
    assert_eq!(
        repo.reads_of(|| write(&mut journal)),
        0,
        "this life accepted it"
    );
    drop(journal);
    let mut journal = open();
    assert_eq!(
        repo.reads_of(|| write(&mut journal)),
        1,
        "all of it at once"
    );
    assert_eq!(
        repo.reads_of(|| write(&mut journal)),
        0,
        "this life has read it"
    );
    journal.reopen().unwrap();
    assert_eq!(
        repo.reads_of(|| write(&mut journal)),
        1,
        "nothing is known any more"
    );
}
