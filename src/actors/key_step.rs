//! Steps of a key's machine, and what becomes of one in which its actor died. Nothing may count as being
//! under way of which no end will be told: what the machine wants done is kept until it is performed, and
//! what tells an end until it is taken in.

use crate::actors::key::{Ctx, KeyPart};
use crate::guard::fault::keeping;
use crate::key::effect::KeyEffect;
use crate::key::event::{Event, FetchFailure};
use crate::key::machine::KeyMachine;

/// Whether a life ended in the middle of a step, and what its successor makes of that.
pub(super) enum Step {
    /// It did not.
    Done,
    /// What it wanted done so far is done; whoever waits asks again.
    OfRequest,
    /// The same, and the fetch is over.
    OfFetch {
        /// Which one.
        fetch: u64,
        /// Whether its thread is still busy with it.
        still_running: bool,
    },
    /// The machine before it, and the event: it is not lost.
    Whole(Box<(KeyMachine, Event)>),
}

impl Step {
    fn of(event: &Event, machine: &KeyMachine) -> Self {
        match event {
            // Most gets come here: the machine is not copied for them.
            Event::Asked(_) | Event::Gone { .. } | Event::Tick => Self::OfRequest,
            Event::Fetched {
                fetch,
                still_running,
                ..
            } => Self::OfFetch {
                fetch: *fetch,
                still_running: *still_running,
            },
            event => Self::Whole(Box::new((machine.clone(), event.clone()))),
        }
    }
}

impl KeyPart {
    /// Takes up a step in which the life before ended.
    pub(super) fn take_up(&mut self, ctx: &mut Ctx) {
        match std::mem::replace(&mut self.step, Step::Done) {
            Step::Done => {}
            Step::OfRequest => self.forget_requests(),
            Step::OfFetch {
                fetch,
                still_running,
            } => {
                self.forget_requests();
                let why = "the actor died when the store had answered".to_owned();
                let over = Event::Fetched {
                    fetch,
                    answer: Err(FetchFailure::Failed { why }),
                    still_running,
                };
                self.step(over, ctx);
            }
            Step::Whole(before) => {
                let (machine, event) = *before;
                self.effects.clear();
                self.machine = machine;
                if !event.is_of_rotation() {
                    // It may be one of them that it cannot be taken in with.
                    self.forget_requests();
                }
                self.step(event, ctx);
            }
        }
    }

    pub(super) fn step(&mut self, event: Event, ctx: &mut Ctx) {
        self.step = Step::of(&event, &self.machine);
        self.slot.fault_points().pass();
        let clock = self.means.clock;
        let now = || clock.now();
        self.machine.step_into(event, now, &mut self.effects);
        self.slot.fault_points().pass();
        self.step = Step::Done;
        self.perform_all();
        self.set_timer(ctx);
    }

    /// Performs what the machine wants done, in order; what a panic interrupts is performed by the next
    /// life.
    pub(super) fn perform_all(&mut self) {
        self.shown.show(self.machine.facts());
        while !self.effects.is_empty() {
            self.slot.fault_points().pass();
            match self.effects.pop_front() {
                Some(KeyEffect::Answer { ticket, answer }) => {
                    // Whoever waits is told by the end of the channel, if it is not sent.
                    let reply = self.replies.take(ticket);
                    self.slot.fault_points().pass();
                    drop(reply.map(|reply| reply.send(answer)));
                }
                Some(effect) => {
                    let put_back = |part: &mut Self, effect| part.effects.push_front(effect);
                    keeping(self, effect, Self::perform, put_back);
                }
                None => {}
            }
        }
    }

    /// Whoever waits is told by the end of the channel, and asks again.
    pub(super) fn forget_requests(&mut self) {
        self.machine.forget_requests();
        self.shown.show(self.machine.facts());
        self.replies.clear();
    }
}
