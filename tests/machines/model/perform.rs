//! The world performs what the engine wants done, and looks whether it may want it.

use std::collections::VecDeque;

use keyward::key::event::Ticket;
use keyward::key::versions::fact::VersionFact;
use keyward::rotation::effect::{Fact, Reply, RotationEffect};
use keyward::rotation::engine::Action;
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Event, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::plan::{Header, Step};
use keyward::rotation::state::RotationState;
use keyward::rotation::status::CallbackStatus;

use crate::model::names::{Asked, CALLBACKS, KEYS, WORKERS, number, place, rid};
use crate::model::shape::Shape;
use crate::model::state::{Call, Life, Proposal, Rule, Shared, State, Thread};
use crate::model::versions::apply;

impl State {
    /// Something happens to the engine.
    pub fn happen(&mut self, shape: &Shape, event: Event) {
        let now = self.now();
        let actions = self.engine.step(event, now);
        self.take(shape, actions);
    }

    /// Performs what the engine wants, in its order.
    pub fn take(&mut self, shape: &Shape, actions: Vec<Action>) {
        let mut todo = VecDeque::from(actions);
        while let Some(action) = todo.pop_front() {
            match action {
                Action::Write(facts) => {
                    let alone = self.batch.is_none() && !self.is_reading;
                    self.expect(alone, Rule::Shell("one batch at a time"));
                    self.batch = Some(Shared::new(facts));
                }
                Action::Reopen => {
                    let alone = self.batch.is_none() && !self.is_reading;
                    self.expect(alone, Rule::Shell("read when nothing is written"));
                    self.is_reading = true;
                }
                Action::Perform(effect) => todo.extend(self.perform(shape, effect)),
            }
        }
    }

    fn perform(&mut self, shape: &Shape, effect: RotationEffect) -> Vec<Action> {
        match effect {
            RotationEffect::Defined { .. }
            | RotationEffect::Joined { .. }
            | RotationEffect::Registered { .. }
            | RotationEffect::Left { .. }
            | RotationEffect::Removed { .. }
            | RotationEffect::Accepted { .. } => self.is_true(&effect),
            RotationEffect::Reply { ticket, reply, .. } => return self.reply(ticket, reply),
            RotationEffect::Snapshot { rotation, .. } => {
                self.snapshots.push(number(rotation));
                self.snapshots.sort_unstable();
            }
            RotationEffect::Prepare {
                step,
                worker,
                incarnation,
                key,
                ahead,
                ..
            } => {
                let own = self.engine.machine().is_own(step);
                let worker = match own {
                    true => shape.workers,
                    false => place(&worker, &WORKERS),
                };
                let life = self.workers.get(worker).map(|worker| worker.life);
                let here = life.is_some_and(|life| life.incarnation() == Some(incarnation));
                self.expect(own || here, Rule::Shell("only who is here is called"));
                let mut same = self.threads.iter_mut().filter(|t| t.step == step);
                if let Some(thread) = same.next() {
                    let is_due_now = std::mem::replace(&mut thread.ahead, ahead) && !ahead;
                    self.expect(is_due_now, Rule::Shell("prepared once"));
                } else {
                    self.threads.push(Thread {
                        step,
                        worker,
                        key: place(&key, &KEYS),
                        ahead,
                        is_there: false,
                    });
                    self.threads.sort_unstable();
                }
            }
            RotationEffect::Release { step } => self.threads.retain(|t| t.step != step),
            RotationEffect::Call { step, attempt, .. } => self.call(shape, step, attempt),
            RotationEffect::Propose {
                step,
                overtaken,
                resumed,
                ..
            } => {
                let new = self.proposals.iter().all(|p| p.step != step);
                self.expect(new, Rule::Shell("proposed once"));
                self.proposals.push(Proposal {
                    step,
                    overtaken,
                    resumed,
                    answered: false,
                });
                self.proposals.sort_unstable();
            }
            RotationEffect::Withdraw { step } => {
                self.expect(!self.durable.records.contains(&step), Rule::Atomic);
                self.proposals.retain(|p| p.step != step);
            }
            RotationEffect::Adopt { step, .. } => self.adopt(step),
            RotationEffect::Waits { .. } => {
                self.expect(false, Rule::Shell("no world of the model warns"));
            }
            RotationEffect::Settled { report, .. } => {
                self.expect(!report.state.goes_on(), Rule::Lost);
            }
            RotationEffect::Connected { .. }
            | RotationEffect::Gone { .. }
            | RotationEffect::Give { .. }
            | RotationEffect::Heard { .. }
            | RotationEffect::CatchUp { .. }
            | RotationEffect::LeftOut { .. } => {
                self.expect(false, Rule::Shell("no world has instances yet"));
            }
            RotationEffect::Write { .. }
            | RotationEffect::Search { .. }
            | RotationEffect::FindOld { .. } => {
                self.expect(
                    false,
                    Rule::Shell("the engine writes and searches by itself"),
                );
            }
            RotationEffect::VersionsChanged { facts, .. } => {
                self.hears(shape, |known| apply(known, &facts));
            }
            RotationEffect::Versions { table, .. } => {
                let table = table.expect("versions that can be read");
                self.hears(shape, |known| *known = Some(table));
            }
            RotationEffect::AskLastWritten {
                rotation, asked, ..
            } => {
                let of_rotation = |(of, _): &(RotationId, u64)| *of == rotation;
                self.versions.asks.retain(|ask| !of_rotation(ask));
                self.versions.asks.push((rotation, asked));
            }
            RotationEffect::TakeValues { .. } => {
                self.expect(false, Rule::Shell("no key of the model gets versions"));
            }
            RotationEffect::Supersede { .. } => {
                let plain = !shape.versions;
                self.expect(plain, Rule::Shell("a key with versions holds nothing"));
            }
            RotationEffect::Stopped { .. } => {}
        }
        Vec::new()
    }

