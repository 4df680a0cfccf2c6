//! What keyward tells the program's log. A subscriber is foreign code that may panic or block, so each
//! event is told on a thread of its own, and the code that tells it never waits.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
#[cfg(feature = "embedded")]
use std::time::Duration;

#[cfg(feature = "server")]
use tokio::sync::mpsc::Receiver;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, dispatcher};

#[cfg(feature = "server")]
use super::event_watch::{EventWatches, Level, SeenEvent};
use super::fault::{catch, dispose};

/// So many events wait for the subscriber; further ones are lost, and counted.
const MAX_WAITING: usize = 1_024;

/// So long the end of a manager waits for the subscriber to take what still waits.
#[cfg(feature = "embedded")]
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// Something to tell: one event, made and told where it is called.
type Telling = Box<dyn Fn() + Send>;

/// The way to the program's log; a clone is the same one. Its thread ends with the last one, or with
/// [`close`](Self::close).
#[derive(Clone)]
pub struct Events {
    of_all: Arc<OfAll>,
}

impl Events {
    /// Starts the thread. Events go to the subscriber that is the current one here and now; if there
    /// is none, to the global default of the time when each is told.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start() -> io::Result<Self> {
        Self::with(MAX_WAITING)
    }

    fn with(most: usize) -> io::Result<Self> {
        let shared = Arc::new(EventLine {
            queue: Mutex::default(),
            changed: Condvar::new(),
            most,
            #[cfg(feature = "server")]
            watches: EventWatches::default(),
        });
        let of_thread = Arc::clone(&shared);
        let current = dispatcher::get_default(Dispatch::clone);
        thread::Builder::new()
            .name("keyward-events".to_owned())
            .spawn(move || {
                if current.is::<NoSubscriber>() {
                    of_thread.tell_all();
                } else {
                    dispatcher::with_default(&current, || of_thread.tell_all());
                }
                dispose(current);
            })?;
        let of_all = Arc::new(OfAll { shared });
        Ok(Self { of_all })
    }

    /// Has an event told, later and in order: `event` calls one of tracing's macros. This never waits,
    /// and what the subscriber does to the event is no matter of the caller.
    pub fn tell(&self, event: impl Fn() + Send + 'static) {
        let shared = &self.of_all.shared;
        let mut queue = shared.queue();
        if queue.closed {
            return;
        }
        if queue.waiting.len() < shared.most {
            queue.waiting.push_back(Box::new(event));
            drop(queue);
            shared.changed.notify_all();
        } else {
            queue.lost += 1;
        }
    }

    /// What is told from now on, of this level and more serious ones. What is not taken fast enough is left
    /// out, and counted.
    #[cfg(feature = "server")]
    pub fn watch(&self, least: Level) -> Receiver<SeenEvent> {
        self.of_all.shared.watches.watch(least)
    }

    /// Takes no more events, and waits a second at most until those that wait are told; those that are
    /// not told by then are dropped. The thread ends when the subscriber gives it back.
    #[cfg(feature = "embedded")]
    pub fn close(&self) {
        self.of_all.shared.end_within(DRAIN_LIMIT);
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

/// What all clones hold together: the thread ends when it is dropped.
struct OfAll {
    shared: Arc<EventLine>,
}

impl Drop for OfAll {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.changed.notify_all();
    }
}

struct EventLine {
    queue: Mutex<EventQueue>,
    /// Told when there is an event, when nothing more comes, and when all is told.
    changed: Condvar,
    most: usize,
    #[cfg(feature = "server")]
    watches: EventWatches,
}

#[derive(Default)]
struct EventQueue {
    waiting: VecDeque<Telling>,
    /// Events that were told to no subscriber, because too many waited or the subscriber panicked.
    lost: u64,
    closed: bool,
    /// Whether the thread tells nothing more.
    #[cfg(feature = "embedded")]
    ended: bool,
}

impl EventLine {
    fn queue(&self) -> MutexGuard<'_, EventQueue> {
        // Nothing foreign runs under this lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_all(&self) {
        while let Some(event) = self.next() {
            let told = catch(&event);
            #[cfg(feature = "server")]
            self.watches.tell(&event);
            if told.is_err() {
                // It is not told again: it would only panic again.
                self.queue().lost += 1;
                continue;
            }
            let lost = std::mem::take(&mut self.queue().lost);
            if lost > 0 && catch(|| tell_lost(lost)).is_err() {
                self.queue().lost += lost;
            }
        }
    }

    fn next(&self) -> Option<Telling> {
        let mut queue = self.queue();
        loop {
            if let Some(event) = queue.waiting.pop_front() {
                return Some(event);
            }
            if queue.closed {
                #[cfg(feature = "embedded")]
                {
                    queue.ended = true;
                    self.changed.notify_all();
                }
                return None;
            }
            let woken = self.changed.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cfg(feature = "embedded")]
    fn end_within(&self, limit: Duration) {
        let mut queue = self.queue();
        queue.closed = true;
        self.changed.notify_all();
        let told = self
            .changed
            .wait_timeout_while(queue, limit, |queue| !queue.ended);
        let (mut queue, _) = told.unwrap_or_else(PoisonError::into_inner);
        let untold = std::mem::take(&mut queue.waiting);
        drop(queue);
        drop(untold);
    }
}

