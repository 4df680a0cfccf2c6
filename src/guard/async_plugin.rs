//! One async plug-in, from its making to its drop, and the watch on whether it blocks its thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;

use super::fault::Fault;
use super::foreign_call::{Fenced, Over};
use super::this_thread::{Inside, Role};
use super::timer::Timer;

/// How long a plug-in that has passed its limit is in one and the same poll, or drop, before it is
/// said to block its thread. It is looked at so often until it has been dropped, for which it may
/// wait long: all threads may be taken.
const IS_BLOCKED_AFTER: Duration = Duration::from_millis(100);

/// Calls `blocks` soon after the plug-in begins to block its thread, if it does.
pub(super) fn blocks_beyond(
    timer: &Timer,
    watch: Arc<Watch>,
    blocks: impl FnOnce() + Send + 'static,
) {
    let seen = watch.inside();
    let of_next = timer.clone();
    let look = move |passed: bool| {
        if !passed || watch.is_gone() {
        } else if seen.is_some() && watch.is_blocked(seen) {
            blocks();
        } else {
            blocks_beyond(&of_next, watch, blocks);
        }
    };
    timer.limit(IS_BLOCKED_AFTER, look).keep();
}

/// Tells whether a plug-in is being polled.
pub(super) struct Watch {
    polling: Mutex<Polling>,
    blocked: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Polling {
    number: u64,
    is_inside: bool,
    is_blocked: bool,
    is_gone: bool,
}

impl Watch {
    /// A watch on a plug-in that counts in `blocked` while it blocks a thread.
    pub(super) fn new(blocked: &Arc<AtomicUsize>) -> Self {
        Self {
            polling: Mutex::default(),
            blocked: Arc::clone(blocked),
        }
    }

    fn polling<T>(&self, change: impl FnOnce(&mut Polling) -> T) -> T {
        change(&mut self.polling.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it is being polled now.
    pub(super) fn is_inside(&self) -> bool {
        self.inside().is_some()
    }

    /// Whether it has been dropped.
    fn is_gone(&self) -> bool {
        self.polling(|polling| polling.is_gone)
    }

    /// The number of the poll that it is in.
    fn inside(&self) -> Option<u64> {
        self.polling(|polling| polling.is_inside.then_some(polling.number))
    }

    /// Counts its thread as blocked until it comes out of this poll, if it is in it still.
    fn is_blocked(&self, poll: Option<u64>) -> bool {
        self.polling(|polling| {
            let is_in_it = polling.is_inside && poll == Some(polling.number);
            if is_in_it && !polling.is_blocked {
                polling.is_blocked = true;
                self.blocked.fetch_add(1, Ordering::SeqCst);
            }
            is_in_it
        })
    }

    fn enter(&self) -> Inwards<'_> {
        self.polling(|polling| {
            polling.number += 1;
            polling.is_inside = true;
        });
        Inwards(self)
    }
}

/// A poll, until it is dropped.
struct Inwards<'a>(&'a Watch);

impl Drop for Inwards<'_> {
    fn drop(&mut self) {
        self.0.polling(|polling| {
            polling.is_inside = false;
            if std::mem::take(&mut polling.is_blocked) {
                self.0.blocked.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
}

/// An async plug-in from its making to its drop, all of it inside the guard.
pub(super) struct AsyncPlugin<M, F> {
    fenced: Fenced<Stage<M, F>>,
    watch: Arc<Watch>,
    tokio: Handle,
}

enum Stage<M, F> {
    ToMake(M),
    Made(Pin<Box<F>>),
}

impl<M, F> Stage<M, F> {
    fn is_to_make(&self) -> bool {
        matches!(self, Self::ToMake(_))
    }
}

impl<M, F> AsyncPlugin<M, F> {
    /// A plug-in that `make` begins when it is first polled.
    pub(super) fn new(role: Role, make: M, over: Over, watch: Arc<Watch>, tokio: Handle) -> Self {
        Self {
            fenced: Fenced::new(Inside::Async(role), Stage::ToMake(make), over),
            watch,
            tokio,
        }
    }

    /// Runs a piece of it. Its tokio is left inside the guard, because leaving it panics where the
    /// plug-in has entered another one and has not left that.
    fn inside<T>(&mut self, run: impl FnOnce(&mut Option<Stage<M, F>>) -> T) -> Result<T, Fault> {
        let (_inside, tokio) = (self.watch.enter(), &self.tokio);
        self.fenced.with(|stage| {
            let _tokio = tokio.enter();
            run(stage)
        })
    }

    /// Drops it. A panic in that is passed over, because no caller is left to be told.
    fn clear(&mut self) {
        drop(self.inside(|stage| drop(stage.take())));
    }
}

/// Nothing in it is pinned but what is pinned in its box.
impl<M, F> Unpin for AsyncPlugin<M, F> {}

impl<M: FnOnce() -> F, F: Future> Future for AsyncPlugin<M, F> {
    type Output = Result<F::Output, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The future stays where it is while it is polled: dropped by a panic that unwinds, it could
        // panic again and end the process.
        let polled = self.inside(|stage| {
            if let Some(Stage::ToMake(make)) = stage.take_if(|stage| stage.is_to_make()) {
                *stage = Some(Stage::Made(Box::pin(make())));
            }
            match stage {
                Some(Stage::Made(future)) => future.as_mut().poll(context).map(Ok),
                Some(Stage::ToMake(_)) | None => Poll::Ready(Err(Fault::Gone)),
            }
        });
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(fault) => Err(fault),
        };
        self.clear();
        Poll::Ready(result)
    }
}

impl<M, F> Drop for AsyncPlugin<M, F> {
    fn drop(&mut self) {
        self.clear();
        self.watch.polling(|polling| polling.is_gone = true);
    }
}
