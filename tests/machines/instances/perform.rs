//! The world does what the engine wants done, and looks whether it may want it.

use std::collections::VecDeque;

use keyward::key::event::Ticket;
use keyward::key::name::WorkerName;
use keyward::key::state::Effect;
use keyward::rotation::effect::{Fact, Reply, RotationEffect};
use keyward::rotation::engine::Action;
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{EndedRotation, Event, StepOutcome, StepRef};
use keyward::rotation::instance::{CallbackOf, InstanceEvent};
use keyward::rotation::plan::Step;
use keyward::rotation::status::CallbackStatus;

use crate::instances::world::{Life, Shape, World, worker};

/// Who asked for what: a process by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Define,
    Declare,
    Resume,
    Join(u32),
    Register(u32),
    Ready(u32),
    Return(u32),
}

impl Asked {
    pub fn ask(self) -> Ticket {
        match self {
            Self::Define => 1,
            Self::Declare => 2,
            Self::Resume => 3,
            Self::Join(id) => 100_000 + u64::from(id),
            Self::Register(id) => 200_000 + u64::from(id),
            Self::Ready(id) => 300_000 + u64::from(id),
            Self::Return(id) => 400_000 + u64::from(id),
        }
    }

    fn of(ticket: Ticket) -> Self {
        let id = u32::try_from(ticket % 100_000).expect("small");
        match (ticket / 100_000, ticket) {
            (0, 1) => Self::Define,
            (0, 2) => Self::Declare,
            (0, _) => Self::Resume,
            (1, _) => Self::Join(id),
            (2, _) => Self::Register(id),
            (3, _) => Self::Ready(id),
            _ => Self::Return(id),
        }
    }
}

impl World {
    pub fn happen(&mut self, event: Event) {
        let actions = self.engine.step(event, self.now());
        self.take(actions);
    }

    pub fn take(&mut self, actions: Vec<Action>) {
        let mut events = VecDeque::new();
        for action in actions {
            match action {
                Action::Write(facts) => {
                    let alone = self.batch.is_none() && !self.reading;
                    if !alone {
                        self.breaks("two batches are under way".to_owned());
                    }
                    self.batch = Some(facts);
                }
                Action::Reopen => self.reading = true,
                Action::Perform(effect) => events.extend(self.perform(effect)),
            }
        }
        for event in events {
            self.happen(event);
        }
    }

    fn perform(&mut self, effect: RotationEffect) -> Option<Event> {
        match effect {
            RotationEffect::Reply { ticket, reply, .. } => return self.reply(ticket, reply),
            RotationEffect::Search {
                ticket,
                declaration,
                ..
            } => {
                let ended = self.journal.ended.get(&declaration.id);
                let found = Ok(ended.map(|(header, _)| EndedRotation {
                    key: header.key.clone(),
                    declared: header.declared,
                }));
                return Some(Event::Searched {
                    ticket,
                    declaration,
                    found,
                });
            }
            RotationEffect::Snapshot { rotation, .. } => self.snapshots.push(rotation),
            RotationEffect::Propose { step, .. } => drop(self.proposals.insert(step, false)),
            RotationEffect::Withdraw { step } | RotationEffect::Adopt { step, .. } => {
                self.proposals.remove(&step);
            }
            RotationEffect::Give {
                step,
                attempt,
                worker,
                number,
                ..
            } => return self.give((worker, number), step, attempt),
            RotationEffect::Heard {
                number,
                step,
                attempt,
                ..
            } => {
                let mine = self.procs.iter_mut();
                for one in mine.filter(|one| one.number == Some(number) && one.connected) {
                    one.ended.retain(|(s, a, _)| (*s, *a) != (step, attempt));
                }
                self.check_heard(step, attempt);
            }
            RotationEffect::CatchUp {
                step, worker, life, ..
            } => {
                let mine = self.procs.iter_mut();
                for one in mine.filter(|one| one.number == Some(life)) {
                    one.did.insert(step);
                }
                return Some(Event::Instance {
                    worker,
                    number: life,
                    event: InstanceEvent::CaughtUp { step, error: None },
                });
            }
            RotationEffect::Prepare { .. } | RotationEffect::Call { .. } => {
                self.breaks("the keeper's own process has no worker".to_owned());
            }
            _ => {}
        }
        None
    }

