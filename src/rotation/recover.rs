//! Going on in the same process after the journal was read anew: what is durable comes from the
//! journal, who is here and what is under way from the life that goes on.

use std::collections::BTreeMap;

use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Moment, Recovery, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::Instance;
use crate::rotation::machine::{RotationMachine, SUSPECT_CRASHES};
use crate::rotation::replay::interrupt;
use crate::rotation::rotations::Active;
use crate::rotation::status::CallbackStatus;

impl RotationMachine {
    /// Nothing can be made durable: gives up what was only prepared, and takes back what keys were
    /// asked to take into account. Callbacks under way run on. If that is so for good, waiting is of
    /// no use any more.
    pub(crate) fn pause(&mut self, why: JournalDown) {
        self.stop_catching_up(&why);
        self.paused = Some(why.clone());
        if why.is_for_good() {
            for (ticket, id) in self.rotations.take_all_waiters() {
                let told = RotationError::of_journal(Some(id), why.clone());
                self.reply(ticket, Err(told));
            }
        }
        let effects = &mut self.effects;
        for live in self.rotations.iter_mut() {
            let rotation = live.header.id;
            live.snapping = false;
            live.active.retain(|no, active| {
                let step = StepRef {
                    rotation,
                    step: *no,
                };
                match active {
                    Active::Running { .. } | Active::Gathering { .. } => return true,
                    Active::Ahead { .. } | Active::Preparing { .. } => {
                        effects.push(RotationEffect::Release { step });
                    }
                    Active::Settling { .. } => {
                        effects.push(RotationEffect::Withdraw { step });
                    }
                }
                false
            });
        }
    }

    /// Drops what a step that did not come to its end wanted.
    pub(crate) fn forget_half_a_step(&mut self) {
        self.effects.clear();
        self.facts.clear();
    }

    /// Takes what the journal has as true and goes on. A step found InProgress is not
    /// called again if its callback still runs or has ended; it is called again if nothing is known of it.
    pub(crate) fn recover(&mut self, recovery: Recovery, now: Moment) {
        let Recovery {
            mut facts,
            running,
            results,
        } = recovery;
        let changed = self.correct(&mut facts.instances);
        let mut called = running;
        called.extend(results.iter().map(|(step, (attempt, _))| (*step, *attempt)));
        let mut uncalled = Vec::new();
        let fresh = Self::from_facts(self.config.clone(), facts, |at, step| {
            if called.get(&at) != Some(&step.attempt) && interrupt(step) {
                step.crashes = step.crashes.max(self.crashes(at, step.attempt));
                uncalled.push(at);
            }
        });
        let before = std::mem::replace(self, fresh);
        self.facts.extend(changed.into_iter().map(Fact::Instance));
        self.closed = before.closed;
        self.incarnations = self.incarnations.max(before.incarnations);
        self.given = before.given;
        self.ends_in_catching_up = before.ends_in_catching_up;
        self.writes = before.writes;
        self.next_sequence = self.next_sequence.max(before.next_sequence);
        self.roster.take_presence(&before.roster);
        for (key, queue) in before.rotations.queues() {
            if queue.defined.is_some() {
                self.rotations.queue_mut(key).defined = queue.defined.clone();
            }
        }
        self.questions = before.questions;
        self.counting = before.counting;
        self.take_up(&called);
        self.give_back(uncalled);
        for live in before.rotations.iter() {
            for ticket in &live.waiters {
                self.wait_again(*ticket, live.header.id);
            }
        }
        self.go_on(results, now);
    }

    /// Corrects what the journal has of instances by what is known of them: a call that was durable but
    /// never handed over is none, nor is a registration that was told to have failed. Answers those that
    /// the journal is to have otherwise.
    fn correct(&self, instances: &mut [Instance]) -> Vec<Instance> {
        let mut changed = Vec::new();
        for found in instances {
            let entry = self.roster.get(&found.worker);
            let Some(known) = entry.and_then(|entry| entry.instance(found.number)) else {
                continue;
            };
            let before = found.clone();
            found.calls.retain(|step, call| {
                let given = known.instance.given(*step, call.attempt);
                given.is_none() || known.handed.contains(step)
            });
            let registered = &known.instance.registered;
            found.registered.retain(|named| registered.contains(named));
            if *found != before {
                changed.push(found.clone());
            }
        }
        changed
    }

    /// The steps that are under way in this process.
    fn take_up(&mut self, called: &BTreeMap<StepRef, u32>) {
        for (step, attempt) in called {
            let Some(live) = self.rotations.get_mut(step.rotation) else {
                continue;
            };
            let Some(found) = live.steps.get(step.step) else {
                continue;
            };
            if found.status == CallbackStatus::InProgress && found.attempt == *attempt {
                if found.crashes >= SUSPECT_CRASHES {
                    self.suspect = Some(*step);
                }
                let attempt = *attempt;
                live.active.insert(step.step, Active::Running { attempt });
            }
        }
    }

    /// How many crashes of this attempt are known: one that the process began with is not written
    /// before the step is called again, nor is it if that write fails.
    fn crashes(&self, at: StepRef, attempt: u32) -> u32 {
        let live = self.rotations.get(at.rotation);
        let step = live.and_then(|live| live.steps.get(at.step));
        let known = step.filter(|step| step.attempt == attempt || step.attempt == attempt + 1);
        known.map_or(0, |step| step.crashes)
    }

    /// Makes these steps Pending, which were found InProgress without a running callback. None of them crashed;
    /// a journal that still had them InProgress would have the next life count a crash.
    fn give_back(&mut self, uncalled: Vec<StepRef>) {
        for StepRef { rotation, step } in uncalled {
            let live = self.rotations.get(rotation);
            let found = live.and_then(|live| Some((live, live.steps.get(step)?)));
            if let Some((live, step)) = found {
                let fact = Fact::Step(rotation, live.header.key.clone(), step.clone());
                self.facts.push(fact);
            }
        }
    }

    fn wait_again(&mut self, ticket: Ticket, id: RotationId) {
        match self.rotations.get(id) {
            Some(live) if live.header.state.goes_on() => self.rotations.add_waiter(ticket, id),
            Some(_) => {
                if let Some(report) = self.report(id) {
                    self.reply(ticket, Ok(Reply::Report(Box::new(report))));
                }
            }
            None => self.reply(ticket, Ok(Reply::NotLive { id })),
        }
    }

    /// What has ended is written first; then all rotations go on.
    fn go_on(&mut self, results: BTreeMap<StepRef, (u32, StepOutcome)>, now: Moment) {
        for (step, (attempt, outcome)) in results {
            self.ended(step, attempt, outcome, now);
        }
        let keys: Vec<_> = self
            .rotations
            .queues()
            .filter(|(_, queue)| queue.defined.is_some())
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.tell_versions(&key);
            self.time_answers(&key, now);
            self.advance_key(&key, now);
        }
    }
}
