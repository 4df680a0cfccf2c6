//! Lanes of callbacks: the next callback of a lane is called only when the last has returned.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[cfg(feature = "embedded")]
use crate::worker::names;

/// The right to call a callback of a lane; dropped when the callback has really returned.
#[derive(Debug)]
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.permit.take());
        #[cfg(feature = "embedded")]
        names::may_be_free();
    }
}

/// A lane: at most one of its callbacks runs.
#[derive(Clone)]
pub struct Lane(pub(super) Arc<Semaphore>);

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
    #[cfg(feature = "embedded")]
    pub fn try_turn(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Turn {
            permit: Some(permit),
        })
    }
}
