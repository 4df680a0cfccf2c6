//! Where plug-ins run, and keyward's own stores: no thread is of both, so that foreign code that
//! blocks every thread that it may block stops neither keys from files nor clocks.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::async_plugin::blocks_beyond;
use super::async_pool::AsyncPool;
use super::fault::Fault;
use super::foreign_call::{Ended, call};
use super::runtime::RuntimeThread;
use super::this_thread::{Inside, Role, enter};
use super::thread_pool::{ASK_AGAIN, Slot, ThreadKind, ThreadPool};
use super::timer::Timer;

/// How long a command that has passed its limit may take to be killed. One that takes longer is
/// said to hang, and keeps its place.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// How many calls of each kind may be under way at once, hung ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginThreads {
    /// Threads for blocking stores: 64 unless it is set. Key files have as many of their own.
    pub stores: usize,
    /// Commands: 64 unless it is set.
    pub commands: usize,
    /// Threads for blocking callbacks: 256 unless it is set.
    pub callbacks: usize,
    /// Threads that all async stores and callbacks share: 8 unless it is set.
    pub asyncs: usize,
}

impl Default for PluginThreads {
    fn default() -> Self {
        Self {
            stores: 64,
            commands: 64,
            callbacks: 256,
            asyncs: 8,
        }
    }
}

/// All that runs foreign code, and keyward's own stores. Dropping it, on any thread, waits for
/// nothing: async plug-ins are dropped at their next await, blocking ones run on, and a caller that waits for
/// either sees [`Fault::Gone`].
pub struct Plugins {
    timer: Timer,
    asyncs: AsyncPool,
    stores: ThreadPool,
    callbacks: ThreadPool,
    /// Where the timers and pipes of keyward's own stores are.
    own: RuntimeThread,
    files: ThreadPool,
    commands: ThreadPool,
    ending: watch::Sender<bool>,
}

impl Plugins {
    /// Starts the threads that keep time. All other threads start when they are needed.
    ///
    /// # Errors
    /// The system refuses a thread or a descriptor, or a bound is 0.
    pub fn start(threads: PluginThreads) -> io::Result<Self> {
        // The timer has a thread of its own, on which no foreign code runs: plug-ins that block all their
        // threads would stop what ends their time.
        let timer = Timer::start()?;
        Self::with(&timer, threads).inspect_err(|_| timer.end())
    }

    fn with(timer: &Timer, threads: PluginThreads) -> io::Result<Self> {
        let pool = |kind, bound| ThreadPool::new(kind, bound, timer.clone());
        Ok(Self {
            asyncs: AsyncPool::new(threads.asyncs)?,
            stores: pool(ThreadKind::Stores, threads.stores)?,
            callbacks: pool(ThreadKind::Callbacks, threads.callbacks)?,
            files: pool(ThreadKind::Files, threads.stores)?,
            commands: pool(ThreadKind::Commands, threads.commands)?,
            own: RuntimeThread::start("keyward-stores")?,
            timer: timer.clone(),
            ending: watch::Sender::new(false),
        })
    }

    /// The threads for blocking stores of the program's.
    pub fn store_threads(&self) -> &ThreadPool {
        &self.stores
    }

    /// The threads for blocking callbacks.
    pub fn callback_threads(&self) -> &ThreadPool {
        &self.callbacks
    }

    /// The threads for key files.
    pub fn file_threads(&self) -> &ThreadPool {
        &self.files
    }

    /// The threads for commands.
    pub fn command_threads(&self) -> &ThreadPool {
        &self.commands
    }

    /// Starts an async store or callback on the threads of all of these. `make` is foreign too, and is
    /// called there. It may use tokio.
    ///
    /// When the limit passes, the outcome is [`Fault::TimedOut`] at once, and the future is dropped
    /// at its next await, after which [`Ended::returned`] ends. If it does not come to one, because
    /// it blocks its thread, `blocks` is called soon after. `then` is told the outcome on the thread
    /// that has it. Both may be called on the timer's thread: they must be quick.
    pub fn run_async<T, F>(
        &self,
        role: Role,
        make: impl FnOnce() -> F + Send + 'static,
        limit: Duration,
        blocks: impl FnOnce() + Send + 'static,
        then: impl FnOnce(Ended<T>) + Send + 'static,
    ) where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (answer, over, time) = call(then);
        let threads = match self.asyncs.started() {
            Ok(threads) => threads,
            Err(fault) => return answer.give(Err(fault)),
        };
        let (task, watch) = threads.spawn(role, make, answer, over);
        let timer = self.timer.clone();
        time.begin(&self.timer, limit, move || {
            let blocks_now = watch.is_inside();
            blocks_beyond(&timer, watch, blocks);
            drop(task);
            blocks_now
        });
    }

    /// Whether an async plug-in that is begun now finds a thread: one is there, and not all that may
    /// be are blocked by plug-ins that have passed their limits.
    ///
    /// # Errors
    /// [`Fault::NoThread`], [`Fault::ThreadRefused`] or [`Fault::Gone`].
    pub fn has_async_thread(&self) -> Result<(), Fault> {
        self.asyncs.started()?.is_left()
    }

    /// Waits until [`has_async_thread`](Self::has_async_thread). It needs tokio's timers.
    ///
    /// # Errors
    /// [`Fault::Gone`] after a shutdown.
    pub async fn async_thread(&self) -> Result<(), Fault> {
        loop {
            match self.has_async_thread() {
                Err(Fault::NoThread { .. } | Fault::ThreadRefused { .. }) => sleep(ASK_AGAIN).await,
                there => return there,
            }
        }
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
            let begun = Instant::now();
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

    /// Runs a piece of keyward's own that never blocks.
    pub fn run_own(&self, own: impl Future<Output = ()> + Send + 'static) {
        drop(self.own.handle().spawn(own));
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

    /// Waits for something, on any runtime or on none, at most for this time. `None` when that has
    /// passed: then what was waited for is dropped.
    pub async fn within<T>(&self, limit: Duration, wait: impl Future<Output = T>) -> Option<T> {
        let (told, passed) = oneshot::channel();
        let _limit = self.timer.limit(limit, move |has_passed| {
            if has_passed {
                let _is_awaited = told.send(()).is_ok();
            }
        });
        let passed = async {
            // A timer that has ended tells no time: what is waited for ends as well then.
            if passed.await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            biased;
            answer = wait => Some(answer),
            () = passed => None,
        }
    }

    /// Ends what runs foreign code, as dropping it does, while others may still hold it.
    pub fn close(&self) {
        for pool in [&self.stores, &self.callbacks, &self.files, &self.commands] {
            pool.close();
        }
        // It gives up every call; then what is left of async ones is dropped on their threads.
        self.timer.close();
        self.asyncs.close();
        self.ending.send_replace(true);
        self.own.close();
    }

    /// Ends it as [`close`](Self::close) does, and waits for the threads that keep time. Only on a thread
    /// that may block.
    pub fn end(&self) {
        self.close();
        self.own.end();
        self.timer.end();
    }
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.close();
    }
}
