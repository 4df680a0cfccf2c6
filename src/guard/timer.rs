//! The timer that keeps the time limits of foreign code: one thread on which no foreign code runs, so
//! that plug-ins that block every other thread do not stop it.
//!
//! Nearly every call ends before its limit. Neither its beginning nor its end wakes this thread,
//! which sleeps until the limit of some call, past or not, and looks again then.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::this_thread::must_not_block;

/// What is done at a limit. It is told whether the limit passed; if not, all is shut down.
type AtLimit = Box<dyn FnOnce(bool) + Send>;

/// When a limit passes; the number tells those of one moment apart.
type Due = (Instant, u64);

/// A handle on the timer; a clone is the same one.
#[derive(Clone)]
pub(super) struct Timer {
    shared: Arc<TimerState>,
}

#[derive(Default)]
struct TimerState {
    entries: Mutex<Entries>,
    sooner: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Entries {
    closed: bool,
    next: u64,
    due: BTreeMap<Due, AtLimit>,
    /// Until when the thread sleeps; none while it waits to be woken.
    sleeps_until: Option<Instant>,
}

impl Timer {
    /// Starts the timer's thread.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::<TimerState>::default();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("keyward-timer".to_owned())
            .spawn(move || {
                must_not_block();
                of_thread.run();
            })?;
        *shared.thread() = Some(thread);
        Ok(Self { shared })
    }

    /// Calls `at_limit` when the limit has passed, or when all is shut down, unless the answer is dropped
    /// before.
    pub(super) fn limit(
        &self,
        limit: Duration,
        at_limit: impl FnOnce(bool) + Send + 'static,
    ) -> TimeLimit {
        let mut entries = self.shared.entries();
        if entries.closed {
            drop(entries);
            at_limit(false);
            return self.none();
        }
        // One beyond the end of time never passes, but ends with a shutdown as every other.
        let now = Instant::now();
        let end = now.checked_add(limit).or_else(|| now.checked_add(AGES));
        let due = (end.unwrap_or(now), entries.next);
        entries.next += 1;
        entries.due.insert(due, Box::new(at_limit));
        if entries.sleeps_until.is_none_or(|until| due.0 < until) {
            // Not to be woken for each of the next ones as well, until the thread has seen this one.
            entries.sleeps_until = Some(due.0);
            self.shared.sooner.notify_one();
        }
        TimeLimit {
            shared: Arc::clone(&self.shared),
            due: Some(due),
        }
    }

    /// Ends the timer: `at_limit` of every limit that has not passed is called, and of every later limit
    /// at once.
    pub(super) fn close(&self) {
        let mut entries = self.shared.entries();
        entries.closed = true;
        let left = std::mem::take(&mut entries.due);
        drop(entries);
        self.shared.sooner.notify_one();
        for at_limit in left.into_values() {
            at_limit(false);
        }
    }

    /// Ends the timer and waits for its thread. Not to be called on it.
    pub(super) fn end(&self) {
        self.close();
        let thread = self.shared.thread().take();
        drop(thread.map(JoinHandle::join));
    }

    fn none(&self) -> TimeLimit {
        TimeLimit {
            shared: Arc::clone(&self.shared),
            due: None,
        }
    }
}

/// What a limit is that never passes.
const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

impl TimerState {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        // Nothing foreign runs under this lock.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn thread(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut entries = self.entries();
        while !entries.closed {
            let now = Instant::now();
            let first = entries.due.first_entry();
            if let Some(passed) = first.filter(|first| first.key().0 <= now) {
                let at_limit = passed.remove();
                drop(entries);
                at_limit(true);
                entries = self.entries();
                continue;
            }
            let until = entries.due.first_key_value().map(|((end, _), _)| *end);
            entries.sleeps_until = until;
            entries = match until {
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    let woken = self.sooner.wait_timeout(entries, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .sooner
                    .wait(entries)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// A limit that has begun. Dropping it ends it.
pub(super) struct TimeLimit {
    shared: Arc<TimerState>,
    due: Option<Due>,
}

impl TimeLimit {
    /// Lets it pass though it is dropped.
    pub(super) fn keep(mut self) {
        self.due = None;
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        if let Some(due) = self.due.take() {
            // What belonged to it is dropped without the lock.
            let ended = self.shared.entries().due.remove(&due);
            drop(ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(5);

    #[test]
    fn limits_pass_in_their_order_and_a_sooner_one_is_not_kept_waiting() {
        let timer = Timer::start().expect("it starts");
        let (told, passed) = channel();
        let limit = |after: Duration, name: &'static str| {
            let told = told.clone();
            timer.limit(after, move |passed| {
                told.send((name, passed)).expect("heard")
            })
        };
        let _long = limit(LONG, "long");
        let _later = limit(4 * SHORT, "later");
        let _sooner = limit(SHORT, "sooner");
        assert_eq!(passed.recv(), Ok(("sooner", true)));
        assert_eq!(passed.recv(), Ok(("later", true)));
        timer.close();
        assert_eq!(passed.recv(), Ok(("long", false)));
    }

    #[test]
    fn a_limit_is_kept_while_the_timer_sleeps_until_a_much_later_one() {
        let timer = Timer::start().expect("it starts");
        let (told, passed) = channel();
        let _long = timer.limit(LONG, drop);
        for no in 0..10 {
            let told = told.clone();
            let _limit = timer.limit(SHORT, move |_| told.send(no).expect("heard"));
            assert_eq!(passed.recv(), Ok(no));
        }
        timer.close();
    }

    #[test]
    fn its_thread_has_gone_after_the_end() {
        let timer = Timer::start().expect("it starts");
        let of_thread = Arc::downgrade(&timer.shared);
        drop(timer.limit(LONG, drop));
        timer.close();
        drop(timer);
        while of_thread.strong_count() > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn one_that_is_dropped_never_passes_and_what_belonged_to_it_is_gone() {
        let timer = Timer::start().expect("it starts");
        let (told, passed) = channel::<bool>();
        drop(timer.limit(SHORT, move |passed| told.send(passed).expect("heard")));
        assert!(passed.recv().is_err());
    }

    #[test]
    fn after_the_end_every_limit_is_told_at_once_that_all_is_shut_down() {
        let timer = Timer::start().expect("it starts");
        timer.close();
        let (told, passed) = channel();
        let _limit = timer.limit(LONG, move |passed| told.send(passed).expect("heard"));
        assert_eq!(passed.try_recv(), Ok(false));
    }

    #[test]
    fn a_limit_beyond_the_end_of_time_is_one() {
        let timer = Timer::start().expect("it starts");
        let (told, passed) = channel();
        let _limit = timer.limit(Duration::MAX, move |passed| {
            told.send(passed).expect("heard")
        });
        timer.close();
        assert_eq!(passed.recv(), Ok(false));
    }
}
