//! The repo for tests: everything in memory, shared by the clones of one repo.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::repo::batch::{Batch, Operation};
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::{StateRepo, Visitor};

type Content = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// A repo that survives as long as one of its clones.
///
/// A clone is another handle on the same content, open even if the one it was cloned from is
/// closed: a test gives a clone to each "life" of its program. Nothing keeps two handles from
/// being open at once; preconditions tell them apart.
#[derive(Default)]
pub struct MemoryRepo {
    content: Arc<Mutex<Content>>,
    closed: AtomicBool,
}

impl MemoryRepo {
    /// An empty repo.
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> Result<MutexGuard<'_, Content>, RepoError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(RepoError::Closed);
        }
        // Nothing foreign runs under this lock, so what a panicking thread left is whole.
        Ok(self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clone for MemoryRepo {
    fn clone(&self) -> Self {
        Self {
            content: Arc::clone(&self.content),
            closed: AtomicBool::new(false),
        }
    }
}

impl StateRepo for MemoryRepo {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        Ok(self.content()?.get(&(space, key.to_vec())).cloned())
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        // Copied, so that `visit` runs without the lock and sees one moment all the same.
        let found: Vec<_> = self
            .content()?
            .range((space, prefix.to_vec())..)
            .take_while(|((at, key), _)| *at == space && key.starts_with(prefix))
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in &found {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let mut content = self.content()?;
        if let Some(wanted) = batch.precondition() {
            let found = content.get(&(wanted.space, wanted.key.clone()));
            if found != wanted.expected.as_ref() {
                return Err(RepoError::PreconditionFailed {
                    space: wanted.space,
                });
            }
        }
        for operation in batch.operations() {
            match operation {
                Operation::Put { space, key, value } => {
                    content.insert((*space, key.clone()), value.clone());
                }
                Operation::Delete { space, key } => {
                    content.remove(&(*space, key.clone()));
                }
            }
        }
        Ok(())
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.content().map(drop)
    }

    fn close(&self) -> Result<(), RepoError> {
        if self.closed.swap(true, Ordering::SeqCst) {
            return Err(RepoError::Closed);
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRepo").finish_non_exhaustive()
    }
}
