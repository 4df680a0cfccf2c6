//! What only stores are run with: their threads, waits for a thread that have a limit, and commands.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::fault::Fault;
use super::foreign_call::Ended;
use super::plugins::Plugins;
use super::this_thread::{Inside, Role, enter};
use super::thread_pool::{ASK_AGAIN, PoolShared, Slot, ThreadPool};

/// How long a command that has passed its limit may take to be killed. One that takes longer is
/// said to hang, and keeps its place.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

impl Plugins {
    /// The threads for blocking stores of the program's.
    pub fn store_threads(&self) -> &ThreadPool {
        &self.stores
    }

    /// The threads for key files.
    pub fn file_threads(&self) -> &ThreadPool {
        &self.files
    }

    /// The threads for commands.
    pub fn command_threads(&self) -> &ThreadPool {
        &self.commands
    }

    /// Waits until the system gives async plug-ins a thread, at most for this time. It needs tokio's
    /// timers.
    ///
    /// # Errors
    /// [`Fault::ThreadRefused`] when the time has passed; [`Fault::Gone`] after a shutdown.
    pub fn async_thread_within(
        self: &Arc<Self>,
        limit: Duration,
    ) -> impl Future<Output = Result<(), Fault>> + Send + 'static + use<> {
        let plugins = Arc::clone(self);
        async move {
            let begun = std::time::Instant::now();
            loop {
                let left = limit.saturating_sub(begun.elapsed());
                match plugins.has_async_thread() {
                    Err(Fault::ThreadRefused { .. }) if left > ASK_AGAIN => {
                        sleep(ASK_AGAIN).await;
                    }
                    Err(Fault::NoThread { .. }) => return Ok(()),
                    there => return there,
                }
            }
        }
    }

    /// Runs the beginning of an async store on a thread for blocking ones, as it would be run among
    /// async ones: it must not block, and may use tokio.
    ///
    /// # Errors
    /// What [`has_async_thread`](Self::has_async_thread) answers.
    pub fn begin_here<T>(&self, role: Role, foreign: impl FnOnce() -> T) -> Result<T, Fault> {
        let threads = self.asyncs.started()?;
        let tokio = threads.tokio();
        let _tokio = tokio.enter();
        let _entered = enter(Inside::Async(role));
        Ok(foreign())
    }

    /// Runs a command, which keeps its limit itself, on its thread. When all is shut down, it is
    /// dropped.
    ///
    /// `then` is told the outcome; [`Fault::TimedOut`] only of one that has not ended though its limit
    /// passed a while ago.
    pub fn run_command<T: Send + 'static>(
        &self,
        slot: Slot,
        command: impl Future<Output = T> + Send + 'static,
        limit: Duration,
        then: impl FnOnce(Ended<T>) + Send + 'static,
    ) {
        let own = self.own.handle().clone();
        let mut ending = self.ending.subscribe();
        // The future is dropped here, on its own thread: that kills what it started.
        let run = move || {
            own.block_on(async move {
                tokio::select! {
                    biased;
                    _ = ending.wait_for(|ending| *ending) => Err(Fault::Gone),
                    answer = command => Ok(answer),
                }
            })
        };
        slot.run(run, limit.saturating_add(KILLED_WITHIN), move |run| {
            then(run.flat());
        });
    }

    /// Ends it as [`close`](Self::close) does, and waits for the threads that keep time. Only on a thread
    /// that may block.
    pub fn end(&self) {
        self.close();
        self.own.end();
        self.timer.end();
    }
}

impl ThreadPool {
    /// As [`reserve`](Self::reserve), for a call that has a limit: at most for this time, and no
    /// longer once all threads are held by calls that have passed their limits.
    ///
    /// # Errors
    /// [`Fault::NoThread`] when the time has passed, or at once where all hang;
    /// [`Fault::ThreadRefused`] when the time has passed and the system refuses a thread;
    /// [`Fault::Gone`] after a shutdown.
    pub fn reserve_within(
        &self,
        limit: Duration,
    ) -> impl Future<Output = Result<Slot, Fault>> + Send + 'static + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut late = shared.late.subscribe();
            let mut reserved = pin!(shared.reserve_until(limit));
            tokio::select! {
                biased;
                reserved = &mut reserved => reserved,
                _ = late.wait_for(|late| *late >= shared.bound) => Err(shared.no_thread()),
            }
        }
    }
}

impl PoolShared {
    async fn reserve_until(self: &Arc<Self>, limit: Duration) -> Result<Slot, Fault> {
        let Some(end) = Instant::now().checked_add(limit) else {
            return self.reserve().await;
        };
        loop {
            let reserved = timeout_at(end, self.reserve()).await;
            match reserved.unwrap_or_else(|_| Err(self.no_thread())) {
                Err(Fault::ThreadRefused { .. }) if Instant::now() + ASK_AGAIN < end => {
                    sleep(ASK_AGAIN).await;
                }
                reserved => return reserved,
            }
        }
    }
}
