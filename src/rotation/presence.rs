//! Workers come and go: joins, the instances of other processes, and registrations.

use std::collections::BTreeSet;

use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::act::{About, By, Deed};
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Moment, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, Instance, Process, Sharing};
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::Step;
use crate::rotation::roster::{Member, MemberCallback, WorkerEntry};

impl RotationMachine {
    /// A worker of the keeper's own process joins.
    pub(crate) fn join(&mut self, ticket: Ticket, worker: WorkerName, sharing: Sharing) {
        if !self.admits(ticket) {
            return;
        }
        if let Err(error) = self.may_join(&worker, sharing) {
            self.reply(ticket, Err(error));
            return;
        }
        self.enter(&worker, sharing, false);
        self.incarnations += 1;
        let incarnation = self.incarnations;
        self.roster.arrive(&worker, incarnation);
        self.effects.push(RotationEffect::Joined {
            after: self.this_write(),
            worker: worker.clone(),
            incarnation,
        });
        let joined = Reply::Joined {
            worker,
            incarnation,
        };
        self.reply(ticket, Ok(joined));
    }

    /// Another process joins. If an instance of the worker in this very process is not connected, the
    /// process has called exec since: what it ran then has ended.
    pub(crate) fn join_from(
        &mut self,
        ticket: Ticket,
        worker: WorkerName,
        sharing: Sharing,
        process: Process,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        for earlier in self.roster.absent_in(&worker, &process) {
            self.process_ended(&worker, earlier, now);
        }
        if let Err(error) = self.may_join(&worker, sharing) {
            self.reply(ticket, Err(error));
            return;
        }
        self.enter(&worker, sharing, true);
        // Above the numbers of this process's own workers, so that no two lives have the same one.
        self.next_sequence = self.next_sequence.max(self.incarnations + 1);
        let number = self.number();
        self.incarnations = number;
        let instance = Instance::new(worker.clone(), number, process);
        self.facts.push(Fact::Instance(instance.clone()));
        self.roster.joined(instance, now.time);
        self.is_connected(ticket, worker.clone(), number);
        let incarnation = number;
        let joined = Reply::Joined {
            worker: worker.clone(),
            incarnation,
        };
        self.reply(ticket, Ok(joined));
        self.joined_meanwhile(&worker, now);
    }

    fn may_join(&self, worker: &WorkerName, sharing: Sharing) -> Result<(), RotationError> {
        let entry = self.roster.get(worker);
        let Some(entry) = entry.filter(|entry| entry.is_taken()) else {
            return Ok(());
        };
        let worker = worker.clone();
        match (entry.sharing(), sharing) {
            (Sharing::Shared, Sharing::Shared) => Ok(()),
            (Sharing::Sole, Sharing::Sole) => Err(RotationError::WorkerNameTaken { worker }),
            (sharing, _) => Err(RotationError::OtherSharing { worker, sharing }),
        }
    }

    /// The worker is on the roster, and shared so.
    fn enter(&mut self, worker: &WorkerName, sharing: Sharing, elsewhere: bool) {
        let known = self.roster.get(worker).map(WorkerEntry::member);
        let joined = match known {
            Some((joined, ..)) => joined,
            None => self.number(),
        };
        if known == Some((joined, sharing, elsewhere)) {
            return;
        }
        let member = Member {
            worker: worker.clone(),
            joined,
            sharing,
            elsewhere,
        };
        self.facts.push(Fact::Member(member.clone()));
        self.roster.add(member);
    }

    fn is_connected(&mut self, ticket: Ticket, worker: WorkerName, number: u64) {
        self.effects.push(RotationEffect::Connected {
            after: self.this_write(),
            ticket,
            worker,
            number,
        });
    }

    /// An instance is connected anew. What it was given and does not have was lost on its way: it never
    /// began there.
    pub(crate) fn returns(
        &mut self,
        ticket: Ticket,
        (worker, number): (WorkerName, u64),
        process: &Process,
        has: &BTreeSet<(StepRef, u32)>,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        let found = self.roster.instance_mut(&worker, number);
        let Some(one) = found.filter(|one| one.instance.process == *process) else {
            self.reply(
                ticket,
                Err(RotationError::UnknownInstance { worker, number }),
            );
            return;
        };
        one.connected = true;
        let given = one.instance.unreturned();
        let lost = given.map(|(step, call)| (*step, call.attempt));
        let lost: Vec<(StepRef, u32)> = lost.filter(|call| !has.contains(call)).collect();
        self.is_connected(ticket, worker.clone(), number);
        self.reply(ticket, Ok(Reply::Done));
        for (step, attempt) in lost {
            self.take_call_back(&worker, number, (step, attempt), now);
        }
        self.go_if_done(&worker, number, now);
        self.look_again(&worker, now);
    }

