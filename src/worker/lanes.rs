//! The lanes of the callbacks that run in this process, one for each worker and key: the next callback
//! of a lane is called only when the last has returned, whichever manager called it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::key::name::{KeyName, WorkerName};
use crate::worker::names;

/// The worker and key of one database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallLane {
    /// The database's random id.
    pub database: [u8; 16],
    /// The worker.
    pub worker: WorkerName,
    /// The key.
    pub key: KeyName,
}

/// The right to call a callback of a lane; dropped when the callback has really returned.
#[derive(Debug)]
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.permit.take());
        names::may_be_free();
    }
}

static LANES: LazyLock<Mutex<HashMap<CallLane, Weak<Semaphore>>>> =
    LazyLock::new(|| Mutex::new(HashMap::new()));

/// A lane: at most one of its callbacks runs.
#[derive(Clone)]
pub struct Lane(Arc<Semaphore>);

impl Lane {
    /// A lane that has nothing to do with any other one.
    #[cfg(feature = "client")]
    pub fn apart() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits until no callback of the lane runs.
    pub(crate) async fn turn(self) -> Turn {
        Turn {
            permit: self.0.acquire_owned().await.ok(),
        }
    }

    /// The turn, if no callback of the lane runs or waits for its turn.
    pub fn try_turn(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Turn {
            permit: Some(permit),
        })
    }
}

/// Whether a callback of this worker runs in this process, or is about to.
#[cfg(feature = "embedded")]
pub fn runs(database: &[u8; 16], worker: &WorkerName) -> bool {
    let lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lanes = lanes.iter();
    lanes.any(|(lane, semaphore)| {
        let is_of = lane.database == *database && lane.worker == *worker;
        is_of
            && semaphore
                .upgrade()
                .is_some_and(|lane| lane.available_permits() == 0)
    })
}

/// The lane that all managers of this process share.
pub fn of_process(lane: CallLane) -> Lane {
    let mut lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(semaphore) = lanes.get(&lane).and_then(Weak::upgrade) {
        return Lane(semaphore);
    }
    if lanes.len() >= lanes.capacity() {
        lanes.retain(|_, semaphore| semaphore.strong_count() > 0);
    }
    let semaphore = Arc::new(Semaphore::new(1));
    lanes.insert(lane, Arc::downgrade(&semaphore));
    Lane(semaphore)
}
