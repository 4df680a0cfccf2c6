//! Requests as they arrive, are given up, and are answered.

use crate::actors::coordinator::deferred::Arrived;
use crate::actors::coordinator::message::{CoordinatorMessage, CoordinatorRequest};
use crate::actors::coordinator::part::{CoordinatorPart, Ctx};
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Event};

impl CoordinatorPart {
    pub(super) fn arrived(&mut self, arrived: Arrived, ctx: &mut Ctx) {
        let Arrived { request, reply } = arrived;
        let Some(CoordinatorRequest { make, with }) = request.take() else {
            // Its caller waits no more.
            return;
        };
        for ask in self.requests.take_given_up() {
            self.step(Event::Gone { ask }, ctx);
        }
        let ask = self.requests.add(reply, with);
        self.step(make(ask), ctx);
    }

    /// Something was looked for, for a declaration. Where its caller waits no more it is not accepted:
    /// its keys are gone as well.
    pub(super) fn found_for(&mut self, ask: Ask, found: Event, ctx: &mut Ctx) {
        let is_open = self.requests.is_open(ask);
        let event = if is_open { found } else { Event::Gone { ask } };
        self.step(event, ctx);
    }

    pub(super) fn reply(&mut self, ask: Ask, reply: &Result<Reply, RotationError>) {
        let told = match self.requests.close(ask) {
            Some(caller) => caller.send(reply.clone()),
            None => Err(reply.clone()),
        };
        // A worker that joined for a caller that waits no more is gone as well.
        if let Err(Ok(Reply::Joined {
            worker,
            incarnation,
        })) = told
        {
            let died = Event::Died {
                worker,
                incarnation,
            };
            self.slot.post(CoordinatorMessage::Happened(Box::new(died)));
        }
    }
}
