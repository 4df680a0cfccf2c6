//! What keys and workers tell the coordinator about the steps under way.

use crate::actors::coordinator::part::{CoordinatorPart, Ctx};
use crate::actors::coordinator::work::StepWork;
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
        match self.steps.get_mut(&step) {
            Some(StepWork::Done {
                proposal: Some(of), ..
            }) if of.ticket == ticket => of.record = proposed.record,
            Some(StepWork::Done { .. } | StepWork::Calling(..)) | None => return,
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
            WorkerEvent::Instance {
                worker,
                number,
                event,
                staged,
            } => self.instance_told((worker, number), event, staged, ctx),
            WorkerEvent::Uncalled { step, attempt } => {
                // What was ready for it may still be there.
                self.release(step);
                self.step(Event::Uncalled { step, attempt }, ctx);
            }
            WorkerEvent::Ended { step, attempt, end } => {
                let outcome = end.outcome;
                self.steps.remove(&step);
                if let StepOutcome::Done { effect, .. } = outcome {
                    let done = StepWork::Done {
                        effect,
                        staged: end.staged,
                        proposal: None,
                    };
                    self.steps.insert(step, done);
                }
                let ended = Event::Ended {
                    step,
                    attempt,
                    outcome,
                };
                self.step(ended, ctx);
                if !self.engine.keeps(step) {
                    self.forget_done(step);
                }
            }
        }
    }
}
