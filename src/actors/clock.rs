//! The one clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::key::time::Time;
use crate::rotation::event::Moment;

/// Tells the time since a manager's start; the machines are told, and never look.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The monotonic time, for limits.
    pub fn now(&self) -> Time {
        Time::at(self.start.elapsed())
    }

    /// The monotonic time, and the wall clock's for the listing; one before 1970 counts as 1970.
    pub fn moment(&self) -> Moment {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall_ms = wall.map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
        Moment {
            time: self.now(),
            wall_ms,
        }
    }
}
