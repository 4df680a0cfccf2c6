//! The end of a coordinator's life of a program: running callbacks get their time, then what still runs
//! goes back to Pending, and the end is told when all of it is durable.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::coordinator::part::{Closing, CoordinatorPart, Ctx};
use crate::rotation::event::Event;

impl CoordinatorPart {
    pub(super) fn close(&mut self, grace: Duration, reply: oneshot::Sender<()>, ctx: &mut Ctx) {
        let until = self.means.clock.now().after(grace);
        self.closing = Closing::Draining(reply, until);
        ctx.later(grace, |part, ctx| part.interrupt(ctx));
        self.step(Event::Close, ctx);
    }

    pub(super) fn interrupt(&mut self, ctx: &mut Ctx) {
        match std::mem::replace(&mut self.closing, Closing::No) {
            Closing::Draining(reply, _) => {
                self.closing = Closing::Flushing(reply);
                self.step(Event::Interrupt, ctx);
            }
            other => self.closing = other,
        }
    }

    pub(super) fn close_if_drained(&mut self, ctx: &mut Ctx) {
        match std::mem::replace(&mut self.closing, Closing::No) {
            Closing::No => {}
            Closing::Flushed => self.closing = Closing::Flushed,
            Closing::Draining(reply, until) => {
                let drained = !self.engine.has_running();
                self.closing = Closing::Draining(reply, until);
                if drained {
                    self.interrupt(ctx);
                }
            }
            Closing::Flushing(reply) if self.engine.is_settled() => {
                self.closing = Closing::Flushed;
                drop(reply);
            }
            Closing::Flushing(reply) => self.closing = Closing::Flushing(reply),
        }
    }
}
