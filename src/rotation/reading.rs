//! When the engine has the journal read anew: at once after a failure, and after the time that is set
//! from one attempt to the next.

use crate::key::time::Time;
use crate::rotation::engine::{Action, RotationEngine};

/// How far the engine is on its way back from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Phase {
    /// Nothing is wrong.
    #[default]
    Going,
    /// The end of the batch under way is awaited.
    Draining,
    /// The journal is being read anew.
    Reading,
    /// It is to be read anew at this time.
    Waiting(Time),
}

impl RotationEngine {
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
