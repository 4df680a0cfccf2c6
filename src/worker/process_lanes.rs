//! The lanes of the callbacks that run in this process, one for each worker and key, whichever manager calls
//! them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;

use crate::key::name::{KeyName, WorkerName};
use crate::worker::lanes::Lane;

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

static LANES: LazyLock<Mutex<HashMap<CallLane, Weak<Semaphore>>>> =
    LazyLock::new(|| Mutex::new(HashMap::new()));

/// Whether a callback of this worker runs in this process, or is about to.
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