    /// What an instance is told to be durable is not in progress any more.
    fn check_heard(&mut self, step: StepRef, attempt: u32) {
        let found = self.journal.rotations.get(&step.rotation);
        let Some(of) = found.and_then(|(_, steps)| steps.get(&step.step)).cloned() else {
            return;
        };
        let open = of.status == CallbackStatus::InProgress && of.attempt == attempt;
        if open && !of.is_of_memory() {
            self.breaks(format!("an end is heard that is not durable: {step:?}"));
        }
    }

    fn give(
        &mut self,
        (name, number): (WorkerName, u64),
        step: StepRef,
        attempt: u32,
    ) -> Option<Event> {
        let uncalled = || Event::Instance {
            worker: name,
            number,
            event: InstanceEvent::Uncalled { step, attempt },
        };
        let mut all = self.procs.iter();
        let at = all.position(|one| one.number == Some(number) && one.connected);
        let Some(at) = at else {
            return Some(uncalled());
        };
        if std::mem::take(&mut self.keys_away) {
            return Some(uncalled());
        }
        let found = self.journal.rotations.get(&step.rotation);
        let durable = found.and_then(|(_, steps)| steps.get(&step.step)).cloned();
        let in_progress = durable
            .as_ref()
            .is_some_and(|of| of.status == CallbackStatus::InProgress && of.attempt == attempt);
        if !in_progress {
            self.breaks(format!("a call is made that is not durable: {durable:?}"));
        }
        let of_memory = durable.as_ref().is_some_and(Step::is_of_memory);
        let runs = |other: &&crate::instances::world::Proc| {
            other.worker == self.procs[at].worker && !other.running.is_empty()
        };
        let others = self.procs.iter().filter(runs).count();
        if !of_memory && others > 0 {
            self.breaks(format!(
                "a callback of data runs in two processes: {step:?} {attempt}"
            ));
        }
        if of_memory && !self.procs[at].running.is_empty() {
            self.breaks(format!(
                "a process runs two callbacks of a worker and key: {step:?}"
            ));
        }
        if !of_memory && self.memory_is_open(step) {
            self.breaks("a step of data begins while one of memory is open".to_owned());
        }
        let one = &mut self.procs[at];
        if !one.began.insert((step, attempt)) {
            let calls = self
                .journal
                .instances
                .values()
                .map(|one| (one.number, &one.calls));
            let what = (calls.collect::<Vec<_>>(), &durable);
            let text = format!("an attempt begins twice in a process that lives, {at}: {what:?}");
            self.breaks(text);
        }
        self.procs[at].running.push((step, attempt));
        None
    }

    fn memory_is_open(&self, step: StepRef) -> bool {
        let found = self.journal.rotations.get(&step.rotation);
        let steps = found.into_iter().flat_map(|(_, steps)| steps.values());
        let mut of_memory = steps.filter(|of| of.is_of_memory());
        of_memory.any(|of| !of.is_settled() && of.no < step.step)
    }

    /// A process tells how a call ended.
    pub fn tell_end(
        &mut self,
        shape: &Shape,
        at: usize,
        (step, attempt, fails): (StepRef, u32, bool),
    ) {
        let first = self.procs[at].worker == 0 && shape.workers[0] == CallbackOf::Data;
        let effect = if first {
            Effect::Reencrypted
        } else {
            Effect::Nothing
        };
        let outcome = if fails {
            let error = "no".to_owned();
            StepOutcome::Failed { error }
        } else {
            let staged = false;
            StepOutcome::Done { effect, staged }
        };
        let returned = true;
        self.happens(
            at,
            InstanceEvent::Ended {
                step,
                attempt,
                outcome,
                returned,
            },
        );
    }

