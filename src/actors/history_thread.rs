//! The thread that prunes the history, and reads it once for damage: a small piece at a time, so that
//! any other job of the journal waits for one piece at most.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::actors::clock::Clock;
use crate::actors::journal_thread::JournalThread;
use crate::actors::journal_thread::closed::JournalClosed;
use crate::guard::events::Events;
use crate::guard::fault;
use crate::journal::opened::Journal;
use crate::journal::tidy::Tidied;
use crate::key::journal_down::JournalDown;
use crate::rotation::retention::{HistoryLimits, SteadyClock};

/// A start has other things to do first.
const BEFORE_THE_FIRST: Duration = Duration::from_secs(1);
/// Between two pieces.
const BREATH: Duration = Duration::from_millis(1);
/// After a rotation has ended, others may end as well.
const AFTER_AN_END: Duration = Duration::from_millis(20);
/// Rotations become too old also where none ends, and the wall clock has to be read often.
const AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// A handle on the thread, which ends with the last one.
#[derive(Debug, Clone)]
pub struct HistoryThread {
    wake: SyncSender<()>,
    found: Arc<HistoryFindings>,
}

/// What the thread finds.
#[derive(Default)]
struct HistoryFindings {
    damage: Mutex<Option<String>>,
    /// Told when it is unknown whether a write was made.
    in_doubt: OnceLock<Box<dyn Fn(JournalDown) + Send + Sync>>,
}

impl fmt::Debug for HistoryFindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryFindings").finish_non_exhaustive()
    }
}

impl HistoryThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// What starting a thread answers.
    pub fn start(
        journal: JournalThread,
        limits: HistoryLimits,
        clock: Clock,
        events: Events,
    ) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let found = Arc::<HistoryFindings>::default();
        let work = HistoryWork {
            journal,
            limits,
            clock,
            steady: SteadyClock::new(&limits),
            events,
            woken,
            found: Arc::clone(&found),
        };
        std::thread::Builder::new()
            .name("keyward-history".to_owned())
            .spawn(move || work.go_on())?;
        Ok(Self { wake, found })
    }

    /// `in_doubt` is told when it is unknown whether a write was made: the journal has to be reopened.
    pub fn tell_doubts(&self, in_doubt: impl Fn(JournalDown) + Send + Sync + 'static) {
        let _is_the_first = self.found.in_doubt.set(Box::new(in_doubt)).is_ok();
    }

    /// A rotation has ended: the history may be too long now.
    pub fn rotation_ended(&self) {
        // Full means that it knows already.
        let _knows_already = self.wake.try_send(()).is_err();
    }

    /// What is damaged of the history, with the file and the remedy, as far as it was read.
    pub fn damage(&self) -> Option<String> {
        let damage = self.found.damage.lock();
        damage.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct HistoryWork {
    journal: JournalThread,
    limits: HistoryLimits,
    clock: Clock,
    steady: SteadyClock,
    events: Events,
    woken: Receiver<()>,
    found: Arc<HistoryFindings>,
}

/// Why a piece was not done.
struct FailedPiece {
    why: JournalDown,
    is_damage: bool,
    /// Whether it is unknown if its write was made.
    in_doubt: bool,
}

/// No handle on the thread is left.
struct NoHandleLeft;

impl HistoryWork {
    fn go_on(mut self) {
        let mut pause = BEFORE_THE_FIRST;
        while self.rest(pause).is_ok() {
            pause = match self.tidy() {
                Ok(Ok(Tidied::Read | Tidied::Pruned(_))) => BREATH,
                Ok(Ok(Tidied::Nothing)) => match self.wait_for_an_end() {
                    Ok(()) => AFTER_AN_END,
                    Err(NoHandleLeft) => return,
                },
                Ok(Err(failed)) if failed.is_damage => return self.tell(failed.why.why),
                Ok(Err(failed)) if failed.why.is_for_good() => {
                    return self.tell_the_coordinator(failed.why);
                }
                Ok(Err(FailedPiece { why, in_doubt, .. })) => {
                    let told = why.clone();
                    self.events.tell(move || {
                        tracing::warn!(why = %told, "the history could not be kept; it is tried again");
                    });
                    if in_doubt {
                        self.tell_the_coordinator(why);
                    }
                    AT_LEAST_EVERY
                }
                Err(JournalClosed) => return,
            };
        }
    }

    /// Rests for this time, whatever ends meanwhile.
    fn rest(&self, pause: Duration) -> Result<(), NoHandleLeft> {
        let until = self.clock.now().after(pause);
        loop {
            match self.woken.recv_timeout(self.clock.now().until(until)) {
                Ok(()) if self.clock.now() < until => {}
                Ok(()) | Err(RecvTimeoutError::Timeout) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => return Err(NoHandleLeft),
            }
        }
    }

    fn wait_for_an_end(&self) -> Result<(), NoHandleLeft> {
        let shortest = self.steady.span().max(Duration::from_secs(1));
        match self.woken.recv_timeout(AT_LEAST_EVERY.min(shortest)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(NoHandleLeft),
        }
    }

    fn tidy(&mut self) -> Result<Result<Tidied, FailedPiece>, JournalClosed> {
        let (limits, now_ms) = (self.limits, self.steady.read(self.clock.moment()));
        let (told, done) = sync_channel(1);
        self.journal.submit(
            move |journal| tidy(journal, &limits, now_ms),
            move |tidied| drop(told.send(tidied)),
        );
        done.recv().unwrap_or(Err(JournalClosed))
    }

    fn tell_the_coordinator(&self, why: JournalDown) {
        if let Some(tell) = self.found.in_doubt.get() {
            tell(why);
        }
    }

    fn tell(&self, damage: String) {
        let error = damage.clone();
        self.events
            .tell(move || tracing::error!(%error, "the history is damaged"));
        let found = self.found.damage.lock();
        *found.unwrap_or_else(PoisonError::into_inner) = Some(damage);
    }
}

fn tidy(journal: &mut Journal, limits: &HistoryLimits, now_ms: u64) -> Result<Tidied, FailedPiece> {
    let before = journal.is_in_doubt();
    let (why, is_damage): (JournalDown, _) = match fault::catch(|| journal.tidy(limits, now_ms)) {
        Ok(Ok(tidied)) => return Ok(tidied),
        Ok(Err(error)) => ((&error).into(), error.is_damage()),
        Err(fault) => {
            let why = format!("the state repo or crypto tool failed: {fault}");
            (why.into(), false)
        }
    };
    Err(FailedPiece {
        why,
        is_damage,
        in_doubt: journal.is_in_doubt() && !before,
    })
}