fn tell_lost(lost: u64) {
    tracing::warn!(
        lost,
        "events were lost: too many waited for the log's subscriber, or it panicked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Instant;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber};

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);

    /// A subscriber that does this with each event's text.
    struct Does<F>(F);

    impl<F: Fn(String) + 'static> Subscriber for Does<F> {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            let mut text = Text::default();
            event.record(&mut text);
            (self.0)(text.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[derive(Default)]
    struct Text(String);

    impl Visit for Text {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0 += &format!("{field}={value:?} ");
        }
    }

    fn events(most: usize, does: impl Fn(String) + Send + Sync + 'static) -> Events {
        let subscriber = tracing::Dispatch::new(Does(does));
        dispatcher::with_default(&subscriber, || Events::with(most).expect("it starts"))
    }

    fn number(events: &Events, no: u32) {
        events.tell(move || tracing::info!(no, "numbered"));
    }

    #[test]
    fn events_are_told_in_order_to_the_subscriber_of_the_thread_that_started_it() {
        let (told, heard) = mpsc::channel();
        let events = events(8, move |text| told.send(text).expect("heard"));
        number(&events, 1);
        number(&events, 2);
        events.of_all.shared.end_within(LONG);
        number(&events, 3);
        drop(events);
        let heard: Vec<String> = heard.iter().collect();
        assert_eq!(heard.len(), 2);
        assert!(
            heard[0].contains("no=1") && heard[1].contains("no=2"),
            "{heard:?}"
        );
    }

    #[test]
    fn what_a_blocked_subscriber_does_not_take_is_lost_counted_and_the_count_is_told() {
        let (go, gone) = mpsc::channel::<()>();
        let (told, heard) = mpsc::channel();
        let gate = Mutex::new(gone);
        let events = events(2, move |text| {
            told.send(text).expect("heard");
            let _ = gate.lock().expect("no panic").recv();
        });
        number(&events, 0);
        assert!(heard.recv().expect("heard").contains("no=0"));
        for no in 1..=5 {
            number(&events, no);
        }
        drop(go);
        let next = heard.recv().expect("heard");
        assert!(next.contains("lost=3"), "{next}");
        events.of_all.shared.end_within(LONG);
        drop(events);
        assert_eq!(heard.iter().count(), 2);
    }

    #[test]
    fn a_subscriber_that_panics_loses_that_event_only() {
        let (told, heard) = mpsc::channel();
        let calls = AtomicUsize::new(0);
        let events = events(8, move |text| {
            assert!(calls.fetch_add(1, Ordering::SeqCst) != 0, "the first one");
            told.send(text).expect("heard");
        });
        number(&events, 1);
        number(&events, 2);
        events.of_all.shared.end_within(LONG);
        drop(events);
        let heard: Vec<String> = heard.iter().collect();
        assert!(
            heard[0].contains("no=2") && heard[1].contains("lost=1"),
            "{heard:?}"
        );
    }

    #[test]
    fn the_end_waits_for_a_subscriber_that_blocks_only_so_long() {
        let (go, gone) = mpsc::channel::<()>();
        let gate = Mutex::new(gone);
        let events = events(8, move |_| {
            let _ = gate.lock().expect("no panic").recv();
        });
        let (of_event, dropped) = mpsc::channel::<()>();
        number(&events, 1);
        let of_event = Mutex::new(Some(of_event));
        events.tell(move || drop(of_event.lock().map(|mut sender| sender.take())));
        let begun = Instant::now();
        events.of_all.shared.end_within(SHORT);
        assert!(begun.elapsed() < LONG);
        assert!(dropped.recv().is_err(), "what was not told is kept");
        let shared = Arc::downgrade(&events.of_all.shared);
        drop((events, go));
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn its_thread_ends_with_the_last_handle() {
        let events = events(8, drop);
        let shared = Arc::downgrade(&events.of_all.shared);
        drop(events.clone());
        number(&events, 1);
        drop(events);
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
