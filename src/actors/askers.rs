//! Those who asked the coordinator: who is deferred while the journal is read, and when it is worth
//! looking for those who do not wait any more.

use tokio::sync::oneshot;

use crate::actors::coordinator::{CoordinatorPart, Ctx};
use crate::actors::coordinator_message::{Parcel, Request, With};
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Event};

/// How many requests are deferred at most while the journal is read.
const MAX_DEFERRED: usize = 16_384;

/// As long as there are no more, nobody looks for those who do not wait any more.
const FEW: usize = 16;

/// A request that has arrived.
pub(super) struct Asked {
    pub(super) request: Parcel,
    pub(super) reply: oneshot::Sender<Result<Reply, RotationError>>,
}

/// When to look for those who do not wait any more: when there are twice as many as waited the last
/// time. So they are never more than those who wait, and a few, and the looking costs each
/// request the same, however many there are.
pub(super) struct Sweep {
    at: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { at: FEW }
    }
}

impl Sweep {
    fn is_due(&self, count: usize) -> bool {
        count >= self.at
    }

    fn made(&mut self, left: usize) {
        self.at = left.saturating_mul(2).max(FEW);
    }
}

/// The requests that arrived while the journal is read, up to a bound.
#[derive(Default)]
pub(super) struct Deferred {
    asked: Vec<Asked>,
    sweep: Sweep,
}

impl Deferred {
    /// Defers a request, or tells its asker that too many are.
    pub(super) fn add(&mut self, asked: Asked) {
        let is_full = self.asked.len() >= MAX_DEFERRED;
        if is_full || self.sweep.is_due(self.asked.len()) {
            self.asked.retain(|asked| !asked.reply.is_closed());
            self.sweep.made(self.asked.len());
        }
        if self.asked.len() < MAX_DEFERRED {
            self.asked.push(asked);
        } else {
            let bound = MAX_DEFERRED;
            drop(asked.reply.send(Err(RotationError::Busy { bound })));
        }
    }

    /// Those who wait still, who are deferred no more.
    pub(super) fn take(&mut self) -> Vec<Asked> {
        let Self { mut asked, .. } = std::mem::take(self);
        asked.retain(|asked| !asked.reply.is_closed());
        asked
    }
}

impl CoordinatorPart {
    pub(super) fn asked(&mut self, asked: Asked, ctx: &mut Ctx) {
        let Asked { request, reply } = asked;
        let Some(Request { make, with }) = request.take() else {
            // Nobody waits for it any more.
            return;
        };
        self.next_ask += 1;
        let ask = self.next_ask;
        if self.sweep.is_due(self.replies.len()) {
            self.forget_the_gone(ctx);
        }
        self.replies.insert(ask, reply);
        let event = make(ask);
        if !matches!(with, With::Nothing) {
            self.offered.insert(ask, with);
        }
        self.step(event, ctx);
    }

    /// Lets go of those who asked and do not wait any more.
    fn forget_the_gone(&mut self, ctx: &mut Ctx) {
        let gone = self.replies.extract_if(|_, reply| reply.is_closed());
        let asks: Vec<Ask> = gone.map(|(ask, _)| ask).collect();
        self.sweep.made(self.replies.len());
        for ask in asks {
            self.offered.remove(&ask);
            self.step(Event::Gone { ask }, ctx);
        }
    }

    /// The history was searched for a declaration, which is accepted for nobody who is gone: its keys
    /// are gone as well.
    pub(super) fn searched(&mut self, event: Event, ctx: &mut Ctx) {
        self.searches = self.searches.saturating_sub(1);
        match event.ask().filter(|ask| !self.replies.contains_key(ask)) {
            Some(ask) => self.step(Event::Gone { ask }, ctx),
            None => self.step(event, ctx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> (Asked, oneshot::Receiver<Result<Reply, RotationError>>) {
        let (reply, answer) = oneshot::channel();
        let request = Parcel::new(Request {
            make: Box::new(|ask| Event::Gone { ask }),
            with: With::Nothing,
        });
        (Asked { request, reply }, answer)
    }

    #[test]
    fn those_who_are_gone_are_not_kept_and_beyond_the_bound_they_are_told_busy() {
        let mut deferred = Deferred::default();
        for _ in 0..10_000 {
            let (gone, _) = asked();
            deferred.add(gone);
            assert!(deferred.asked.len() <= FEW);
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