    /// An instance has registered its callbacks, and may be called. For a worker of the keeper's own process this only
    /// tells whether it is there.
    pub(crate) fn ready(&mut self, ticket: Ticket, worker: WorkerName, number: u64, now: Moment) {
        if !self.admits(ticket) {
            return;
        }
        let entry = self.roster.get(&worker);
        if entry.is_some_and(|entry| entry.incarnation() == Some(number)) {
            self.reply(ticket, Ok(Reply::Done));
            return;
        }
        let Some(one) = self.roster.instance_mut(&worker, number) else {
            self.reply(
                ticket,
                Err(RotationError::UnknownInstance { worker, number }),
            );
            return;
        };
        if !one.instance.ready {
            one.instance.ready = true;
            self.facts.push(Fact::Instance(one.instance.clone()));
        }
        self.reply(ticket, Ok(Reply::Done));
        self.look_again(&worker, now);
    }

    /// An operator says that an instance is gone: what it was given is to be called again.
    pub(crate) fn remove_instance(
        &mut self,
        ticket: Ticket,
        (worker, number): (WorkerName, u64),
        by: By,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        if !self.is_gone(&worker, number, 0, now) {
            self.reply(
                ticket,
                Err(RotationError::UnknownInstance { worker, number }),
            );
            return;
        }
        let instance = number;
        self.note_act(by, Deed::Removed, About::Instance { worker, instance }, now);
        self.reply(ticket, Ok(Reply::Done));
    }

    pub(crate) fn register(
        &mut self,
        ticket: Ticket,
        mut callback: MemberCallback,
        life: u64,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        if let Err(error) = self.may_register(&callback, life) {
            self.reply(ticket, Err(error));
            return;
        }
        let MemberCallback {
            worker,
            key,
            callback: name,
            of,
            ..
        } = callback.clone();
        let known = self.roster.get(&worker);
        let known = known.and_then(|entry| entry.callback(&key, &name));
        if known.is_none_or(|(_, kind)| kind != of) {
            callback.registered = known.map_or_else(|| self.number(), |(number, _)| number);
            self.facts.push(Fact::Callback(callback.clone()));
            self.roster.add_callback(callback);
        }
        if known.is_some_and(|(_, kind)| kind != of) {
            self.take_out_of_plans(Some(&key), |s| s.is_of(&worker) && s.callback == name, now);
        }
        self.attach(&worker, life, &key, &name);
        self.effects.push(RotationEffect::Registered {
            ticket,
            worker: worker.clone(),
            key: key.clone(),
            callback: name.clone(),
        });
        for id in self.rotations.of_key(&key) {
            self.join_plan(id, &worker, &name, of);
        }
        if of == CallbackOf::Data || !self.catch_up(ticket, (&worker, life), &key, &name) {
            self.reply(ticket, Ok(Reply::Done));
        }
        self.advance_turn(&key, now);
    }

    fn attach(&mut self, worker: &WorkerName, life: u64, key: &KeyName, name: &CallbackName) {
        match self.roster.instance_mut(worker, life) {
            Some(one) => {
                let named = (key.clone(), name.clone());
                one.instance.registered.insert(named);
                self.facts.push(Fact::Instance(one.instance.clone()));
            }
            None => drop(self.roster.attach(worker, key, name)),
        }
    }

    fn may_register(&self, callback: &MemberCallback, life: u64) -> Result<(), RotationError> {
        let MemberCallback {
            worker,
            key,
            callback: name,
            of,
            ..
        } = callback.clone();
        let entry = self.roster.get(&worker);
        let Some(entry) = entry.filter(|entry| entry.has_life(life)) else {
            return Err(RotationError::UnknownWorker { worker });
        };
        if self
            .rotations
            .queue(&key)
            .is_none_or(|queue| queue.defined.is_none())
        {
            return Err(RotationError::KeyNotDefined { key });
        }
        if entry.has_registered(life, &key, &name) {
            return Err(RotationError::CallbackTaken {
                worker,
                key,
                callback: name,
            });
        }
        let other = entry.callback(&key, &name).map(|(_, other)| other);
        if let Some(other) = other.filter(|other| *other != of)
            && entry.others_have(life, &key, &name)
        {
            return Err(RotationError::OtherKind {
                worker,
                key,
                callback: name,
                of: other,
            });
        }
        let bound = self.config.max_callbacks;
        if !entry.has(&key, &name) && entry.callback_count() >= bound {
            return Err(RotationError::TooManyCallbacks { worker, bound });
        }
        Ok(())
    }

    fn join_plan(
        &mut self,
        id: RotationId,
        worker: &WorkerName,
        callback: &CallbackName,
        of: CallbackOf,
    ) {
        let Some(live) = self.rotations.get_mut(id) else {
            return;
        };
        let same = |s: &Step| s.is_of(worker) && s.callback == *callback && !s.removed;
        if !live.header.state.takes_new_steps() || live.steps.iter().any(same) {
            return;
        }
        let step = Step::new(live.steps.next_no(), worker.clone(), callback.clone());
        let step = step.of(of);
        let key = live.header.key.clone();
        live.steps.add(step.clone());
        self.facts.push(Fact::Step(id, key, step));
    }
}
