//! The thread of the journal: all reads and writes of the repo happen on it, one after the other,
//! in the order in which they were asked for.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;

use crate::actors::journal_thread::closed::{JournalClosed, panicked};
use crate::actors::journal_thread::group_commit::{QueuedWrite, write_together};
use crate::actors::journal_thread::readings::{Length, Readings};
use crate::actors::tell_once::TellOnce;
use crate::guard::events::Events;
use crate::guard::fault;
use crate::journal::error::JournalError;
use crate::journal::fact::JournalFact;
use crate::journal::group::{GroupSize, JournalWrite};
use crate::journal::load::LoadedJournal;
use crate::journal::opened::Journal;
use crate::key::event::WriteFailure;
use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::key::state::RecordChange;

/// After so many jobs in a row a piece of reading has a turn.
const TURN: usize = 64;

pub mod closed;
mod group_commit;
mod readings;

enum Job {
    Write(QueuedWrite),
    Other(OtherJob),
    /// Look at what is asked for.
    Look,
}

type OtherJob = Box<dyn FnOnce(&mut Option<Journal>) + Send>;

/// Why a job that is waited for was refused.
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
#[derive(Clone)]
pub struct JournalThread {
    jobs: Sender<Job>,
    readings: Arc<Readings>,
    events: Events,
}

impl fmt::Debug for JournalThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JournalThread")
    }
}

impl JournalThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// What starting a thread answers; then the journal is closed.
    pub fn start(journal: Journal, events: Events) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let (give, given) = mpsc::sync_channel(1);
        let readings = Readings::new();
        let (of_thread, told) = (Arc::clone(&readings), events.clone());
        let started = std::thread::Builder::new()
            .name("keyward-journal".to_owned())
            .spawn(move || {
                let mut journal: Option<Journal> = given.recv().ok();
                work(&mut journal, &queue, &of_thread, &told);
                // The drop of a state repo or crypto tool is foreign code.
                drop(fault::catch(|| drop(journal)));
            });
        if let Err(refused) = started {
            drop(fault::catch(|| journal.close()));
            return Err(refused);
        }
        drop(give.send(journal));
        Ok(Self {
            jobs,
            readings,
            events,
        })
    }

    /// Does a job, later and in order. `then` learns what came of it, on the journal's thread.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Journal) -> T + Send + 'static,
        then: impl FnOnce(Result<T, JournalClosed>) + Send + 'static,
    ) {
        let told = TellOnce::new(Err(JournalClosed), then);
        let job: OtherJob = Box::new(move |journal| {
            let done = journal.as_mut().map(job).ok_or(JournalClosed);
            told.tell(done);
        });
        drop(self.jobs.send(Job::Other(job)));
    }

    /// Does a job after all others and answers what came of it. It is not done where its caller gave
    /// up.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let mut job = Some(job);
        let piece = move |journal: &mut Journal| match job.take() {
            Some(job) => ControlFlow::Break(Some(job(journal))),
            None => ControlFlow::Break(None),
        };
        let done = self.wait(Length::Short, piece).await?;
        done.ok_or(Refused::Closed)
    }

    /// Reads in pieces until one breaks with the answer. All other jobs go before each piece, and
    /// readings go one after the other.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn read<T: Send + 'static>(
        &self,
        piece: impl FnMut(&mut Journal) -> ControlFlow<T> + Send + 'static,
    ) -> Result<T, Refused> {
        self.wait(Length::Long, piece).await
    }

    async fn wait<T: Send + 'static>(
        &self,
        length: Length,
        piece: impl FnMut(&mut Journal) -> ControlFlow<T> + Send + 'static,
    ) -> Result<T, Refused> {
        let bound = self.readings.bound();
        let waiting = self.readings.line_up(length, piece);
        let waiting = waiting.ok_or(Refused::Busy { bound })?;
        if self.readings.is_news() {
            drop(self.jobs.send(Job::Look));
        }
        waiting.answer().await.ok_or(Refused::Closed)
    }

    /// Writes facts, together with what else waits to be written. `then` learns the number of the
    /// batch and what came of it.
    pub fn write(
        &self,
        facts: Vec<JournalFact>,
        then: impl FnOnce(u64, Result<(), WriteFailure>) + Send + 'static,
    ) {
        self.queue(JournalWrite::Facts(facts), then);
    }

    /// Changes the record of a key, together with what else waits to be written.
    pub fn save(
        &self,
        key: KeyName,
        change: RecordChange,
        then: impl FnOnce(Result<(), WriteFailure>) + Send + 'static,
    ) {
        let then = move |_, result| then(result);
        self.queue(JournalWrite::State(key, change), then);
    }

    fn queue(
        &self,
        write: JournalWrite,
        then: impl FnOnce(u64, Result<(), WriteFailure>) + Send + 'static,
    ) {
        let written = QueuedWrite::new(write, then);
        drop(self.jobs.send(Job::Write(written)));
    }

    /// Reopens the journal if it is in doubt, and reads it anew. `then` learns what it has, or why
    /// that could not be told.
    pub fn reread(
        &self,
        doubtful: Option<DoubtfulBatch>,
        then: impl FnOnce(Result<(bool, LoadedJournal), JournalDown>) + Send + 'static,
    ) {
        self.submit(
            move |journal| {
                let reread = fault::catch(|| reread(journal, doubtful.as_ref()));
                match reread {
                    Ok(Ok(found)) => Ok(found),
                    Ok(Err(error)) => Err((&error).into()),
                    Err(fault) => {
                        Err(format!("the state repo or crypto tool failed: {fault}").into())
                    }
                }
            },
            move |done| then(done.unwrap_or_else(|closed| Err(closed.into()))),
        );
    }

    /// Closes the journal and the repo under it. Later jobs are answered that it is closed.
    pub async fn close(&self) {
        let (told, closed) = oneshot::channel::<()>();
        let events = self.events.clone();
        let job: OtherJob = Box::new(move |journal| {
            if let Some(Err(error)) = journal.take().map(|journal| journal.close()) {
                events.tell(move || {
                    tracing::warn!(%error, "the state repo could not be closed cleanly");
                });
            }
            drop(told);
        });
        drop(self.jobs.send(Job::Other(job)));
        drop(closed.await);
    }
}

