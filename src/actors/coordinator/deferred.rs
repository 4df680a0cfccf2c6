//! Requests that wait while the journal is read, and when it is worth looking for those that were given
//! up.

use tokio::sync::oneshot;

use crate::actors::coordinator::message::Cancellable;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;

/// How many requests are deferred at most while the journal is read.
const MAX_DEFERRED: usize = 16_384;

/// As long as there are no more requests, those that were given up are not looked for.
const FEW: usize = 16;

/// A request that has arrived.
pub(super) struct Arrived {
    pub(super) request: Cancellable,
    pub(super) reply: oneshot::Sender<Result<Reply, RotationError>>,
}

/// When to look for requests that were given up: when there are twice as many as were left the last
/// time. So they are never more than the others, and a few, and looking costs each request the same,
/// however many there are.
pub(super) struct Cleanup {
    at: usize,
}

impl Default for Cleanup {
    fn default() -> Self {
        Self { at: FEW }
    }
}

impl Cleanup {
    pub(super) fn is_due(&self, count: usize) -> bool {
        count >= self.at
    }

    pub(super) fn made(&mut self, left: usize) {
        self.at = left.saturating_mul(2).max(FEW);
    }
}

/// The requests that arrived while the journal is read, up to a bound.
#[derive(Default)]
pub(super) struct Deferred {
    arrived: Vec<Arrived>,
    cleanup: Cleanup,
}

impl Deferred {
    /// Defers a request, or answers that too many are.
    pub(super) fn add(&mut self, one: Arrived) {
        let is_full = self.arrived.len() >= MAX_DEFERRED;
        if is_full || self.cleanup.is_due(self.arrived.len()) {
            self.arrived.retain(|one| !one.reply.is_closed());
            self.cleanup.made(self.arrived.len());
        }
        if self.arrived.len() < MAX_DEFERRED {
            self.arrived.push(one);
        } else {
            let bound = MAX_DEFERRED;
            drop(one.reply.send(Err(RotationError::Busy { bound })));
        }
    }

    /// Those that were not given up, which are deferred no more.
    pub(super) fn take(&mut self) -> Vec<Arrived> {
        let Self { mut arrived, .. } = std::mem::take(self);
        arrived.retain(|one| !one.reply.is_closed());
        arrived
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::coordinator::message::{CoordinatorRequest, With};
    use crate::rotation::event::Event;

    fn asked() -> (Arrived, oneshot::Receiver<Result<Reply, RotationError>>) {
        let (reply, answer) = oneshot::channel();
        let request = Cancellable::new(CoordinatorRequest {
            make: Box::new(|ticket| Event::Gone { ticket }),
            with: With::Nothing,
        });
        (Arrived { request, reply }, answer)
    }

    #[test]
    fn those_who_are_gone_are_not_kept_and_beyond_the_bound_they_are_told_busy() {
        let mut deferred = Deferred::default();
        for _ in 0..10_000 {
            let (gone, _) = asked();
            deferred.add(gone);
            assert!(deferred.arrived.len() <= FEW);
        }
        let mut waiting = Vec::new();
        for _ in 0..MAX_DEFERRED {
            let (one, answer) = asked();
            deferred.add(one);
            waiting.push(answer);
        }
        let (one_more, mut answer) = asked();
        deferred.add(one_more);
        let bound = MAX_DEFERRED;
        assert_eq!(answer.try_recv(), Ok(Err(RotationError::Busy { bound })));
        waiting.pop();
        let (another, _answer) = asked();
        deferred.add(another);
        let taken = deferred.take();
        assert_eq!(taken.len(), MAX_DEFERRED);
    }
}
