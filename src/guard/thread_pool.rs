//! Threads set apart for blocking code, of one kind and bounded in number.
//!
//! They are std threads and not a runtime's pool for blocking work, because that pool queues, and
//! panics where the system refuses a thread. A [`Slot`] holds a thread that has been started already:
//! a caller that has one, and has written that the call is in progress, need not wait. A thread is
//! started when it is first needed and kept for the next call until keyward shuts down. A function that
//! hangs keeps its thread, and its part of the bound, for ever.

use std::future::Future;
use std::io;
use std::mem;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch};
use tokio::time::sleep;

use super::fault::{Fault, dispose};
use super::foreign_call::{Ended, Fenced, call};
use super::this_thread::{Inside, Role};
use super::timer::Timer;

/// After how long the system is asked again for a thread that it has refused.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(100);

/// For which kind of blocking code a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreadKind {
    /// Stores of the program's.
    Stores,
    /// Key files.
    Files,
    /// Commands.
    Commands,
    /// Callbacks.
    Callbacks,
}

impl ThreadKind {
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

/// The threads for one kind of blocking code.
pub struct ThreadPool {
    pub(super) shared: Arc<PoolShared>,
}

pub(super) struct PoolShared {
    kind: ThreadKind,
    pub(super) bound: usize,
    timer: Timer,
    permits: Arc<Semaphore>,
    /// How many calls have passed their limits and have not come back.
    pub(super) late: watch::Sender<usize>,
    idle: Mutex<Idle>,
    #[cfg(test)]
    refuses: std::sync::atomic::AtomicBool,
}

struct Idle {
    closed: bool,
    threads: Vec<JobThread>,
}

impl ThreadPool {
    /// Threads for one kind of code; no more than `bound`, none of them started yet.
    pub(super) fn new(kind: ThreadKind, bound: usize, timer: Timer) -> io::Result<Self> {
        let bound = bound.min(Semaphore::MAX_PERMITS);
        if bound == 0 {
            let text = format!("{bound} threads for blocking plug-ins; allow at least 1");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Self {
            shared: Arc::new(PoolShared {
                kind,
                bound,
                timer,
                permits: Arc::new(Semaphore::new(bound)),
                late: watch::Sender::new(0),
                idle: Mutex::new(Idle {
                    closed: false,
                    threads: Vec::new(),
                }),
                #[cfg(test)]
                refuses: std::sync::atomic::AtomicBool::new(false),
            }),
        })
    }

    /// How many calls may be under way at once, hung ones included.
    #[cfg(feature = "testing")]
    pub fn bound(&self) -> usize {
        self.shared.bound
    }

    /// A thread, if one is left now.
    ///
    /// # Errors
    /// [`Fault::NoThread`] where all are taken, [`Fault::ThreadRefused`] where the system refuses
    /// one, [`Fault::Gone`] after a shutdown.
    pub fn try_reserve(&self) -> Result<Slot, Fault> {
        match Arc::clone(&self.shared.permits).try_acquire_owned() {
            Ok(permit) => Slot::take(&self.shared, permit),
            Err(TryAcquireError::NoPermits) => Err(self.shared.no_thread()),
            Err(TryAcquireError::Closed) => Err(Fault::Gone),
        }
    }

    /// A thread for a call that is not due yet, if more than half of them are left now.
    pub fn reserve_spare(&self) -> Option<Slot> {
        let left = self.shared.permits.available_permits();
        let is_spare = left > self.shared.bound / 2;
        is_spare.then(|| self.try_reserve().ok()).flatten()
    }

    /// A thread, as soon as one is left, in the order of the calls. Where the system refuses one it is
    /// asked again, until it gives one. It needs tokio's timers.
    ///
    /// # Errors
    /// [`Fault::Gone`] after a shutdown.
    pub fn reserve(&self) -> impl Future<Output = Result<Slot, Fault>> + Send + 'static + use<> {
        let shared = Arc::clone(&self.shared);
        async move {
            loop {
                match shared.reserve().await {
                    Err(Fault::ThreadRefused { .. }) => sleep(ASK_AGAIN).await,
                    reserved => return reserved,
                }
            }
        }
    }

    /// Ends the idle threads, and the others when they come back; nothing is started any more.
    pub(super) fn close(&self) {
        self.shared.permits.close();
        let mut idle = self.shared.idle();
        idle.closed = true;
        let ended = mem::take(&mut idle.threads);
        drop(idle);
        drop(ended);
    }
}

