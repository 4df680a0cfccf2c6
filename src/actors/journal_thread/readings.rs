//! Readings that are waited for: made after all other jobs of the journal, in pieces where they are long,
//! and given up at once when their caller gives up.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::actors::admission::{Permit, Permits};
use crate::actors::journal_thread::closed::panicked;
use crate::guard::events::Events;
use crate::guard::fault;
use crate::journal::opened::Journal;

/// How many readings may wait at once.
const MAX_READINGS: usize = 1_024;

/// Does a piece; answers whether that was the last one.
type Piece = Box<dyn FnMut(&mut Option<Journal>) -> ControlFlow<()> + Send>;

/// The readings that wait, in two lines: those of one piece go before those of several.
#[derive(Default)]
struct ReadingLines {
    next: u64,
    short: VecDeque<(u64, Piece)>,
    long: VecDeque<(u64, Piece)>,
}

/// Whether a reading takes one piece or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Short,
    Long,
}

/// The readings that wait, and their permits.
pub(super) struct Readings {
    lines: Mutex<ReadingLines>,
    permits: Arc<Permits>,
    /// Whether the journal's thread was told of a reading, and has not looked yet.
    told: AtomicBool,
}

impl Readings {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            permits: Permits::new(MAX_READINGS),
            told: AtomicBool::new(false),
        })
    }

    /// Lines up `piece`, which is done until it breaks with the answer. None where no permit is free;
    /// then the bound is [`bound`](Self::bound).
    pub(super) fn line_up<T: Send + 'static>(
        self: &Arc<Self>,
        length: Length,
        mut piece: impl FnMut(&mut Journal) -> ControlFlow<T> + Send + 'static,
    ) -> Option<PendingReading<T>> {
        let permit = self.permits.take()?;
        let (told, answer) = oneshot::channel();
        let mut told = Some(told);
        let piece: Piece = Box::new(move |journal| {
            // Without a journal, or a caller, nothing more is done; the caller is told by the end of
            // the channel.
            let asker = told.take().filter(|told| !told.is_closed());
            let (Some(asker), Some(journal)) = (asker, journal) else {
                return ControlFlow::Break(());
            };
            match piece(journal) {
                ControlFlow::Continue(()) => {
                    told = Some(asker);
                    ControlFlow::Continue(())
                }
                ControlFlow::Break(done) => {
                    drop(asker.send(done));
                    ControlFlow::Break(())
                }
            }
        });
        let mut lines = self.lock();
        lines.next += 1;
        let number = lines.next;
        lines.of(length).push_back((number, piece));
        drop(lines);
        Some(PendingReading {
            answer,
            readings: Arc::clone(self),
            length,
            number,
            _permit: permit,
        })
    }

    /// How many may wait.
    pub(super) fn bound(&self) -> usize {
        self.permits.bound()
    }

    /// Whether the journal's thread has to be told that a reading waits.
    pub(super) fn is_news(&self) -> bool {
        !self.told.swap(true, Ordering::SeqCst)
    }

    /// The journal's thread was told, and is about to look.
    pub(super) fn looked(&self) {
        self.told.store(false, Ordering::SeqCst);
    }

    /// Does the next piece, if there is one.
    pub(super) fn do_a_piece(&self, journal: &mut Option<Journal>, events: &Events) -> bool {
        let next = {
            let mut lines = self.lock();
            let short = lines.short.pop_front().map(|next| (Length::Short, next));
            short.or_else(|| lines.long.pop_front().map(|next| (Length::Long, next)))
        };
        let Some((length, (number, mut piece))) = next else {
            return false;
        };
        match fault::catch(|| piece(journal)) {
            Ok(ControlFlow::Continue(())) => self.lock().of(length).push_front((number, piece)),
            Ok(ControlFlow::Break(())) => {}
            Err(fault) => panicked(events, fault),
        }
        true
    }

    fn give_up(&self, length: Length, number: u64) {
        let mut lines = self.lock();
        let line = lines.of(length);
        let at = line.binary_search_by_key(&number, |(number, _)| *number);
        let given_up = at.ok().and_then(|at| line.remove(at));
        drop(lines);
        drop(given_up);
    }

    fn lock(&self) -> MutexGuard<'_, ReadingLines> {
        // Nothing foreign runs under this lock.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadingLines {
    fn of(&mut self, length: Length) -> &mut VecDeque<(u64, Piece)> {
        match length {
            Length::Short => &mut self.short,
            Length::Long => &mut self.long,
        }
    }
}

/// A reading that is waited for. When this is dropped, its permit is free and no more of it is done.
pub(super) struct PendingReading<T> {
    answer: oneshot::Receiver<T>,
    readings: Arc<Readings>,
    length: Length,
    number: u64,
    _permit: Permit,
}

impl<T> PendingReading<T> {
    /// The answer; none where the journal is closed, or panicked.
    pub(super) async fn answer(mut self) -> Option<T> {
        (&mut self.answer).await.ok()
    }
}

impl<T> Drop for PendingReading<T> {
    fn drop(&mut self) {
        self.answer.close();
        self.readings.give_up(self.length, self.number);
    }
}
