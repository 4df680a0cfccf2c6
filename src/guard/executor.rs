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
use super::this_thread::must_not_block;

/// The threads of async plug-ins; no more than a bound.
pub(super) struct Executor {
    shared: Arc<ExecutorState>,
}

struct ExecutorState {
    bound: usize,
    queue: Mutex<TaskQueue>,
    more: Condvar,
}

#[derive(Default)]
struct TaskQueue {
    ready: VecDeque<Runnable>,
    threads: usize,
    /// How many threads wait for what is ready, those included that have been woken for it.
    idle: usize,
    closed: bool,
}

impl Executor {
    /// At most so many threads; one is started at once.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub(super) fn start(bound: usize) -> io::Result<Self> {
        let shared = Arc::new(ExecutorState {
            bound,
            queue: Mutex::new(TaskQueue {
                threads: 1,
                ..TaskQueue::default()
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

impl ExecutorState {
    fn queue(&self) -> MutexGuard<'_, TaskQueue> {
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
        must_not_block();
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::mpsc::channel;

    fn threads(executor: &Executor) -> usize {
        executor.shared.queue().threads
    }

    #[test]
    fn as_many_threads_start_as_are_needed_at_once_and_no_more_than_the_bound() {
        let executor = Executor::start(3).expect("it starts");
        assert_eq!(threads(&executor), 1);
        for _ in 0..100 {
            let (told, done) = channel();
            executor
                .spawn(async move { told.send(()).expect("heard") })
                .detach();
            done.recv().expect("it runs");
        }
        let (go, gone) = channel::<()>();
        let gone = Arc::new(Mutex::new(gone));
        let (told, begun) = channel();
        for _ in 0..5 {
            let (told, gone) = (told.clone(), Arc::clone(&gone));
            let blocks = async move {
                told.send(()).expect("heard");
                let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
                assert!(gone.recv().is_err());
            };
            executor.spawn(blocks).detach();
        }
        for _ in 0..3 {
            begun.recv().expect("it begins");
        }
        assert!(begun.try_recv().is_err(), "more run than may");
        assert_eq!(threads(&executor), 3);
        drop(go);
        for _ in 0..2 {
            begun.recv().expect("it begins");
        }
    }

    #[test]
    fn after_its_end_what_is_given_up_is_still_dropped_on_its_threads_which_end_then() {
        struct TellsItsDrop(std::sync::mpsc::Sender<Option<String>>);
        impl Drop for TellsItsDrop {
            fn drop(&mut self) {
                let here = thread::current().name().map(str::to_owned);
                self.0.send(here).expect("heard");
            }
        }
        let executor = Executor::start(2).expect("it starts");
        let (told, dropped) = channel();
        let (polled, was_polled) = channel();
        let task = executor.spawn(async move {
            let _tells = TellsItsDrop(told);
            polled.send(()).expect("heard");
            pending::<()>().await;
        });
        was_polled.recv().expect("it is polled");
        executor.close();
        let shared = Arc::downgrade(&executor.shared);
        while threads(&executor) > 0 {
            thread::yield_now();
        }
        drop(executor);
        drop(task);
        assert_eq!(dropped.recv(), Ok(Some("keyward-plugin".to_owned())));
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
