//! The threads of async plug-ins, started when they are needed. Each polls one plug-in at a time,
//! whichever is ready first: one that blocks its thread holds up no other while a thread is left.
//!
//! They are not the workers of a tokio runtime, because those keep plug-ins, timers and sockets to
//! themselves: one that is blocked can hold up what is ready on it, or all timers.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use async_task::{Runnable, Task};

use super::fault::catch;
use super::place::mark_shared_thread;

/// The threads of async plug-ins; no more than a bound.
pub(super) struct Executor {
    shared: Arc<Shared>,
}

struct Shared {
    bound: usize,
    queue: Mutex<Queue>,
    more: Condvar,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Runnable>,
    threads: usize,
    /// How many threads wait for what is ready, those included that have been woken for it.
    idle: usize,
    closed: bool,
}

impl Executor {
    /// At most so many threads, of which one is started at once.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub(super) fn start(bound: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            bound,
            queue: Mutex::new(Queue {
                threads: 1,
                ..Queue::default()
            }),
            more: Condvar::new(),
        });
        shared.start_thread()?;
        Ok(Self { shared })
    }

    /// Runs a future, which must not panic. Dropping the task drops the future at its next await, on
    /// one of these threads.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        let shared = Arc::clone(&self.shared);
        let (runnable, task) = async_task::spawn(future, move |ready| shared.push(ready));
        runnable.schedule();
        task
    }

    /// Ends each thread once nothing is ready.
    pub(super) fn close(&self) {
        self.shared.queue().closed = true;
        self.shared.more.notify_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing foreign runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, ready: Runnable) {
        let mut queue = self.queue();
        queue.ready.push_back(ready);
        if queue.ready.len() <= queue.idle || queue.threads >= self.bound {
            drop(queue);
            self.more.notify_one();
            return;
        }
        queue.threads += 1;
        drop(queue);
        if self.start_thread().is_err() {
            // It waits for a thread that is there; what is ready next asks for another one again.
            self.queue().threads -= 1;
            self.more.notify_one();
        }
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let started = thread::Builder::new()
            .name("keyward-plugin".to_owned())
            .spawn(move || shared.work())?;
        drop(started);
        Ok(())
    }

    fn work(&self) {
        mark_shared_thread();
        while let Some(ready) = self.next() {
            drop(catch(|| ready.run()));
        }
    }

    fn next(&self) -> Option<Runnable> {
        let mut queue = self.queue();
        loop {
            if let Some(ready) = queue.ready.pop_front() {
                return Some(ready);
            }
            if queue.closed {
                queue.threads -= 1;
                return None;
            }
            queue.idle += 1;
            queue = self
                .more
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}
