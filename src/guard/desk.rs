//! One thread for blocking foreign code, and how it is given its jobs: directly, one wake each.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::place::Role;

/// For which kind of blocking code a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Stores of the program's.
    Stores,
    /// Key files.
    Files,
    /// Commands.
    Commands,
    /// Callbacks.
    Callbacks,
}

impl Kind {
    /// What its threads are called.
    fn name(self) -> &'static str {
        match self {
            Self::Stores => "keyward-store",
            Self::Files => "keyward-file",
            Self::Commands => "keyward-command",
            Self::Callbacks => "keyward-callback",
        }
    }

    /// For whom the code runs.
    pub(super) fn role(self) -> Role {
        match self {
            Self::Stores | Self::Files | Self::Commands => Role::Store,
            Self::Callbacks => Role::Callback,
        }
    }
}

/// A thread that does one job after the other. Dropped, it ends after the one that it does.
pub(super) struct Thread {
    desk: Arc<Desk>,
}

impl Thread {
    /// Starts a thread.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn start(kind: Kind) -> io::Result<Self> {
        let desk = Arc::<Desk>::default();
        let of_thread = Arc::clone(&desk);
        thread::Builder::new()
            .name(kind.name().to_owned())
            .spawn(move || of_thread.work())?;
        Ok(Self { desk })
    }

    /// Where its next job is given to it.
    pub(super) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.desk.put(Next::End);
    }
}

/// What a thread is to do next.
#[derive(Default)]
enum Next {
    #[default]
    Wait,
    Job(Box<dyn FnOnce() + Send>),
    End,
}

/// Where a thread is given its next job. One is not given before the last has begun.
#[derive(Default)]
pub(super) struct Desk {
    next: Mutex<Next>,
    given: Condvar,
}

impl Desk {
    /// Gives the thread its next job, which it begins at once or when it has done its present one.
    pub(super) fn give(&self, job: impl FnOnce() + Send + 'static) {
        self.put(Next::Job(Box::new(job)));
    }

    fn put(&self, next: Next) {
        // Nothing foreign runs under this lock, and nothing that lay there is dropped.
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.given.notify_one();
    }

    fn work(&self) {
        while let Some(job) = self.take() {
            job();
        }
    }

    fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match mem::take(&mut *next) {
                Next::Job(job) => return Some(job),
                Next::End => return None,
                Next::Wait => {
                    let woken = self.given.wait(next);
                    next = woken.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_job_that_is_given_before_the_last_is_done_is_done_after_it_on_the_same_thread() {
        let thread = Thread::start(Kind::Stores).expect("it starts");
        let (told, done) = channel();
        for no in 0..100 {
            let told = told.clone();
            let (begun, has_begun) = channel();
            thread.desk().give(move || {
                begun.send(()).expect("heard");
                told.send((no, thread::current().id())).expect("heard");
            });
            has_begun.recv().expect("it begins");
        }
        drop(told);
        let done: Vec<_> = done.iter().take(100).collect();
        assert!(done.iter().map(|(no, _)| *no).eq(0..100));
        assert!(done.windows(2).all(|two| two[0].1 == two[1].1));
    }

    #[test]
    fn a_thread_that_is_dropped_ends_after_the_job_that_it_does() {
        let thread = Thread::start(Kind::Callbacks).expect("it starts");
        let of_thread = Arc::downgrade(&thread.desk);
        let (go, gone) = channel::<()>();
        let (told, done) = channel();
        let (begun, has_begun) = channel();
        thread.desk().give(move || {
            begun.send(()).expect("heard");
            assert!(gone.recv().is_err());
            told.send(thread::current().name().map(str::to_owned))
                .expect("heard");
        });
        has_begun.recv().expect("it begins");
        drop(thread);
        drop(go);
        assert_eq!(done.recv(), Ok(Some("keyward-callback".to_owned())));
        while of_thread.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
