//! A repo in memory that fails on command, and whose records can be spoiled.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use keyward::MemoryRepo;
use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::{StateRepo, Visitor};

/// What becomes of a call.
const MADE: u8 = 0;
const NO_ROOM: u8 = 1;
const PANICS: u8 = 2;
const UNAVAILABLE: u8 = 3;

/// Where a manager's records lie, whatever becomes of the manager.
#[derive(Clone, Default)]
pub struct Disk {
    content: MemoryRepo,
    calls: Arc<AtomicU8>,
}

impl Disk {
    /// From now on no write finds room.
    pub fn fill(&self) {
        self.calls.store(NO_ROOM, Ordering::SeqCst);
    }

    /// From now on each write panics.
    pub fn panic(&self) {
        self.calls.store(PANICS, Ordering::SeqCst);
    }

    /// From now on each call is refused.
    pub fn refuse(&self) {
        self.calls.store(UNAVAILABLE, Ordering::SeqCst);
    }

    /// Flips the last byte of every record in a space.
    pub fn spoil(&self, space: Space) {
        let mut all = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            all.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        };
        self.content.scan(space, b"", visit).expect("it is open");
        assert!(!all.is_empty(), "{space} is empty");
        for (key, mut value) in all {
            *value.last_mut().expect("a record has bytes") ^= 1;
            self.content
                .apply(&Batch::new().put(space, key, value))
                .expect("it is open");
        }
    }
}

impl StateRepo for Disk {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        if self.calls.load(Ordering::SeqCst) == UNAVAILABLE {
            return Err(unavailable());
        }
        self.content.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.content.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        match self.calls.load(Ordering::SeqCst) {
            MADE => self.content.apply(batch),
            NO_ROOM => Err(RepoError::Full {
                path: PathBuf::from("/data/000004.log"),
                cause: Box::new(io::Error::from(io::ErrorKind::StorageFull)),
            }),
            PANICS => panic!("the repo panics with {batch:?}"),
            _ => Err(unavailable()),
        }
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.content.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.content.close()
    }
}

fn unavailable() -> RepoError {
    RepoError::Unavailable {
        reason: "a test".to_owned(),
    }
}
