//! The stores of new keys that changes of one key bring: one of them is asked at a time, so that stores that
//! hang hold one thread a key, however often a change is declared.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::actors::fetch::fetch_end::FetchEnd;
use crate::guard::plugins::Plugins;

/// The turns of those requests that ask a store of new keys: one at a time. The semaphore is closed while a store that passed its limit
/// has not returned.
pub struct NewKeysTurns {
    turns: Mutex<Arc<Semaphore>>,
}

impl Default for NewKeysTurns {
    fn default() -> Self {
        let turns = Mutex::new(Arc::new(Semaphore::new(1)));
        Self { turns }
    }
}

/// The turn of one change.
pub struct NewKeysTurn {
    of: Arc<NewKeysTurns>,
    all: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
}

impl NewKeysTurns {
    /// Waits for a turn; none within the limit, or at once where a store has passed its limit and has not
    /// returned.
    pub async fn take(self: &Arc<Self>, plugins: &Plugins, limit: Duration) -> Option<NewKeysTurn> {
        let all = Arc::clone(&self.turns.lock().unwrap_or_else(PoisonError::into_inner));
        let permit = plugins.within(limit, Arc::clone(&all).acquire_owned());
        Some(NewKeysTurn {
            of: Arc::clone(self),
            _permit: permit.await?.ok()?,
            all,
        })
    }
}

impl NewKeysTurn {
    /// The store has answered, or passed its limit: then no other has its turn before it has returned.
    pub fn end(self, end: &mut FetchEnd, plugins: &Plugins) {
        let Some(returned) = end.still_running.take() else {
            return;
        };
        self.all.close();
        plugins.run_own(async move {
            let _how = returned.await;
            let turns = Arc::new(Semaphore::new(1));
            *self.of.turns.lock().unwrap_or_else(PoisonError::into_inner) = turns;
        });
    }
}
