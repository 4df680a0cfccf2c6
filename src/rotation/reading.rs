//! When the engine has the journal read anew: at once after a failure, after the time that is set from
//! one attempt to the next, and never again once the journal is lost for good.

use crate::key::journal_down::JournalDown;
use crate::key::time::Time;
use crate::rotation::engine::{Action, RotationEngine};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Event, Moment};
use crate::rotation::phase::Phase;

impl RotationEngine {
    /// What was found when the journal was read anew was lost: it is read once more.
    pub fn reading_was_lost(&mut self, now: Moment) -> Vec<Action> {
        self.machine.forget_half_a_step();
        match self.phase {
            Phase::Reading => vec![self.read(now.time)],
            Phase::Going | Phase::Draining | Phase::Waiting(_) | Phase::Lost => Vec::new(),
        }
    }

    /// Reads the journal anew, or waits until it may be: one attempt follows another only after
    /// the time that is set.
    pub(crate) fn begin_to_read(&mut self, now: Time) -> Option<Action> {
        match self.last_read.map(|_| self.next_read_after_last()) {
            Some(at) if at > now => {
                self.phase = Phase::Waiting(at);
                None
            }
            Some(_) | None => Some(self.read(now)),
        }
    }

    /// After a failure: the journal is read anew, or is lost.
    pub(crate) fn lose_or_read(&mut self, why: JournalDown, now: Moment) -> Vec<Action> {
        if why.is_for_good() {
            return self.lose(why, now);
        }
        self.begin_to_read(now.time).into_iter().collect()
    }

    /// This manager writes nothing more, for good: a request that waits for what the journal has is told so, and
    /// what a write may have changed counts as not made.
    pub(crate) fn lose(&mut self, why: JournalDown, now: Moment) -> Vec<Action> {
        self.phase = Phase::Lost;
        let effects = self.machine.step(Event::Paused { why: why.clone() }, now);
        let mut actions = self.take_in(effects);
        let held = std::mem::take(&mut self.held);
        actions.extend(held.into_iter().filter_map(|effect| self.take_back(effect)));
        for ticket in std::mem::take(&mut self.wait_again) {
            if let Some(id) = self.waits.get(&ticket).copied() {
                let told = RotationError::of_journal(Some(id), why.clone());
                actions.extend(self.tell(ticket, Err(told)));
            }
        }
        actions
    }

    pub(crate) fn read(&mut self, now: Time) -> Action {
        self.phase = Phase::Reading;
        self.last_read = Some(now);
        Action::Reopen
    }

    pub(crate) fn next_read(&self, now: Time) -> Time {
        now.after(self.machine.config.reopen_every)
    }

    fn next_read_after_last(&self) -> Time {
        self.next_read(self.last_read.unwrap_or_default())
    }

    pub(crate) fn is_time_to_read(&self, now: Time) -> bool {
        matches!(self.phase, Phase::Waiting(at) if at <= now)
    }
}
