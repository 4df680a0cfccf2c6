//! Workers and callbacks that are gone for good: off the roster, and out of every plan.

use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::act::{About, By, Deed};
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::Moment;
use crate::rotation::machine::RotationMachine;
use crate::rotation::operate::runs;
use crate::rotation::plan::Step;
use crate::rotation::roster::WorkerEntry;

impl RotationMachine {
    pub(crate) fn leave(
        &mut self,
        ticket: Ticket,
        (worker, incarnation): (WorkerName, Option<u64>),
        by: By,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        let entry = self.roster.get(&worker);
        let known = entry.is_some_and(|e| incarnation.is_none_or(|life| e.has_life(life)));
        if !known || worker == WorkerName::main() {
            self.reply(ticket, Err(RotationError::UnknownWorker { worker }));
            return;
        }
        let others = entry.map_or(0, |entry| incarnation.map_or(0, |life| entry.others(life)));
        if others > 0 {
            self.reply(
                ticket,
                Err(RotationError::OtherInstances { worker, others }),
            );
            return;
        }
        if let Some(step) = self.find_running(|step| step.is_of(&worker)) {
            self.reply(ticket, Err(runs(format!("worker {worker}"), &step)));
            return;
        }
        if let Some(why) = entry.and_then(|entry| entry.still_runs()) {
            self.reply(ticket, Err(RotationError::StillRuns { worker, why }));
            return;
        }
        let numbers = entry.into_iter().flat_map(WorkerEntry::instances);
        let numbers: Vec<u64> = numbers.map(|one| one.instance.number).collect();
        for number in numbers {
            self.catching_up_ended(&worker, number, false);
        }
        self.roster.remove(&worker);
        self.facts.push(Fact::MemberGone(worker.clone()));
        if incarnation.is_none() {
            let worker = worker.clone();
            self.note_act(by, Deed::Removed, About::Worker { worker }, now);
        }
        self.take_out_of_plans(None, |step| step.is_of(&worker), now);
        let after = self.this_write();
        self.effects.push(RotationEffect::Left { after, worker });
        self.reply(ticket, Ok(Reply::Done));
    }

    pub(crate) fn remove_callback(
        &mut self,
        ticket: Ticket,
        (worker, key, callback): (WorkerName, KeyName, CallbackName),
        by: By,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        if !self
            .roster
            .get(&worker)
            .is_some_and(|entry| entry.has(&key, &callback))
        {
            let error = RotationError::UnknownCallback {
                worker,
                key,
                callback,
            };
            self.reply(ticket, Err(error));
            return;
        }
        let of_key = self.rotations.of_key(&key);
        let this = |step: &Step| step.is_of(&worker) && step.callback == callback;
        let live = of_key.iter().filter_map(|id| self.rotations.get(*id));
        if let Some(step) = live
            .filter_map(|live| live.running_step(this))
            .next()
            .cloned()
        {
            self.reply(ticket, Err(runs(format!("worker {worker}"), &step)));
            return;
        }
        for instance in self.roster.remove_callback(&worker, &key, &callback) {
            self.facts.push(Fact::Instance(instance));
        }
        self.facts.push(Fact::CallbackGone {
            worker: worker.clone(),
            key: key.clone(),
            callback: callback.clone(),
        });
        let about = About::Callback {
            worker: worker.clone(),
            key: key.clone(),
            callback: callback.clone(),
        };
        self.note_act(by, Deed::Removed, about, now);
        self.take_out_of_plans(Some(&key), this, now);
        self.effects.push(RotationEffect::Removed {
            after: self.this_write(),
            worker,
            key,
            callback,
        });
        self.reply(ticket, Ok(Reply::Done));
    }

    pub(crate) fn find_running(&self, of: impl Fn(&Step) -> bool) -> Option<Step> {
        let mut running = self
            .rotations
            .iter()
            .filter_map(|live| live.running_step(&of));
        running.next().cloned()
    }

    pub(crate) fn take_out_of_plans(
        &mut self,
        key: Option<&KeyName>,
        of: impl Fn(&Step) -> bool,
        now: Moment,
    ) {
        let mut touched = Vec::new();
        for live in self.rotations.iter_mut() {
            let (id, of_key) = (live.header.id, live.header.key.clone());
            if key.is_some_and(|key| *key != of_key) {
                continue;
            }
            for no in live.steps.numbers(|step| step.is_due() && of(step)) {
                if let Some(step) = live.steps.take_out(no) {
                    let fact = Fact::Step(id, of_key.clone(), step.clone());
                    self.facts.push(fact);
                    touched.push(id);
                }
            }
        }
        touched.dedup();
        self.release_preparing(now, |step| step.removed);
        for id in touched {
            self.advance(id, now);
        }
    }
}
