//! The thread of the journal: all reads and writes of the repo happen on it, one after the other,
//! in the order in which they were asked for.

use std::io;
use std::marker::PhantomData;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::actors::admission::Places;
use crate::guard::fault;
use crate::journal::error::JournalError;
use crate::journal::fact::JournalFact;
use crate::journal::load::LoadedJournal;
use crate::journal::opened::Journal;
use crate::key::event::WriteFailure;
use crate::key::name::KeyName;
use crate::key::state::RecordChange;

/// How many jobs may be asked for at once by those who wait for them.
const MAX_ASKED: usize = 1_024;

type Job = Box<dyn FnOnce(&mut Option<Journal>) + Send>;

/// Why nothing came of a job: the journal is closed, or the repo or crypto tool panicked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal is closed, or its repo or crypto tool panicked")]
pub struct JournalClosed;

/// Why somebody who waits for a job was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// As many jobs are asked for as may be. Ask again later.
    Busy {
        /// The bound.
        bound: usize,
    },
    /// As [`JournalClosed`].
    Closed,
}

/// A handle on the thread; a clone is the same thread.
#[derive(Debug, Clone)]
pub struct JournalThread {
    jobs: Sender<Job>,
    asked: Arc<Places>,
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
        let asked = Places::new(MAX_ASKED);
        Ok(Self { jobs, asked })
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
    /// [`Refused`].
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        // It goes with the job: a job is done whether its asker is there or not.
        let bound = self.asked.bound();
        let place = self.asked.take().ok_or(Refused::Busy { bound })?;
        let (told, answer) = oneshot::channel();
        let job = move |journal: &mut Journal| (job(journal), place);
        let told = |done: Result<(T, _), _>| drop(told.send(done.map(|(done, _place)| done)));
        self.submit(job, told);
        let done = answer.await.unwrap_or(Err(JournalClosed));
        done.map_err(|JournalClosed| Refused::Closed)
    }

    /// Writes facts as one batch. `then` learns the batch's number and what came of it.
    pub fn write(
        &self,
        facts: Vec<JournalFact>,
        then: impl FnOnce(u64, Result<(), WriteFailure>) + Send + 'static,
    ) {
        self.submit(
            move |journal| {
                let number = journal.next_batch();
                let written = attempt(journal, |journal| journal.write(&facts).map(drop));
                (number, written)
            },
            move |done| {
                let (number, written) = done.unwrap_or_else(|closed| (0, Err(closed.into())));
                then(number, written);
            },
        );
    }

    /// Changes the record of a key.
    pub fn save(
        &self,
        key: KeyName,
        change: RecordChange,
        then: impl FnOnce(Result<(), WriteFailure>) + Send + 'static,
    ) {
        self.submit(
            move |journal| attempt(journal, |journal| journal.save_state(&key, &change)),
            move |done| then(done.unwrap_or_else(|closed| Err(closed.into()))),
        );
    }

    /// Reopens the journal if it is in doubt, and reads it anew. `then` learns what it has, or why
    /// that could not be told.
    pub fn reread(
        &self,
        doubtful: Option<DoubtfulBatch>,
        then: impl FnOnce(Result<(bool, LoadedJournal), String>) + Send + 'static,
    ) {
        self.submit(
            move |journal| {
                let reread = fault::catch(|| reread(journal, doubtful.as_ref()));
                match reread {
                    Ok(Ok(found)) => Ok(found),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(fault) => Err(format!("the state repo or crypto tool failed: {fault}")),
                }
            },
            move |done| then(done.unwrap_or_else(|closed| Err(closed.to_string()))),
        );
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

/// A batch of which it is unknown whether it was made, and what is found out about it: that can be
/// told only until the next write takes its number.
#[derive(Debug, Clone)]
pub struct DoubtfulBatch {
    number: u64,
    was_made: Arc<OnceLock<bool>>,
}

impl DoubtfulBatch {
    /// The batch of this number.
    pub fn new(number: u64) -> Self {
        let was_made = Arc::default();
        Self { number, was_made }
    }
}

fn reread(
    journal: &mut Journal,
    doubtful: Option<&DoubtfulBatch>,
) -> Result<(bool, LoadedJournal), JournalError> {
    if journal.is_in_doubt() {
        journal.reopen()?;
    }
    let was_made = match doubtful {
        None => false,
        Some(batch) => match batch.was_made.get() {
            Some(known) => *known,
            None => {
                let found = journal.was_written(batch.number)?;
                *batch.was_made.get_or_init(|| found)
            }
        },
    };
    Ok((was_made, journal.load()?))
}

/// Tries to write; a failure says whether the write may have been made all the same.
fn attempt<T>(
    journal: &mut Journal,
    write: impl FnOnce(&mut Journal) -> Result<T, JournalError>,
) -> Result<T, WriteFailure> {
    let before = journal.is_in_doubt();
    let why = match fault::catch(|| write(journal)) {
        Ok(Ok(written)) => return Ok(written),
        Ok(Err(error)) => error.to_string(),
        Err(fault) => format!("the state repo or crypto tool failed: {fault}"),
    };
    let unknown = !before && journal.is_in_doubt();
    Err(WriteFailure { why, unknown })
}

impl From<JournalClosed> for WriteFailure {
    fn from(closed: JournalClosed) -> Self {
        let (why, unknown) = (closed.to_string(), false);
        Self { why, unknown }
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
