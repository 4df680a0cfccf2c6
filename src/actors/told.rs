//! What keys and workers tell the coordinator about the steps under way.

use crate::actors::coordinator::{CoordinatorPart, Ctx};
use crate::actors::key_message::Proposed;
use crate::key::event::Ticket;
use crate::rotation::event::{Event, StepOutcome, StepRef};
use crate::worker::link::WorkerEvent;

impl CoordinatorPart {
    pub(super) fn proposed(
        &mut self,
        step: StepRef,
        ticket: Ticket,
        proposed: Proposed,
        ctx: &mut Ctx,
    ) {
        match self.proposals.get_mut(&step) {
            Some((of, _, record)) if *of == ticket => *record = proposed.record,
            Some(_) | None => return,
        }
        let applies = proposed.applies;
        self.step(Event::Proposed { step, applies }, ctx);
    }

    pub(super) fn worker_told(&mut self, event: WorkerEvent, ctx: &mut Ctx) {
        match event {
            WorkerEvent::Prepared { step } => self.step(Event::Prepared { step }, ctx),
            WorkerEvent::Lacks { step, lacks } => {
                self.step(Event::Lacks { step, lacks }, ctx);
            }
            WorkerEvent::Died {
                worker,
                incarnation,
            } => {
                let died = Event::Died {
                    worker,
                    incarnation,
                };
                self.step(died, ctx);
            }
            WorkerEvent::Uncalled { step, attempt } => {
                // What was ready for it may still be there.
                self.release(step);
                self.step(Event::Uncalled { step, attempt }, ctx);
            }
            WorkerEvent::Ended { step, attempt, end } => {
                if let StepOutcome::Done { effect, .. } = &end.outcome {
                    self.done.insert(step, (*effect, end.staged));
                }
                self.calls.remove(&step);
                let outcome = end.outcome;
                let ended = Event::Ended {
                    step,
                    attempt,
                    outcome,
                };
                self.step(ended, ctx);
                if !self.engine.keeps(step) {
                    self.done.remove(&step);
                }
            }
        }
    }
}
