//! How a coordinator's actor takes up what its predecessor left: what was being taken in, what was still
//! to be performed, and then the journal. Nothing may count as being under way of which no end will be
//! told.

use crate::actors::closing::Closing;
use crate::actors::coordinator::{CoordinatorPart, Ctx};
use crate::key::event::WriteFailure;
use crate::rotation::event::Event;
use crate::rotation::half::Before;

/// What the engine was taking in when an actor died.
pub(super) enum Half {
    /// An event, and what was before it.
    Step(Box<(Event, Before)>),
    /// The end of a batch.
    Written(u64, Result<(), WriteFailure>),
    /// What the journal has.
    Reread,
}

impl CoordinatorPart {
    /// A successor takes up what its predecessor left: what was still to be performed, and then
    /// the journal, because what the engine knew may be half of a step.
    pub(super) fn recover(&mut self, ctx: &mut Ctx) {
        if let Closing::Draining(_, until) = &self.closing {
            let left = self.means.clock.now().until(*until);
            ctx.later(left, |part, ctx| part.interrupt(ctx));
        }
        self.take_up(ctx);
        self.catching_up |= self.engine.machine().paused().is_none();
        let why = "the coordinator died, and its successor reads the journal".to_owned();
        let actions = self.engine.restarted(why, self.means.clock.moment());
        self.act(actions, ctx);
        self.let_go();
        if let Some(event) = self.again.take() {
            self.step(event, ctx);
        }
    }

    /// Takes up what was being taken in or performed.
    fn take_up(&mut self, ctx: &mut Ctx) {
        let now = self.means.clock.moment();
        match self.half.take() {
            None => self.act(Vec::new(), ctx),
            Some(Half::Step(step)) => {
                let (event, before) = *step;
                self.engine.take_back_step(&event, before, now);
                match event.ask() {
                    // Whoever asked is told by the end of the channel.
                    Some(ask) => {
                        self.offered.remove(&ask);
                        drop(self.replies.remove(&ask));
                    }
                    None => self.again = Some(event),
                }
            }
            Some(Half::Written(number, result)) => self.written(number, result, ctx),
            Some(Half::Reread) => {
                let actions = self.engine.reading_was_lost(now);
                self.act(actions, ctx);
            }
        }
    }

    /// Lets go of what is prepared for a call that will not be made: the word of that may be lost.
    fn let_go(&mut self) {
        let machine = self.engine.machine();
        let prepared = self.calls.keys().filter(|step| !machine.runs(**step));
        for step in prepared.copied().collect::<Vec<_>>() {
            self.release(step);
        }
    }
}
