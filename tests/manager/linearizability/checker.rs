//! Whether some order of operations, one at a time and in real-time order, explains what all of
//! them answered: the search of Wing and Gong with the memory of Lowe, which looks at no state
//! twice after the same operations.
//!
//! It differs from stateright's tester in what a key needs: an operation may have several outcomes
//! (each fetch during its time may have served it), may be known to come after another one though
//! their times overlap, and may have taken effect or not (its asker is gone). `peer.rs` shows that
//! both answer the same where both can be asked.

use std::collections::HashSet;
use std::hash::Hash;

/// An object that does one operation after the other.
pub trait Object: Clone {
    /// An operation, and what it answered.
    type Operation;
    /// What tells two states apart.
    type Fingerprint: Eq + Hash;

    /// The states after an operation that answered what it did; none if that cannot be now.
    fn after(&self, operation: &Self::Operation) -> Vec<Self>;

    /// What tells this state from others.
    fn fingerprint(&self) -> Self::Fingerprint;
}

/// When an operation that has not ended will have ended.
pub const NEVER: u64 = u64::MAX;

/// An operation with the time in which it took effect. No two of these moments are the same one.
#[derive(Debug, Clone)]
pub struct Timed<O> {
    /// Not before this moment.
    pub began: u64,
    /// Not after this moment.
    pub ended: u64,
    /// Whether it may have had no effect at all.
    pub optional: bool,
    /// Which operations it comes after, also where their times overlap.
    pub after: Vec<usize>,
    /// What was done.
    pub operation: O,
}

/// What came of the search: places in the list of operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This order explains the history.
    Explained(Vec<usize>),
    /// No order does. This is the longest that explains a part of it.
    Refused(Vec<usize>),
}

impl Verdict {
    /// Whether there is an order.
    pub fn is_explained(&self) -> bool {
        matches!(self, Self::Explained(_))
    }
}

/// More states than any history of these tests needs: a history that takes so many is a fault of
/// its workload, and no verdict.
const MOST_STATES: usize = 3_000_000;

/// Looks for an order.
pub fn check<T: Object>(object: &T, operations: &[Timed<T::Operation>]) -> Verdict {
    let mut search = Search::<T> {
        operations,
        done: vec![0; operations.len().div_ceil(64)],
        order: Vec::new(),
        longest: Vec::new(),
        seen: HashSet::new(),
    };
    if search.goes_on(object, 0) {
        Verdict::Explained(search.order)
    } else {
        Verdict::Refused(search.longest)
    }
}

struct Search<'a, T: Object> {
    operations: &'a [Timed<T::Operation>],
    done: Vec<u64>,
    order: Vec<usize>,
    longest: Vec<usize>,
    seen: HashSet<(Vec<u64>, T::Fingerprint)>,
}

impl<T: Object> Search<'_, T> {
    /// Whether the rest can follow. `latest` is the latest beginning of what is done.
    fn goes_on(&mut self, object: &T, latest: u64) -> bool {
        if !self.seen.insert((self.done.clone(), object.fingerprint())) {
            return false;
        }
        assert!(self.seen.len() < MOST_STATES, "no verdict: too many states");
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        // What has ended before another one begins comes before it.
        let left = |at: &usize| !self.is_done(*at) && !self.operations[*at].optional;
        let horizon = (0..self.operations.len())
            .filter(left)
            .map(|at| self.operations[at].ended)
            .min();
        let Some(horizon) = horizon else {
            return true;
        };
        for at in self.next(horizon, latest) {
            let operations = self.operations;
            let this = &operations[at];
            for next in object.after(&this.operation) {
                self.done[at / 64] |= 1 << (at % 64);
                self.order.push(at);
                if self.goes_on(&next, latest.max(this.began)) {
                    return true;
                }
                self.order.pop();
                self.done[at / 64] &= !(1 << (at % 64));
            }
        }
        false
    }

    /// What may be next, that which ended first before the others.
    fn next(&self, horizon: u64, latest: u64) -> Vec<usize> {
        let mut next: Vec<usize> = (0..self.operations.len())
            .filter(|at| !self.is_done(*at))
            .filter(|at| {
                let this = &self.operations[*at];
                this.began < horizon
                    && latest < this.ended
                    && this.after.iter().all(|before| self.is_done(*before))
            })
            .collect();
        next.sort_by_key(|at| self.operations[*at].ended);
        next
    }

    fn is_done(&self, at: usize) -> bool {
        self.done[at / 64] & (1 << (at % 64)) != 0
    }
}
