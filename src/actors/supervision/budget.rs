//! How often an actor may die before it has failed, and how long its restart waits. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use crate::key::time::Time;

/// No restart waits longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The bounds of restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartLimits {
    /// So many restarts are made.
    pub most: u32,
    /// Within this time.
    pub within: Duration,
    /// The first of them waits so long, each further one twice as long as the one before, up to
    /// one second.
    pub backoff: Duration,
}

impl RestartLimits {
    /// Whether they bound nothing: of restarts within no time there is always none.
    pub fn are_unbounded(&self) -> bool {
        self.most > 0 && self.within.is_zero()
    }
}

/// The restarts of one actor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budget {
    restarts: VecDeque<Time>,
}

impl Budget {
    /// The actor died: how long its restart waits; none if it has died too often.
    pub fn spend(&mut self, limits: &RestartLimits, now: Time) -> Option<Duration> {
        while self
            .restarts
            .front()
            .is_some_and(|at| at.after(limits.within) <= now)
        {
            self.restarts.pop_front();
        }
        let spent = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        if spent >= limits.most {
            return None;
        }
        self.restarts.push_back(now);
        let factor = 2_u32.saturating_pow(spent);
        Some(limits.backoff.saturating_mul(factor).min(LONGEST_BACKOFF))
    }

    /// An operator starts it anew.
    pub fn renew(&mut self) {
        self.restarts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RestartLimits = RestartLimits {
        most: 5,
        within: Duration::from_secs(10),
        backoff: Duration::from_millis(10),
    };

    fn at(seconds: u64) -> Time {
        Time::at(Duration::from_secs(seconds))
    }

    #[test]
    fn the_sixth_death_within_the_time_is_one_too_many() {
        let mut budget = Budget::default();
        for death in 0..5 {
            assert!(budget.spend(&LIMITS, at(death)).is_some());
        }
        assert_eq!(budget.spend(&LIMITS, at(9)), None);
        budget.renew();
        assert!(budget.spend(&LIMITS, at(9)).is_some());
    }

    #[test]
    fn a_death_that_is_long_past_does_not_count() {
        let mut budget = Budget::default();
        for death in 0..5 {
            budget.spend(&LIMITS, at(death));
        }
        assert!(budget.spend(&LIMITS, at(10)).is_some());
        assert_eq!(budget.spend(&LIMITS, at(10)), None);
        assert!(budget.spend(&LIMITS, at(11)).is_some());
    }

    #[test]
    fn each_restart_waits_twice_as_long_as_the_one_before_up_to_a_second() {
        let mut budget = Budget::default();
        let limits = RestartLimits { most: 9, ..LIMITS };
        let waits: Vec<u128> = (0..9)
            .filter_map(|_| budget.spend(&limits, at(0)))
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }
}