    /// What the engine says of keys, workers and declarations is so: who joined is durably on the
    /// roster, who left is durably off it.
    fn is_true(&mut self, effect: &RotationEffect) {
        let journal = &self.durable.journal;
        let machine = self.engine.machine();
        let entry = |worker| machine.roster().get(worker);
        let is_true = match effect {
            RotationEffect::Defined { key, .. } => machine.is_defined(key),
            RotationEffect::Joined { worker, .. } => journal.members.contains_key(worker),
            RotationEffect::Registered {
                worker,
                key,
                callback,
                ..
            } => entry(worker).is_some_and(|entry| entry.has_attached(key, callback)),
            RotationEffect::Left { worker, .. } => !journal.members.contains_key(worker),
            RotationEffect::Removed {
                worker,
                key,
                callback,
                ..
            } => entry(worker).is_none_or(|entry| !entry.has_attached(key, callback)),
            RotationEffect::Accepted { id, .. } => machine.is_live(*id),
            _ => false,
        };
        self.expect(is_true, Rule::Shell("what is said has happened"));
    }

    /// The key adopts what it proposed: its record is durable, with its step, and it is the next.
    fn adopt(&mut self, step: StepRef) {
        let answered = |p: &Proposal| p.step == step && p.answered;
        let proposed = self.proposals.iter().any(answered);
        self.expect(proposed, Rule::Atomic);
        self.expect(self.durable.records.contains(&step), Rule::Atomic);
        self.expect(self.owed.first() == Some(&step), Rule::Order);
        self.owed.retain(|other| *other != step);
        self.proposals.retain(|p| p.step != step);
    }

