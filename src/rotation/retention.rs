//! How long the history remembers rotations that have ended.

use std::time::Duration;

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