/// Does what there is to be done, until no handle on the thread is left.
fn work(
    journal: &mut Option<Journal>,
    queue: &Receiver<Job>,
    readings: &Readings,
    events: &Events,
) {
    let mut after = None;
    let mut in_a_row = 0;
    loop {
        let next = after.take().map_or_else(|| queue.try_recv(), Ok);
        let job = match next {
            Ok(job) => {
                in_a_row += 1;
                if in_a_row > TURN {
                    in_a_row = 0;
                    readings.do_a_piece(journal, events);
                }
                job
            }
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                in_a_row = 0;
                if readings.do_a_piece(journal, events) {
                    continue;
                }
                match queue.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                }
            }
        };
        after = perform(job, journal, queue, readings, events);
    }
}

/// Does a job; answers the one that was found behind it, if it had to look for that.
fn perform(
    job: Job,
    journal: &mut Option<Journal>,
    queue: &Receiver<Job>,
    readings: &Readings,
    events: &Events,
) -> Option<Job> {
    match job {
        Job::Write(first) => {
            let (group, after) = gather(first, queue, readings);
            write_together(journal, group);
            after
        }
        Job::Other(job) => {
            if let Err(fault) = fault::catch(|| job(journal)) {
                panicked(events, fault);
            }
            None
        }
        Job::Look => {
            readings.looked();
            None
        }
    }
}

/// The writes that wait behind this one, until something else does; and what that is.
fn gather(
    first: QueuedWrite,
    queue: &Receiver<Job>,
    readings: &Readings,
) -> (Vec<QueuedWrite>, Option<Job>) {
    let mut size = GroupSize::default();
    size.add(first.write());
    let mut group = vec![first];
    while !size.is_enough() {
        match queue.try_recv() {
            Ok(Job::Write(next)) => {
                size.add(next.write());
                group.push(next);
            }
            Ok(Job::Look) => readings.looked(),
            Ok(other @ Job::Other(_)) => return (group, Some(other)),
            Err(_) => break,
        }
    }
    (group, None)
}

/// A batch that may or may not have been made, and which of the two it was, once that is found out:
/// until the next write takes its number.
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
    Ok((was_made, journal.load_again_without_keys()?))
}
