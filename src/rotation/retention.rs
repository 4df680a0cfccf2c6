//! How long the history remembers rotations that have ended.

use std::time::Duration;

use crate::key::time::Time;
use crate::rotation::event::Moment;

/// For how long a wall clock must have gone steadily before it is a ground to prune.
const STEADY: Duration = Duration::from_hours(24);

/// How much of the history is kept. What is beyond one of the bounds is pruned, a whole rotation at a
/// time, the one that was declared first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// How long after its end a rotation is remembered; none for ever.
    pub max_age: Option<Duration>,
    /// How many rotations are remembered; none for all.
    pub max_count: Option<u64>,
}

impl HistoryLimits {
    /// Whether so many are too many.
    pub fn is_too_many(&self, count: u64) -> bool {
        self.max_count.is_some_and(|most| count > most)
    }

    /// Whether what happened then, by the wall clock, is too long ago. What seems to happen later
    /// than now is not: a clock was wrong, and nothing is pruned for that.
    pub fn is_too_old(&self, happened_ms: u64, now_ms: u64) -> bool {
        let age = Duration::from_millis(now_ms.saturating_sub(happened_ms));
        self.max_age.is_some_and(|most| age > most)
    }
}

/// The time of the wall clock as far as it may be pruned by.
///
/// A wall clock may be wrong for a while, or from a start until it is set. What counts is how far it
/// is from the monotonic clock: that it stands further ahead is believed once each reading of a
/// whole day has said so, or of the greatest age where that is shorter; that it stands further back
/// is believed at once, for then less is pruned. It begins anew in each life of the program.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    span: Duration,
    /// Since when the least offset is looked for, and the least so far, in milliseconds.
    looking: Option<(Time, i128)>,
    agreed: Option<i128>,
}

impl SteadyClock {
    /// For these limits; no reading has been made.
    pub fn new(limits: &HistoryLimits) -> Self {
        Self {
            span: limits.max_age.map_or(STEADY, |age| age.min(STEADY)),
            looking: None,
            agreed: None,
        }
    }

    /// For how long the wall clock must go steadily.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Takes a reading in; answers the time to prune by, in milliseconds since 1970. It is 0, before
    /// everything that has happened, until the wall clock has gone steadily for long enough.
    pub fn read(&mut self, now: Moment) -> u64 {
        let monotonic = i128::try_from(Time::default().until(now.time).as_millis());
        let monotonic = monotonic.unwrap_or(i128::MAX);
        let offset = i128::from(now.wall_ms).saturating_sub(monotonic);
        let (since, least) = self.looking.unwrap_or((now.time, offset));
        let least = least.min(offset);
        if since.until(now.time) >= self.span {
            self.agreed = Some(least);
            self.looking = Some((now.time, offset));
        } else {
            self.agreed = self.agreed.map(|agreed| agreed.min(offset));
            self.looking = Some((since, least));
        }
        let time = self.agreed.map(|agreed| agreed.saturating_add(monotonic));
        time.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_too_old_beyond_the_age_and_never_by_a_clock_that_is_behind() {
        let of = |max_age| HistoryLimits {
            max_age,
            max_count: None,
        };
        let day = Some(Duration::from_secs(86_400));
        let table = [
            (day, 0, 86_400_000, false),
            (day, 0, 86_400_001, true),
            (day, 86_400_001, 0, false),
            (day, u64::MAX, 86_400_001, false),
            (Some(Duration::ZERO), 5, 5, false),
            (Some(Duration::ZERO), 5, 6, true),
            (None, 0, u64::MAX, false),
        ];
        for (age, happened, now, old) in table {
            assert_eq!(
                of(age).is_too_old(happened, now),
                old,
                "{age:?} {happened} {now}"
            );
        }
    }

    const HOUR: u64 = 3_600;

    /// Reads at these seconds of the monotonic clock, at which the wall clock shows those.
    fn read(age: Option<Duration>, readings: &[(u64, u64)]) -> Vec<u64> {
        let mut clock = SteadyClock::new(&HistoryLimits {
            max_age: age,
            max_count: None,
        });
        let mut read = |(time, wall): &(u64, u64)| {
            clock.read(Moment {
                time: Time::at(Duration::from_secs(*time)),
                wall_ms: wall * 1_000,
            }) / 1_000
        };
        readings.iter().map(&mut read).collect()
    }

    #[test]
    fn a_wall_clock_is_a_ground_to_prune_once_it_has_gone_steadily_for_a_day() {
        let table = [(0, 500), (HOUR, 500 + HOUR), (24 * HOUR, 500 + 24 * HOUR)];
        assert_eq!(read(None, &table), [0, 0, 500 + 24 * HOUR]);
    }

    #[test]
    fn a_jump_ahead_is_no_ground_whether_it_comes_while_all_runs_or_at_the_start() {
        let (day, far) = (24 * HOUR, 87_600 * HOUR);
        let jumps = [
            (0, 500),
            (day, 500 + day),
            (day + 1, far),
            (day + 4, 500 + day + 4),
            (3 * day, 500 + 3 * day),
        ];
        let steady = [0, 500 + day, 501 + day, 504 + day, 500 + 3 * day];
        assert_eq!(read(None, &jumps), steady);
        let starts = [(0, far), (600, 500), (day, day), (day + 600, day + 500)];
        assert_eq!(read(None, &starts), [0, 0, 500 + day - 600, day + 500]);
    }

    #[test]
    fn a_step_back_is_believed_at_once_and_a_step_ahead_after_a_day_at_the_least() {
        let day = 24 * HOUR;
        let back = [(0, 2 * day), (day, 3 * day), (day + 60, 60)];
        assert_eq!(read(None, &back), [0, 3 * day, 60]);
        let ahead = [
            (0, 0),
            (day, day),
            (day + 60, 10 * day + 60),
            (2 * day, 11 * day),
            (3 * day, 12 * day),
        ];
        assert_eq!(read(None, &ahead), [0, day, day + 60, 2 * day, 12 * day]);
    }

    #[test]
    fn a_shorter_age_asks_for_no_more_than_itself() {
        let hour = Some(Duration::from_secs(HOUR));
        assert_eq!(read(hour, &[(0, 7), (HOUR, 7 + HOUR)]), [0, 7 + HOUR]);
        assert_eq!(read(Some(Duration::ZERO), &[(0, 7)]), [7]);
    }

    #[test]
    fn clocks_at_their_ends_are_no_panic() {
        let mut clock = SteadyClock::new(&HistoryLimits {
            max_age: Some(Duration::ZERO),
            max_count: None,
        });
        let end = Time::at(Duration::MAX);
        for (time, wall_ms) in [(end, 0), (end, u64::MAX), (Time::default(), u64::MAX)] {
            clock.read(Moment { time, wall_ms });
        }
    }

    #[test]
    fn more_than_the_count_are_too_many() {
        let of = |max_count| HistoryLimits {
            max_age: None,
            max_count,
        };
        for (most, count, many) in [(Some(3), 3, false), (Some(3), 4, true), (Some(0), 1, true)] {
            assert_eq!(of(most).is_too_many(count), many);
        }
        assert!(!of(None).is_too_many(u64::MAX));
    }
}