impl PoolShared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn no_thread(&self) -> Fault {
        Fault::NoThread {
            threads: self.bound,
        }
    }

    pub(super) async fn reserve(self: &Arc<Self>) -> Result<Slot, Fault> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        Slot::take(self, permit.map_err(|_| Fault::Gone)?)
    }

    fn thread(&self) -> io::Result<JobThread> {
        #[cfg(test)]
        if self.refuses.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        JobThread::start(self.kind)
    }
}

/// A thread that does one job after the other. It ends when this has been dropped and its jobs are done.
struct JobThread {
    jobs: Sender<Box<dyn FnOnce() + Send>>,
}

impl JobThread {
    fn start(kind: ThreadKind) -> io::Result<Self> {
        let (jobs, given) = channel::<Box<dyn FnOnce() + Send>>();
        thread::Builder::new()
            .name(kind.name().to_owned())
            .spawn(move || given.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }
}

/// A thread that waits for one call. Dropped unused, it is free again.
pub struct Slot {
    shared: Arc<PoolShared>,
    /// There until it is dropped.
    thread: Option<JobThread>,
    lateness: Arc<Mutex<Lateness>>,
    /// Given back after the thread is among the idle ones, so that there is never one too many.
    _permit: OwnedSemaphorePermit,
}

/// Whether the call of a slot has passed its limit, and has come back.
#[derive(Default)]
struct Lateness {
    is_late: bool,
    is_over: bool,
}

impl Slot {
    fn take(shared: &Arc<PoolShared>, permit: OwnedSemaphorePermit) -> Result<Self, Fault> {
        let idle = {
            let mut idle = shared.idle();
            if idle.closed {
                return Err(Fault::Gone);
            }
            idle.threads.pop()
        };
        let thread = match idle {
            Some(thread) => thread,
            None => shared.thread().map_err(|error| Fault::ThreadRefused {
                why: error.to_string(),
            })?,
        };
        Ok(Self {
            shared: Arc::clone(shared),
            thread: Some(thread),
            lateness: Arc::default(),
            _permit: permit,
        })
    }

    /// Calls blocking foreign code on the thread, at once.
    ///
    /// When the limit passes, the outcome is [`Fault::TimedOut`] and the code goes on: it cannot be
    /// stopped. Its thread is free again when it has returned, and only then does
    /// [`Ended::returned`] end. After a shutdown the code is not called. `then` is told the outcome
    /// on the thread that has it, which may be the timer's: it must be quick.
    pub fn run<T: Send + 'static>(
        self,
        foreign: impl FnOnce() -> T + Send + 'static,
        limit: Duration,
        then: impl FnOnce(Ended<T>) + Send + 'static,
    ) {
        let (answer, over, time) = call(then);
        let (lateness, shared) = (Arc::clone(&self.lateness), Arc::clone(&self.shared));
        time.begin(&self.shared.timer, limit, move || {
            shared.is_late(&lateness);
            true
        });
        let inside = Inside::Blocking(self.shared.kind.role());
        let mut fenced = Fenced::new(inside, foreign, over);
        let jobs = self.thread.as_ref().map(|thread| thread.jobs.clone());
        let slot = self;
        let job = move || {
            let closed = slot.shared.idle().closed;
            let result = match fenced
                .with(|foreign| foreign.take().filter(|_| !closed).map(|call| call()))
            {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => Err(Fault::Gone),
                Err(fault) => Err(fault),
            };
            if answer.is_closed() {
                dispose(result);
                drop(slot);
            } else {
                drop(slot);
                answer.give(result);
            }
            drop(fenced);
        };
        if let Some(jobs) = jobs {
            drop(jobs.send(Box::new(job)));
        }
    }
}

impl PoolShared {
    fn is_late(&self, of: &Mutex<Lateness>) {
        let mut lateness = of.lock().unwrap_or_else(PoisonError::into_inner);
        if !lateness.is_over {
            lateness.is_late = true;
            self.late.send_modify(|late| *late += 1);
        }
    }

    fn is_over(&self, of: &Mutex<Lateness>) {
        let mut lateness = of.lock().unwrap_or_else(PoisonError::into_inner);
        lateness.is_over = true;
        if lateness.is_late {
            self.late.send_modify(|late| *late = late.saturating_sub(1));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.shared.is_over(&self.lateness);
        let mut idle = self.shared.idle();
        if !idle.closed {
            idle.threads.extend(self.thread.take());
        }
    }
}

#[cfg(test)]
impl ThreadPool {
    /// Has the system refuse further threads, or give them again.
    pub(super) fn refuse(&self, refuses: bool) {
        let of_all = &self.shared.refuses;
        of_all.store(refuses, std::sync::atomic::Ordering::SeqCst);
    }
}
