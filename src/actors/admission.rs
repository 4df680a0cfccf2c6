//! Admission up to a bound: mailboxes are no bounds, so an asker takes a permit first.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A fixed number of permits.
#[derive(Debug)]
pub struct Permits {
    taken: AtomicUsize,
    bound: usize,
}

impl Permits {
    /// A number of free permits.
    pub fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            taken: AtomicUsize::new(0),
            bound,
        })
    }

    /// How many permits there are.
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// Takes a permit, if one is free. It is free again when the permit is dropped.
    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        self.has_taken().then(|| Permit(Arc::clone(self)))
    }

    /// Takes a permit, if one is free, for as long as this is borrowed.
    pub fn lend(&self) -> Option<Permit<&Self>> {
        self.has_taken().then(|| Permit(self))
    }

    fn has_taken(&self) -> bool {
        let more = |taken| (taken < self.bound).then_some(taken + 1);
        let order = Ordering::SeqCst;
        self.taken.fetch_update(order, order, more).is_ok()
    }
}

/// A permit that is taken.
#[derive(Debug)]
pub struct Permit<P: Deref<Target = Permits> = Arc<Permits>>(P);

impl<P: Deref<Target = Permits>> Drop for Permit<P> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_that_is_given_back_is_free_at_once() {
        let permits = Permits::new(1);
        let permit = permits.take();
        assert!(permit.is_some());
        for _ in 0..3 {
            assert!(permits.take().is_none() && permits.lend().is_none());
        }
        drop(permit);
        let permit = permits.lend();
        assert!(permit.is_some());
        for _ in 0..3 {
            assert!(permits.take().is_none() && permits.lend().is_none());
        }
        drop(permit);
        assert!(permits.take().is_some());
    }
}
