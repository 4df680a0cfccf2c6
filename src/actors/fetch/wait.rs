//! Whether a fetch waits for a thread, and giving it up while it does.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// Whether the fetch that is under way waits for a thread.
#[derive(Default)]
pub(super) struct ThreadWait(Mutex<Wait>);

#[derive(Default)]
enum Wait {
    #[default]
    DoesNot,
    /// It waits until this is dropped.
    Until { _end: oneshot::Sender<()> },
    /// It is not to begin: its answer is not wanted any more.
    GivenUp,
}

impl ThreadWait {
    /// A fetch begins.
    pub(super) fn begin(&self) {
        drop(self.set(Wait::DoesNot));
    }

    /// Ends the wait for a thread, also one that has not begun yet.
    pub(super) fn give_up(&self) {
        drop(self.set(Wait::GivenUp));
    }

    /// The fetch waits: what ends when it is given up; none if it was already.
    pub(super) fn wait(&self) -> Option<oneshot::Receiver<()>> {
        let (end, is_given_up) = oneshot::channel();
        match self.set(Wait::Until { _end: end }) {
            Wait::GivenUp => None,
            Wait::DoesNot | Wait::Until { .. } => Some(is_given_up),
        }
    }

    fn set(&self, state: Wait) -> Wait {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, state)
    }
}
