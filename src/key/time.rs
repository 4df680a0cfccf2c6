//! Time as the machines know it: an argument, never a clock.

use std::time::Duration;

/// A moment, as the time since some fixed start that only the caller knows.
///
/// It runs on a monotonic clock: a wall clock that jumps does not touch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(Duration);

impl Time {
    /// The moment `since_start` after the start.
    pub const fn at(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// This moment and `limit` more; a limit beyond the end of time is the end of time.
    pub fn after(self, limit: Duration) -> Self {
        Self(self.0.saturating_add(limit))
    }

    /// How long it is from this moment to `later`; nothing if that is past.
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}
