//! Watchers of what is told to the program's log: operators, from elsewhere.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
pub use tracing::Level;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher};

/// So many events wait for one watcher; further ones are left out, and counted.
const MAX_WAITING: usize = 1_024;

/// The events that are watched: keyward's own.
const TARGET: &str = "keyward";

/// A second subscriber, which is told nothing. While `tracing` knows one only, it asks the subscriber of the
/// thread that tells an event first whether the event is wanted, and keeps that answer for all threads: in a
/// program that has no log of its own, the answer would be no, for good.
static SECOND: LazyLock<Dispatch> =
    LazyLock::new(|| Dispatch::new(Capture(EventWatches::default())));

/// An event that was told.
#[derive(Debug, Clone)]
pub struct SeenEvent {
    /// When, in milliseconds since 1970 by the wall clock.
    pub at_ms: u64,
    /// How serious it is.
    pub level: Level,
    /// What happened.
    pub text: String,
    /// What it was about.
    pub fields: Vec<(&'static str, String)>,
    /// How many events before this one were left out, because they were not taken fast enough.
    pub left_out: u64,
}

/// All watchers.
#[derive(Clone, Default)]
pub(super) struct EventWatches {
    shared: Arc<Mutex<Watching>>,
}

#[derive(Default)]
struct Watching {
    watchers: Vec<Watcher>,
    /// Where events are told while there are watchers.
    to: Option<Dispatch>,
}

struct Watcher {
    least: Level,
    to: Sender<SeenEvent>,
    left_out: u64,
}

impl EventWatches {
    /// What is told from now on, of this level and more serious ones.
    pub(super) fn watch(&self, least: Level) -> Receiver<SeenEvent> {
        LazyLock::force(&SECOND);
        let (to, seen) = channel(MAX_WAITING);
        let mut watching = self.watching();
        watching.watchers.push(Watcher {
            least,
            to,
            left_out: 0,
        });
        let of_all = self.clone();
        watching
            .to
            .get_or_insert_with(|| Dispatch::new(Capture(of_all)));
        seen
    }

    /// Has an event told to the watchers, if there are any.
    pub(super) fn tell(&self, event: &dyn Fn()) {
        let mut watching = self.watching();
        watching.watchers.retain(|watcher| !watcher.to.is_closed());
        if watching.watchers.is_empty() {
            watching.to = None;
        }
        let to = watching.to.clone();
        drop(watching);
        if let Some(to) = to {
            dispatcher::with_default(&to, event);
        }
    }

    fn seen(&self, seen: &SeenEvent) {
        for watcher in &mut self.watching().watchers {
            if seen.level > watcher.least {
                continue;
            }
            let mut seen = seen.clone();
            seen.left_out = watcher.left_out;
            match watcher.to.try_send(seen) {
                Ok(()) => watcher.left_out = 0,
                Err(TrySendError::Full(_) | TrySendError::Closed(_)) => watcher.left_out += 1,
            }
        }
    }

    fn watching(&self) -> MutexGuard<'_, Watching> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes events up for the watchers.
struct Capture(EventWatches);

impl Subscriber for Capture {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The program's own events are no more looked at than without this.
        match self.enabled(metadata) {
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().split("::").next() == Some(TARGET)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut seen = SeenEvent {
            at_ms: now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
            level: *event.metadata().level(),
            text: String::new(),
            fields: Vec::new(),
            left_out: 0,
        };
        event.record(&mut seen);
        self.0.seen(&seen);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for SeenEvent {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.text = value.to_owned();
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(watches: &EventWatches, no: u64) {
        watches.tell(&|| tracing::info!(no, key = "documents", "numbered"));
    }

    #[test]
    fn who_watches_is_told_what_happens_from_then_on_by_level() {
        let watches = EventWatches::default();
        tell(&watches, 1);
        let mut all = watches.watch(Level::INFO);
        let mut serious = watches.watch(Level::WARN);
        tell(&watches, 2);
        watches.tell(&|| tracing::error!("bad"));
        let seen = all.try_recv().unwrap();
        assert_eq!((seen.level, seen.text.as_str()), (Level::INFO, "numbered"));
        let fields = [("no", "2".to_owned()), ("key", "documents".to_owned())];
        assert_eq!(seen.fields, fields);
        assert!(seen.at_ms > 0);
        assert_eq!(all.try_recv().unwrap().text, "bad");
        assert_eq!(serious.try_recv().unwrap().text, "bad");
        assert!(serious.try_recv().is_err());
        drop((all, serious));
        tell(&watches, 3);
        assert!(watches.watching().to.is_none());
    }

    #[test]
    fn what_is_not_taken_in_time_is_left_out_and_counted() {
        let watches = EventWatches::default();
        let mut seen = watches.watch(Level::TRACE);
        for no in 0..1_030 {
            tell(&watches, no);
        }
        for _ in 0..MAX_WAITING {
            assert_eq!(seen.try_recv().unwrap().left_out, 0);
        }
        tell(&watches, 0);
        assert_eq!(seen.try_recv().unwrap().left_out, 6);
    }
}
