//! How long data lives: of versions that nobody writes with any more it is counted while the keeper runs, and a
//! version whose data has outlived the stated lifetime owes nothing more.

use std::time::Duration;

use crate::key::name::KeyName;
use crate::key::time::Time;
use crate::rotation::counting::Counting;
use crate::rotation::event::Moment;
use crate::rotation::machine::RotationMachine;

/// How often what was counted becomes durable. A crash loses no more than this, and data is held to live that much
/// longer.
const COUNTED_EVERY: Duration = Duration::from_secs(60);

impl RotationMachine {
    /// Counts from now on for how long nothing is written with versions of a key, if its data lives for a stated time.
    pub(crate) fn begin_counting(&mut self, key: &KeyName, now: Moment) {
        let counting = self.next_count(key).map(|wait| Counting {
            since: now.time,
            due: now.time.after(wait),
        });
        match counting {
            Some(counting) => self.counting.insert(key.clone(), counting),
            None => self.counting.remove(key),
        };
    }

    /// Counts what has passed, and ends the debts that are over.
    pub(crate) fn count_lifetime(&mut self, key: &KeyName, now: Moment) {
        let (Some(counting), Some(lives)) = (self.counting.get(key), self.data_lives(key)) else {
            return;
        };
        let ran = milliseconds(counting.since.until(now.time));
        let counted = self.table(key).map(|table| table.count(ran));
        self.change_versions(key, counted.unwrap_or_default());
        let over = self
            .table(key)
            .map(|table| table.outlive(milliseconds(lives)));
        self.change_versions(key, over.unwrap_or_default());
        self.begin_counting(key, now);
    }

    /// Counts what has passed of each key for which that is due.
    pub(crate) fn count_lifetimes(&mut self, now: Moment) {
        let due = self
            .counting
            .iter_mut()
            .filter(|(_, of)| of.due <= now.time);
        let mut keys = Vec::new();
        for (key, counting) in due {
            // Where nothing can be made durable now, it is counted later.
            counting.due = now.time.after(COUNTED_EVERY);
            keys.push(key.clone());
        }
        if self.goes_on() {
            for key in keys {
                self.count_lifetime(&key, now);
            }
        }
    }

    /// Counts what has passed of every key, at the end of this life.
    pub(crate) fn count_all_lifetimes(&mut self, now: Moment) {
        if self.paused.is_none() {
            let keys: Vec<KeyName> = self.counting.keys().cloned().collect();
            for key in keys {
                self.count_lifetime(&key, now);
            }
        }
    }

    /// When something is to be counted next.
    pub(crate) fn next_count_due(&self) -> Option<Time> {
        self.counting.values().map(|counting| counting.due).min()
    }

    /// How long data of a key lives, if that is stated.
    fn data_lives(&self, key: &KeyName) -> Option<Duration> {
        let (behaviour, _) = self.rotations.queue(key)?.defined.as_ref()?;
        behaviour.versions.as_ref()?.data_lives
    }

    /// How long it is until something has to be counted of a key; none where nothing has.
    fn next_count(&self, key: &KeyName) -> Option<Duration> {
        let lives = self.data_lives(key)?;
        let left = self.table(key)?.shortest_left(milliseconds(lives))?;
        Some(COUNTED_EVERY.min(Duration::from_millis(left)))
    }
}

fn milliseconds(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}
