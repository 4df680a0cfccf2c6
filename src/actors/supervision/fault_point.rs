//! Points at which a test may let an actor die. Without the feature `testing` they are nothing.

/// Where an actor dies if a test has asked for it.
#[derive(Debug, Default)]
pub struct FaultPoints {
    #[cfg(feature = "testing")]
    left: std::sync::atomic::AtomicU64,
}

impl FaultPoints {
    /// One point: the actor dies here if this is the one that a test has asked for.
    #[inline]
    pub fn pass(&self) {
        #[cfg(feature = "testing")]
        self.count_down();
    }
}

#[cfg(feature = "testing")]
impl FaultPoints {
    /// The actor dies at the point of this number from now on, 1 being the next.
    pub fn kill_at(&self, point: u64) {
        self.left.store(point, std::sync::atomic::Ordering::SeqCst);
    }

    fn count_down(&self) {
        use std::sync::atomic::Ordering::SeqCst;
        let one_less = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(SeqCst, SeqCst, one_less) == Ok(1) {
            std::panic::resume_unwind(Box::new("killed by a test"));
        }
    }
}
