//! The actor around a part: it reads the seat's inbox, lets the part die of a panic, and hands it
//! back to its seat, whatever ends it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use actix::fut::{ActorFuture, wrap_future};
use actix::{Actor, ActorContext, AsyncContext, Context};

use crate::actors::supervision::inbox::Letter;
use crate::actors::supervision::seat::Seat;
use crate::guard::fault;
use crate::key::time::Time;
use crate::secret::scrub::Scrubber;

/// After so many messages an actor lets others of its thread, and its own timers, have a turn.
const TURN: usize = 64;

/// What becomes of an actor after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It goes on.
    GoOn,
    /// It ends, and nobody starts it again.
    End,
}

/// What an actor knows and does. It outlives the actor: a panic ends a life of it, and the next life
/// goes on with what the part knew then.
pub trait Part: Send + Sized + Unpin + 'static {
    /// What it is told.
    type Message: Letter;

    /// A life begins, the first one or one after a death: timers and spawned futures are gone.
    fn begin(&mut self, ctx: &mut Context<Life<Self>>);

    /// Something is told.
    fn handle(&mut self, message: Self::Message, ctx: &mut Context<Life<Self>>) -> Then;

    /// There is no next life until an operator wants one: whoever waits is told.
    fn fail(&mut self, why: &str);

    /// When it must have answered somebody: a restart does not wait beyond that.
    fn deadline(&self) -> Option<Time> {
        None
    }

    /// What becomes of a message that no life will read.
    fn refuse(&mut self, message: Self::Message) {
        drop(message);
    }

    /// Clears the text of a panic of what must not be said.
    fn scrubber(&self) -> Scrubber {
        Scrubber::new(Vec::new())
    }
}

/// One life of a part.
pub struct Life<P: Part> {
    part: Option<Box<P>>,
    seat: Arc<Seat<P>>,
    /// Taken from the inbox and not read yet.
    taken: VecDeque<P::Message>,
}

impl<P: Part> Life<P> {
    pub(super) fn new(part: Box<P>, seat: Arc<Seat<P>>) -> Self {
        Self {
            part: Some(part),
            seat,
            taken: VecDeque::new(),
        }
    }

    /// Reads what there is, a turn of it at most.
    fn read(&mut self, ctx: &mut Context<Self>, reader: &Waker) -> Poll<()> {
        for _ in 0..TURN {
            if self.part.is_none() {
                return Poll::Ready(());
            }
            // Outside of what catches panics, so that a test sees what a real one leaves.
            self.seat.fault_points().pass();
            let next = match self.taken.pop_front() {
                None => self.seat.inbox().take(&mut self.taken, TURN, reader),
                next => next,
            };
            let Some(message) = next else {
                return Poll::Pending;
            };
            self.live(ctx, |part, ctx| part.handle(message, ctx));
        }
        ctx.wait(wrap_future::<_, Self>(tokio::task::yield_now()));
        Poll::Pending
    }

    /// Lets the part do something; if it panics, this life is over.
    fn live(
        &mut self,
        ctx: &mut Context<Self>,
        act: impl FnOnce(&mut P, &mut Context<Self>) -> Then,
    ) {
        let Some(part) = &mut self.part else {
            return;
        };
        match fault::catch(|| act(part, ctx)) {
            Ok(Then::GoOn) => {}
            Ok(Then::End) => {
                ctx.stop();
                if let Some(part) = self.part.take() {
                    self.seat.inbox().put_back(&mut self.taken);
                    self.seat.ended(part);
                }
            }
            Err(fault) => {
                let reason = fault.described(&part.scrubber());
                ctx.stop();
                self.die(reason);
            }
        }
    }

    fn die(&mut self, reason: String) {
        if let Some(part) = self.part.take() {
            self.seat.inbox().put_back(&mut self.taken);
            self.seat.vacated(part, reason);
        }
    }
}

/// Lets a part do something later, in the same life.
pub fn later<P: Part>(
    ctx: &mut Context<Life<P>>,
    after: Duration,
    act: impl FnOnce(&mut P, &mut Context<Life<P>>) + 'static,
) {
    ctx.run_later(after, |life, ctx| {
        life.live(ctx, |part, ctx| {
            act(part, ctx);
            Then::GoOn
        });
    });
}

impl<P: Part> Actor for Life<P> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.live(ctx, |part, ctx| {
            part.begin(ctx);
            Then::GoOn
        });
        if self.part.is_some() {
            ctx.spawn(Reading);
        }
    }
}

/// An actor's reading of its inbox, for as long as it lives.
///
/// It is no message: to wake this costs no envelope, and what is posted meanwhile wakes nobody.
struct Reading;

impl<P: Part> ActorFuture<Life<P>> for Reading {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        life: &mut Life<P>,
        ctx: &mut Context<Life<P>>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        life.read(ctx, task.waker())
    }
}

impl<P: Part> Drop for Life<P> {
    fn drop(&mut self) {
        self.die("its actor was dropped".to_owned());
    }
}
