//! Async plug-ins, from their making to their drop, on threads that start with the first of them, and
//! the watch on those that block their thread.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_task::Task;
use tokio::runtime::Handle;

use super::background::Background;
use super::clock::Clock;
use super::executor::Executor;
use super::fault::Fault;
use super::place::{Inside, Role};
use super::run::{Answer, Fenced, Over};

/// How long a plug-in that has passed its limit is in one and the same poll, or drop, before it is
/// said to block its thread. It is looked at so often until it has been dropped, for which it may
/// wait long: all threads may be taken.
const IS_BLOCKED_AFTER: Duration = Duration::from_millis(100);

/// The threads of async plug-ins, once one is there.
pub(super) struct AsyncThreads {
    bound: usize,
    state: Mutex<State>,
}

enum State {
    NotYet,
    Started(Arc<Started>),
    Closed,
}

/// The threads, and the tokio runtimes in whose context they poll.
pub(super) struct Started {
    bound: usize,
    executor: Executor,
    first: Background,
    /// Those that were started because what plug-ins had spawned blocked the others.
    more: Mutex<Vec<Background>>,
    /// How many threads are blocked by plug-ins that have passed their limits.
    blocked: Arc<AtomicUsize>,
}

impl AsyncThreads {
    /// At most so many threads, none of them started yet.
    pub(super) fn new(bound: usize) -> io::Result<Self> {
        if bound == 0 {
            let text = "0 threads for async plug-ins; allow at least 1";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let state = Mutex::new(State::NotYet);
        Ok(Self { bound, state })
    }

    /// The threads, of which at least one is there.
    pub(super) fn started(&self) -> Result<Arc<Started>, Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Started(started) => Ok(Arc::clone(started)),
            State::Closed => Err(Fault::Gone),
            State::NotYet => {
                let refused = |error: io::Error| Fault::ThreadRefused {
                    why: error.to_string(),
                };
                let started = Arc::new(Started::start(self.bound).map_err(refused)?);
                *state = State::Started(Arc::clone(&started));
                Ok(started)
            }
        }
    }

    /// Ends the threads. Nothing is started any more.
    pub(super) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Closed);
        drop(state);
        if let State::Started(started) = before {
            started.executor.close();
            started.first.close();
            let more = started.more.lock();
            let more = more.unwrap_or_else(PoisonError::into_inner);
            more.iter().for_each(Background::close);
        }
    }
}

impl Started {
    fn start(bound: usize) -> io::Result<Self> {
        let first = Background::start("keyward-tokio")?;
        Ok(Self {
            bound,
            executor: Executor::start(bound).inspect_err(|_| first.close())?,
            first,
            more: Mutex::default(),
            blocked: Arc::default(),
        })
    }

    /// The runtime of the timers and sockets of a plug-in that begins, and of what it spawns. What is
    /// spawned may block its thread as well; then the next plug-in gets another one.
    pub(super) fn tokio(&self) -> Handle {
        if self.first.goes_on() {
            return self.first.handle().clone();
        }
        let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = more.iter().find(|one| one.goes_on()) {
            return one.handle().clone();
        }
        if more.len() + 1 < self.bound
            && let Ok(one) = Background::start("keyward-tokio")
        {
            let handle = one.handle().clone();
            more.push(one);
            return handle;
        }
        self.first.handle().clone()
    }

    /// Whether not all threads are blocked.
    pub(super) fn is_left(&self) -> Result<(), Fault> {
        let threads = self.bound;
        match self.blocked.load(Ordering::SeqCst) < threads {
            true => Ok(()),
            false => Err(Fault::NoThread { threads }),
        }
    }

    /// Begins a plug-in. Dropping the task gives it up.
    pub(super) fn spawn<M, F>(
        &self,
        role: Role,
        make: M,
        answer: Answer<F::Output>,
        over: Over,
    ) -> (Task<()>, Arc<Watch>)
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output: Send> + Send + 'static,
    {
        let watch = Arc::new(Watch {
            polling: Mutex::default(),
            blocked: Arc::clone(&self.blocked),
        });
        let mut plugin = AsyncPlugin {
            fenced: Fenced::new(Inside::Async(role), Stage::ToMake(make), over),
            watch: Arc::clone(&watch),
            tokio: self.tokio(),
        };
        let task = self.executor.spawn(async move {
            answer.give((&mut plugin).await);
            drop(plugin);
        });
        (task, watch)
    }
}

/// Calls `blocks` soon after the plug-in begins to block its thread, if it does.
pub(super) fn blocks_beyond(
    clock: &Clock,
    watch: Arc<Watch>,
    blocks: impl FnOnce() + Send + 'static,
) {
    let seen = watch.inside();
    let of_next = clock.clone();
    let look = move |passed: bool| {
        if !passed || watch.is_gone() {
        } else if seen.is_some() && watch.is_blocked(seen) {
            blocks();
        } else {
            blocks_beyond(&of_next, watch, blocks);
        }
    };
    clock.limit(IS_BLOCKED_AFTER, look).keep();
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
struct AsyncPlugin<M, F> {
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
    /// Runs a piece of it. Its tokio is left inside the guard, because leaving it panics where the
    /// plug-in has entered another one and has not left that.
    fn inside<T>(&mut self, run: impl FnOnce(&mut Option<Stage<M, F>>) -> T) -> Result<T, Fault> {
        let (_inside, tokio) = (self.watch.enter(), &self.tokio);
        self.fenced.with(|stage| {
            let _tokio = tokio.enter();
            run(stage)
        })
    }

    /// Drops it. A panic in that is passed over, because nobody is left to be told.
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
