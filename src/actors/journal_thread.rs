//! The thread of the journal: all reads and writes of the repo happen on it, one after the other,
//! in the order in which they were asked for.

use std::io;
use std::marker::PhantomData;
use std::sync::mpsc::{self, Sender};

use tokio::sync::oneshot;

use crate::guard::fault;
use crate::journal::opened::Journal;

type Job = Box<dyn FnOnce(&mut Option<Journal>) + Send>;

/// Why nothing came of a job: the journal is closed, or the repo or crypto tool panicked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal is closed, or its repo or crypto tool panicked")]
pub struct JournalClosed;

/// A handle on the thread; a clone is the same thread.
#[derive(Debug, Clone)]
pub struct JournalThread {
    jobs: Sender<Job>,
}

impl JournalThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// What starting a thread answers.
    pub fn start(journal: Journal) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("keyward-journal".to_owned())
            .spawn(move || {
                let mut journal = Some(journal);
                for job in queue {
                    if let Err(fault) = fault::catch(|| job(&mut journal)) {
                        tracing::error!(%fault, "a state repo or crypto tool panicked");
                    }
                }
            })?;
        Ok(Self { jobs })
    }

    /// Does a job, later and in order. `then` learns what came of it, on the journal's thread.
    pub fn submit<T: 'static>(
        &self,
        job: impl FnOnce(&mut Journal) -> T + Send + 'static,
        then: impl FnOnce(Result<T, JournalClosed>) + Send + 'static,
    ) {
        let told = Told {
            then: Some(then),
            done: PhantomData,
        };
        let job: Job = Box::new(move |journal| {
            let done = journal.as_mut().map(job).ok_or(JournalClosed);
            told.tell(done);
        });
        drop(self.jobs.send(job));
    }

    /// Does a job and answers what came of it.
    ///
    /// # Errors
    /// [`JournalClosed`].
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, JournalClosed> {
        let (told, answer) = oneshot::channel();
        self.submit(job, |done| drop(told.send(done)));
        answer.await.unwrap_or(Err(JournalClosed))
    }

    /// Closes the journal and the repo under it. Later jobs are answered that it is closed.
    pub async fn close(&self) {
        let (told, closed) = oneshot::channel::<()>();
        let job: Job = Box::new(|journal| {
            if let Some(Err(error)) = journal.take().map(|journal| journal.close()) {
                tracing::warn!(%error, "the state repo could not be closed cleanly");
            }
            drop(told);
        });
        drop(self.jobs.send(job));
        drop(closed.await);
    }
}

/// Tells that nothing came of a job, if the job is dropped or panics before it is done.
struct Told<T, F: FnOnce(Result<T, JournalClosed>)> {
    then: Option<F>,
    done: PhantomData<fn(T)>,
}

impl<T, F: FnOnce(Result<T, JournalClosed>)> Told<T, F> {
    fn tell(mut self, done: Result<T, JournalClosed>) {
        if let Some(then) = self.then.take() {
            then(done);
        }
    }
}

impl<T, F: FnOnce(Result<T, JournalClosed>)> Drop for Told<T, F> {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then(Err(JournalClosed));
        }
    }
}
