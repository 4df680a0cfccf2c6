//! Requests as they arrive, are given up, and are answered.

use crate::actors::coordinator::deferred::Arrived;
use crate::actors::coordinator::message::{CoordinatorMessage, CoordinatorRequest};
use crate::actors::coordinator::part::{CoordinatorPart, Ctx};
use crate::key::event::{Event as KeyEvent, Ticket};
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;

impl CoordinatorPart {
    pub(super) fn arrived(&mut self, arrived: Arrived, ctx: &mut Ctx) {
        let Arrived { request, reply } = arrived;
        let Some(CoordinatorRequest { make, with }) = request.take() else {
            // Its caller waits no more.
            return;
        };
        for ticket in self.requests.take_given_up() {
            self.step(Event::Gone { ticket }, ctx);
        }
        let ticket = self.requests.add(reply, with);
        let event = make(ticket);
        if let Some(error) = self.held_back(&event) {
            self.reply(ticket, &Err(error));
            return;
        }
        self.step(event, ctx);
    }

    /// Something happened that answers no request.
    pub(super) fn happened(&mut self, event: Event, ctx: &mut Ctx) {
        match event {
            Event::HandOut { ref key, .. } if let Some(why) = self.engine.machine().is_paused() => {
                self.tell_key(key, KeyEvent::JournalDown(why));
            }
            Event::Searched { ticket, .. } => {
                self.searches = self.searches.saturating_sub(1);
                self.found_for(ticket, event, ctx);
            }
            event => self.step(event, ctx),
        }
    }

    /// Something was looked for, for a declaration. Where its caller waits no more it is not accepted:
    /// its keys are gone as well.
    pub(super) fn found_for(&mut self, ticket: Ticket, found: Event, ctx: &mut Ctx) {
        let is_open = self.requests.is_open(ticket);
        let event = if is_open {
            found
        } else {
            Event::Gone { ticket }
        };
        self.step(event, ctx);
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: &Result<Reply, RotationError>) {
        let told = match self.requests.close(ticket) {
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
