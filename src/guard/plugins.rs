//! Where foreign code runs: keyward's own runtime for async stores and callbacks, and the threads
//! for blocking ones.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::clock::Clock;
use super::fault::Fault;
use super::place::{Inside, Role, enter, mark_plugin_thread};
use super::run::{Ended, Fenced, Over, call};
use super::threads::ThreadPool;

/// How many threads the runtime of async stores and callbacks has.
pub(super) const ASYNC_THREADS: usize = 2;

/// How many calls of blocking foreign code may be under way at once, hung ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginThreads {
    /// Threads for blocking stores: 64 unless it is set.
    pub stores: usize,
    /// Threads for blocking callbacks: 256 unless it is set.
    pub callbacks: usize,
}

impl Default for PluginThreads {
    fn default() -> Self {
        Self {
            stores: 64,
            callbacks: 256,
        }
    }
}

/// All that runs foreign code. Dropping it, on any thread, waits for nothing: async plug-ins are
/// dropped at their next await, blocking ones run on, and who waits for either sees
/// [`Fault::Gone`].
pub struct Plugins {
    runtime: Background,
    clock: Clock,
    stores: ThreadPool,
    callbacks: ThreadPool,
}

impl Plugins {
    /// Starts the runtime and its clock. Threads for blocking code start when they are needed.
    ///
    /// # Errors
    /// The system refuses a thread, or a bound is 0.
    pub fn start(threads: PluginThreads) -> io::Result<Self> {
        // A clock of its own, on which no foreign code runs: async plug-ins that block all the
        // threads of their runtime would stop the clock that ends their time.
        let clock = Clock::start()?;
        Self::with(&clock, threads).inspect_err(|_| clock.close())
    }

    fn with(clock: &Clock, threads: PluginThreads) -> io::Result<Self> {
        let runtime = Background::start(
            Builder::new_multi_thread()
                .worker_threads(ASYNC_THREADS)
                .thread_name("keyward-plugin")
                .on_thread_start(mark_plugin_thread)
                .enable_all(),
        )?;
        Ok(Self {
            stores: ThreadPool::new(Role::Store, threads.stores, clock.clone())?,
            callbacks: ThreadPool::new(Role::Callback, threads.callbacks, clock.clone())?,
            runtime,
            clock: clock.clone(),
        })
    }

    /// The threads for blocking stores.
    pub fn store_threads(&self) -> &ThreadPool {
        &self.stores
    }

    /// The threads for blocking callbacks.
    pub fn callback_threads(&self) -> &ThreadPool {
        &self.callbacks
    }

    /// Starts an async store or callback on keyward's own runtime. `make` is foreign too, and is
    /// called there.
    ///
    /// When the limit passes, the outcome is [`Fault::TimedOut`] at once, and the future is dropped
    /// at its next await, after which [`Ended::returned`] ends. `then` is told the outcome on the
    /// thread that has it, which may be the one that keeps all limits: it must be quick.
    pub fn run_async<T, F>(
        &self,
        role: Role,
        make: impl FnOnce() -> F + Send + 'static,
        limit: Duration,
        then: impl FnOnce(Ended<T>) + Send + 'static,
    ) where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, over, time) = call(then);
        let mut foreign = Foreign::new(role, make, over);
        let task = self.runtime.handle.spawn(async move {
            answer.give((&mut foreign).await);
            drop(foreign);
        });
        time.begin(&self.clock, limit, move || task.abort());
    }

    /// Runs the beginning of an async store on a thread for blocking ones, as the runtime would run
    /// it: it must not block, and may use tokio.
    pub fn begin_here<T>(&self, role: Role, foreign: impl FnOnce() -> T) -> T {
        let _runtime = self.runtime.handle.enter();
        let _entered = enter(Inside::Async(role));
        foreign()
    }
}

impl Plugins {
    /// Ends what runs foreign code, as dropping it does, while others may still hold it.
    pub fn close(&self) {
        self.stores.close();
        self.callbacks.close();
        self.runtime.close();
        self.clock.close();
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.close();
    }
}

/// A runtime whose drop does not wait, so that it may happen anywhere, on its own threads too.
struct Background {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Background {
    fn start(builder: &mut Builder) -> io::Result<Self> {
        let runtime = builder.build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
        })
    }

    fn close(&self) {
        let runtime = {
            let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
            runtime.take()
        };
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.close();
    }
}

/// An async plug-in from its making to its drop, all of it inside the guard.
struct Foreign<M, F> {
    fenced: Fenced<Stage<M, F>>,
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

impl<M: FnOnce() -> F, F: Future> Foreign<M, F> {
    fn new(role: Role, make: M, over: Over) -> Self {
        Self {
            fenced: Fenced::new(Inside::Async(role), Stage::ToMake(make), over),
        }
    }
}

/// Nothing in it is pinned but what is pinned in its box.
impl<M, F> Unpin for Foreign<M, F> {}

impl<M: FnOnce() -> F, F: Future> Future for Foreign<M, F> {
    type Output = Result<F::Output, Fault>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The future stays in its place while it is polled: dropped by a panic that unwinds, it
        // could panic again and end the process.
        let polled = self.fenced.with(|stage| {
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
        self.fenced.clear();
        Poll::Ready(result)
    }
}
