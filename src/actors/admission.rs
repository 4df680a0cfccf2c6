//! Admission up to a bound: mailboxes are no bounds, so whoever asks takes a place first.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many places.
#[derive(Debug)]
pub struct Places {
    taken: AtomicUsize,
    bound: usize,
}

impl Places {
    /// A number of free places.
    pub fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            bound,
        })
    }

    /// How many places there are.
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Takes a place, if one is free. It is free again when the place is dropped.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        self.has_taken().then(|| Place(Arc::clone(self)))
    }

    /// Takes a place, if one is free, for somebody who stays here as long.
    pub fn lend(&self) -> Option<Place<&Self>> {
        self.has_taken().then(|| Place(self))
    }

    fn has_taken(&self) -> bool {
        let more = |taken| (taken < self.bound).then_some(taken + 1);
        let order = Ordering::SeqCst;
        self.taken.fetch_update(order, order, more).is_ok()
    }
}

/// A place that is taken.
#[derive(Debug)]
pub struct Place<P: Deref<Target = Places> = Arc<Places>>(P);

impl<P: Deref<Target = Places>> Drop for Place<P> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_is_free_at_once() {
        let places = Places::new(1);
        let place = places.take();
        assert!(place.is_some());
        for _ in 0..3 {
            assert!(places.take().is_none() && places.lend().is_none());
        }
        drop(place);
        let place = places.lend();
        assert!(place.is_some());
        for _ in 0..3 {
            assert!(places.take().is_none() && places.lend().is_none());
        }
        drop(place);
        assert!(places.take().is_some());
    }
}
