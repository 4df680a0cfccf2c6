//! Admission up to a bound: mailboxes are no bounds, so whoever asks takes a place first.

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
        let more = |taken| (taken < self.bound).then_some(taken + 1);
        let order = Ordering::SeqCst;
        self.taken
            .fetch_update(order, order, more)
            .ok()
            .map(|_| Place(Arc::clone(self)))
    }
}

/// A place that is taken.
#[derive(Debug)]
pub struct Place(Arc<Places>);

impl Drop for Place {
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
        assert!(places.take().is_none());
        drop(place);
        assert!(places.take().is_some());
    }
}
