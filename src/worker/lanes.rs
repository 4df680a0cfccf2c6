//! The lanes of the callbacks that run in this process, one for each worker and key: the next callback
//! of a lane is called only when the last has returned, whichever manager called it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::key::name::{KeyName, WorkerName};

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
    _permit: Option<OwnedSemaphorePermit>,
}

static LANES: LazyLock<Mutex<HashMap<CallLane, Weak<Semaphore>>>> =
    LazyLock::new(|| Mutex::new(HashMap::new()));

/// Waits until no callback of the lane runs.
pub async fn turn(lane: CallLane) -> Turn {
    let semaphore = of(lane);
    Turn {
        _permit: semaphore.acquire_owned().await.ok(),
    }
}

/// The turn, if no callback of the lane runs or waits for its turn.
pub fn try_turn(lane: &CallLane) -> Option<Turn> {
    let permit = of(lane.clone()).try_acquire_owned().ok()?;
    Some(Turn {
        _permit: Some(permit),
    })
}

fn of(lane: CallLane) -> Arc<Semaphore> {
    let mut lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(semaphore) = lanes.get(&lane).and_then(Weak::upgrade) {
        return semaphore;
    }
    if lanes.len() >= lanes.capacity() {
        lanes.retain(|_, semaphore| semaphore.strong_count() > 0);
    }
    let semaphore = Arc::new(Semaphore::new(1));
    lanes.insert(lane, Arc::downgrade(&semaphore));
    semaphore
}
