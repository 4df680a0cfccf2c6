//! How a coordinator's actor goes on with what its predecessor left: the step that it was in, the actions
//! that it had not performed, and then the journal. Nothing may count as under way that will never end.

use crate::actors::coordinator::part::{Closing, CoordinatorPart, Ctx, Half};
use crate::rotation::event::Event;

impl CoordinatorPart {
    /// A successor takes up what its predecessor left: what was still to be performed, and then
    /// the journal, because what the engine knew may be half of a step.
    pub(super) fn recover(&mut self, ctx: &mut Ctx) {
        if let Closing::Draining(_, until) = &self.closing {
            let left = self.means.clock.now().until(*until);
            ctx.later(left, |part, ctx| part.interrupt(ctx));
        }
        // What was read may have been lost with the actor.
        self.rotations
            .values_mut()
            .for_each(|work| work.reads = false);
        self.take_up(ctx);
        self.catching_up |= self.engine.machine().paused().is_none();
        let why = "the coordinator died, and its successor reads the journal".to_owned();
        let actions = self.engine.restarted(why, self.means.clock.moment());
        self.act(actions, ctx);
        self.let_go();
        // What was looked for for them may have been lost with the actor, and their keys must not stay.
        for ticket in self.requests.take_all_given_up() {
            self.step(Event::Gone { ticket }, ctx);
        }
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
                match event.ticket() {
                    // Its caller is told by the end of the channel.
                    Some(ticket) => drop(self.requests.close(ticket)),
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
        let calling = self.steps.iter().filter(|(_, work)| !work.is_done());
        let prepared = calling.map(|(step, _)| *step);
        let prepared = prepared.filter(|step| !machine.runs(*step));
        for step in prepared.collect::<Vec<_>>() {
            self.release(step);
        }
    }
}