    fn call(&mut self, shape: &Shape, step: StepRef, attempt: u32) {
        let reserved = self.threads.extract_if(.., |t| t.step == step);
        let reserved: Vec<Thread> = reserved.collect();
        let ready = reserved.first().is_some_and(|thread| thread.is_there);
        self.expect(ready, Rule::Shell("a call has its thread"));
        let durable = self.durable.clone();
        let Some((header, steps)) = durable.journal.rotations.get(&step.rotation) else {
            self.expect(false, Rule::NotDurable);
            return;
        };
        let Some(due) = steps.get(&step.step) else {
            self.expect(false, Rule::NotDurable);
            return;
        };
        self.expect(due.status != CallbackStatus::Succeeded, Rule::Again);
        let in_progress = due.status == CallbackStatus::InProgress && due.attempt == attempt;
        self.expect(in_progress, Rule::NotDurable);
        self.expect(header.state == RotationState::Running, Rule::Turn);
        self.may_be_called(header, due, steps);
        let (worker, callback) = match due.is_own() {
            true => (shape.workers, 0),
            false => (
                place(&due.worker, &WORKERS),
                place(&due.callback, &CALLBACKS),
            ),
        };
        let call = Call {
            step,
            attempt,
            worker,
            callback,
            key: place(&header.key, &KEYS),
        };
        let earlier = |s: &&Step| s.no < due.no && (shape.at_once == 1 || s.worker == due.worker);
        let in_order = steps.values().filter(earlier).all(Step::is_settled);
        self.expect(in_order, Rule::Order);
        let of_key = self.calls.iter().filter(|other| other.key == call.key);
        let (mut same_turn, mut own_order, mut others) = (true, true, 0);
        for other in of_key {
            same_turn &= other.step.rotation == step.rotation;
            own_order &= other.worker != call.worker;
            others += 1;
        }
        self.expect(same_turn, Rule::Turn);
        self.expect(own_order && others < shape.at_once, Rule::Order);
        self.calls.push(call);
        self.calls.sort_unstable();
    }

    fn reply(&mut self, ticket: Ticket, reply: Result<Reply, RotationError>) -> Vec<Action> {
        let told = match &reply {
            Err(RotationError::RepoUnavailable { .. } | RotationError::Unwritten { .. }) => true,
            Err(RotationError::ShutDown { .. }) => self.is_closing,
            Ok(_) | Err(_) => false,
        };
        match (Asked::of(ticket), reply) {
            (Asked::Define, Ok(_)) => {}
            (Asked::Define, Err(_)) => self.expect(false, Rule::Shell("a key is defined")),
            (Asked::Join(worker), Ok(Reply::Joined { incarnation, .. })) => {
                self.workers[worker].life = Life::Here(incarnation);
            }
            (Asked::Join(worker), _) => {
                self.expect(told, Rule::Shell("a worker may join"));
                self.workers[worker].life = Life::Away;
            }
            (
                Asked::Register {
                    worker,
                    incarnation,
                },
                reply,
            ) => {
                let asker = &mut self.workers[worker];
                if asker.life.incarnation() == Some(incarnation) {
                    asker.registering = false;
                    asker.registered += usize::from(reply.is_ok());
                    let members = &self.durable.journal.members;
                    let is_member = members.contains_key(&WORKERS[worker]);
                    if reply.is_err() && !is_member {
                        // It was not told whether it has left: it has.
                        asker.life = Life::Gone;
                    }
                    let admitted = reply.is_ok() || told || !is_member;
                    self.expect(admitted, Rule::Shell("a member may register"));
                }
            }
            (Asked::Leave(worker), reply) => {
                let asker = &mut self.workers[worker];
                if let Some(incarnation) = asker.life.incarnation() {
                    match reply {
                        Ok(_) => asker.life = Life::Gone,
                        Err(_) => asker.life = Life::Here(incarnation),
                    }
                }
            }
            (Asked::Declare(rotation), reply) => {
                self.expect(reply.is_ok() || told, Rule::Shell("it may be declared"));
                if reply.is_ok() {
                    self.accepted.insert(rotation);
                    return self.wait(rotation);
                }
            }
            (Asked::Resume(rotation), Ok(Reply::Accepted { .. })) => return self.wait(rotation),
            (Asked::Resume(_) | Asked::Abort(_) | Asked::Remove(_), _) => {}
            (Asked::Wait(rotation), reply) => {
                self.waited.remove(&rotation);
                let (id, journal) = (rid(rotation), &self.durable.journal);
                let visible = match reply {
                    Ok(Reply::Report(report)) => !report.state.goes_on(),
                    Ok(Reply::NotLive { .. }) => journal.ended.contains_key(&id),
                    Ok(_) => false,
                    Err(_) => told,
                };
                self.expect(visible, Rule::Lost);
            }
        }
        Vec::new()
    }