    fn reply(&mut self, ticket: Ticket, reply: Result<Reply, RotationError>) -> Option<Event> {
        let asked = Asked::of(ticket);
        let id = match asked {
            Asked::Join(id) | Asked::Register(id) | Asked::Ready(id) | Asked::Return(id) => id,
            Asked::Declare => {
                self.declaring = false;
                self.declared += usize::from(reply.is_ok());
                return None;
            }
            Asked::Define | Asked::Resume => return None,
        };
        let at = self.procs.iter().position(|one| one.id == id);
        let Some(at) = at else {
            // It is dead: what has joined for it goes.
            let Ok(Reply::Joined {
                worker,
                incarnation,
            }) = reply
            else {
                return None;
            };
            return Some(Event::Died {
                worker,
                incarnation,
            });
        };
        let one = &mut self.procs[at];
        match (asked, reply) {
            (Asked::Join(_), Ok(Reply::Joined { incarnation, .. })) => {
                one.number = Some(incarnation);
                one.connected = true;
                one.life = Life::Joined;
            }
            (Asked::Join(_), _) => one.life = Life::Fresh,
            (Asked::Register(_), Ok(_) | Err(RotationError::CallbackTaken { .. })) => {
                one.life = Life::Registered;
            }
            (Asked::Register(_), Err(_)) => one.life = Life::Joined,
            (Asked::Ready(_), Ok(_)) => one.life = Life::Ready,
            (Asked::Ready(_), Err(_)) => one.life = Life::Registered,
            (Asked::Return(_), Ok(_)) => {
                one.returning = false;
                one.connected = true;
                let ends = one.ended.clone();
                let shape = self.shape;
                for end in ends {
                    self.tell_end(&shape, at, end);
                }
            }
            (Asked::Return(_), Err(RotationError::UnknownInstance { .. })) => {
                self.breaks("an instance that lives is unknown".to_owned());
            }
            (Asked::Return(_), Err(_)) => {
                one.returning = false;
                return Some(Event::Instance {
                    worker: worker(one.worker),
                    number: one.number.unwrap_or_default(),
                    event: InstanceEvent::Absent,
                });
            }
            (Asked::Define | Asked::Declare | Asked::Resume, _) => {}
        }
        None
    }

    /// The batch is made.
    pub fn make_durable(&mut self, facts: &[Fact]) {
        for fact in facts {
            let steps: Vec<(StepRef, &Step)> = match fact {
                Fact::Step(rotation, _, step) => {
                    let rotation = *rotation;
                    let at = StepRef {
                        rotation,
                        step: step.no,
                    };
                    vec![(at, step)]
                }
                _ => Vec::new(),
            };
            for (at, step) in steps {
                self.check_everybody(at, step);
            }
            if let Err(broken) = self.journal.try_write(fact) {
                self.breaks(format!("{broken}: {fact:?}"));
            }
        }
    }

    /// When a step of memory has Succeeded, every instance that lives and had registered it durably has
    /// done it.
    fn check_everybody(&mut self, at: StepRef, step: &Step) {
        if !step.is_of_memory() || step.status != CallbackStatus::Succeeded {
            return;
        }
        let has = |number: u64| {
            let found = self.journal.instances.get(&(step.worker.clone(), number));
            found.is_some_and(|instance| !instance.registered.is_empty() && !instance.dropped)
        };
        let missing = self.procs.iter().find(|one| {
            let mine = worker(one.worker) == step.worker && one.number.is_some_and(has);
            mine && !one.did.contains(&at)
        });
        if let Some(one) = missing {
            let text = format!("memory has Succeeded, and {one:?} has not run it");
            self.breaks(text);
        }
    }
}
