//! Where plug-ins run, and keyward's own stores: no thread is of both, so that foreign code that
//! blocks every thread that it may block stops neither keys from files nor clocks.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use super::async_plugin::blocks_beyond;
use super::async_pool::AsyncPool;
use super::fault::Fault;
use super::foreign_call::{Ended, call};
use super::runtime::RuntimeThread;
use super::this_thread::Role;
use super::thread_pool::{ASK_AGAIN, ThreadKind, ThreadPool};
use super::timer::Timer;

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
    pub(super) timer: Timer,
    pub(super) asyncs: AsyncPool,
    pub(super) stores: ThreadPool,
    pub(super) callbacks: ThreadPool,
    /// Where the timers and pipes of keyward's own stores are.
    pub(super) own: RuntimeThread,
    pub(super) files: ThreadPool,
    pub(super) commands: ThreadPool,
    pub(super) ending: watch::Sender<bool>,
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

    /// The threads for blocking callbacks.
    pub fn callback_threads(&self) -> &ThreadPool {
        &self.callbacks
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

    /// Runs a piece of keyward's own that never blocks.
    pub fn run_own(&self, own: impl Future<Output = ()> + Send + 'static) {
        drop(self.own.handle().spawn(own));
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
}

impl Drop for Plugins {
    fn drop(&mut self) {
        self.close();
    }
}