    /// The caller that declared or resumed a rotation waits for it; it is durable when this is answered.
    fn wait(&mut self, rotation: usize) -> Vec<Action> {
        let id = rid(rotation);
        let journal = &self.durable.journal;
        let known = journal.rotations.contains_key(&id) || journal.ended.contains_key(&id);
        self.expect(known, Rule::Lost);
        self.waited.insert(rotation);
        let ticket = Asked::Wait(rotation).ask();
        let now = self.now();
        self.engine.step(Event::Wait { ticket, id }, now)
    }

    /// The batch is made: its facts are durable, all of them.
    pub fn make_durable(&mut self, shape: &Shape, facts: &[Fact]) {
        let mut durable = (*self.durable).clone();
        for fact in facts {
            let broken = match fact {
                Fact::Step(rotation, _, step) => {
                    let (rotation, no) = (*rotation, step.no);
                    let at = StepRef { rotation, step: no };
                    let before = durable.step(at).map(|step| step.status);
                    let done = before == Some(CallbackStatus::Succeeded);
                    let again = done && step.status != CallbackStatus::Succeeded;
                    let succeeds = !done && step.status == CallbackStatus::Succeeded;
                    let needs_record = succeeds && !shape.versions && {
                        let worker = place(&step.worker, &WORKERS);
                        shape.changes(worker, place(&step.callback, &CALLBACKS))
                    };
                    let torn = needs_record && !facts.contains(&Fact::Record(at));
                    again
                        .then_some(Rule::Again)
                        .or(torn.then_some(Rule::Atomic))
                }
                Fact::Record(step) => {
                    let new = durable.records.insert(*step);
                    self.owed.push(*step);
                    let torn = !new || !succeeds_in(facts, *step);
                    torn.then_some(Rule::Atomic)
                }
                Fact::Rotation(header) => {
                    let begins = header.state == RotationState::Running;
                    let of_key = |other: &&Header| other.key == header.key && other.id != header.id;
                    let others = durable.journal.rotations.values();
                    let others = others.map(|(other, _)| other).filter(of_key);
                    let (mut two, mut before_its_turn) = (false, false);
                    for other in others {
                        two |= other.state == RotationState::Running;
                        let waits = other.state == RotationState::Waiting;
                        before_its_turn |= waits && other.place < header.place;
                    }
                    let order = before_its_turn.then_some(Rule::Order);
                    let broken = two.then_some(Rule::Turn).or(order);
                    broken.filter(|_| begins)
                }
                _ => None,
            };
            self.broken = self.broken.take().or(broken);
            if let Err(rule) = durable.journal.try_write(fact) {
                self.expect(false, Rule::Journal(rule));
            }
        }
        for fact in facts {
            if let Fact::Version(_, VersionFact::DebtGone { version, worker }) = fact {
                self.is_paid(&durable, facts, (*version, worker));
            }
        }
        if let Err(rule) = durable.journal.whole() {
            self.expect(false, Rule::Journal(rule));
        }
        self.durable = Shared::new(durable);
    }
}

/// Whether these facts let a step succeed.
fn succeeds_in(facts: &[Fact], of: StepRef) -> bool {
    facts.iter().any(|fact| {
        matches!(fact, Fact::Step(rotation, _, step)
            if (*rotation, step.no) == (of.rotation, of.step)
                && step.status == CallbackStatus::Succeeded)
    })
}
