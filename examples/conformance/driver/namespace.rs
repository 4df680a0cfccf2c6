//! A scenario's own part of the shared database, and the end of a life as a killed process leaves it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyward::StateRepo;
use keyward::repo::batch::{Batch, Operation};
use keyward::repo::error::RepoError;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;

/// The shared database as one life of one scenario sees it: every key has the scenario's number
/// before it. A clone is the same life.
#[derive(Clone)]
pub struct Namespace {
    shared: Arc<RocksDbRepo>,
    number: u64,
    alive: Arc<Mutex<bool>>,
}

impl Namespace {
    /// The part of the scenario of this number, in its first life.
    pub fn new(shared: Arc<RocksDbRepo>, number: u64) -> Self {
        Self {
            shared,
            number,
            alive: Arc::new(Mutex::new(true)),
        }
    }

    /// The same part in another life.
    pub fn next_life(&self) -> Self {
        Self::new(Arc::clone(&self.shared), self.number)
    }

    /// Ends this life as a killed process ends: what is written stays, and nothing more is written.
    pub fn kill(&self) {
        *self.lock() = false;
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds off a kill for as long as the answer lives, so that it falls before or after a call.
    fn living(&self) -> Result<MutexGuard<'_, bool>, RepoError> {
        let alive = self.lock();
        if *alive {
            return Ok(alive);
        }
        Err(RepoError::Unavailable {
            reason: "this life was killed".to_owned(),
        })
    }

    fn place(&self, key: &[u8]) -> Vec<u8> {
        [&self.number.to_be_bytes(), key].concat()
    }
}

impl StateRepo for Namespace {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        let _alive = self.living()?;
        self.shared.get(space, &self.place(key))
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        let _alive = self.living()?;
        let own = self.number.to_be_bytes();
        self.shared
            .scan(
                space,
                &self.place(prefix),
                &mut |place, value| match place.strip_prefix(&own) {
                    Some(key) => visit(key, value),
                    None => ControlFlow::Continue(()),
                },
            )
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let _alive = self.living()?;
        let mut placed = Batch::new();
        if let Some(wanted) = batch.precondition() {
            placed = placed.expect(
                wanted.space,
                self.place(&wanted.key),
                wanted.expected.clone(),
            );
        }
        for operation in batch.operations() {
            placed = match operation {
                Operation::Put { space, key, value } => {
                    placed.put(*space, self.place(key), value.as_slice())
                }
                Operation::Delete { space, key } => placed.delete(*space, self.place(key)),
                other => {
                    return Err(RepoError::Failed {
                        action: format!("placing {other:?}"),
                        cause: "the driver does not know this operation".into(),
                    });
                }
            };
        }
        self.shared.apply(&placed)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.living().map(drop)
    }

    /// The database is the other scenarios' too, so it stays open.
    fn close(&self) -> Result<(), RepoError> {
        Ok(())
    }
}
