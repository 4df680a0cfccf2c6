//! What is around the engine: messages go in, actions are performed.

use std::collections::{BTreeMap, BTreeSet};

use keyward::journal::fact::{Attached, JournalFact};
use keyward::journal::secrets::RotationSecrets;
use keyward::key::event::{Event as KeyEvent, Request, Supersede, Ticket, WriteFailure};
use keyward::key::journal_down::JournalDown;
use keyward::key::state::{RecordChange, Snapshot, Staged, StateChange};
use keyward::rotation::effect::{Fact, Reply, RotationEffect};
use keyward::rotation::engine::{Action, Reread};
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Declaration, Event, StepOutcome, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::report::RotationReport;
use keyward::rotation::state::RotationState;
use keyward::secret::value::SecretKeyPair;

use crate::simulation::asks::{Asked, Kind};
use crate::simulation::callbacks::done;
use crate::simulation::keys::KeyAsk;
use crate::simulation::life::{Closing, Job, Proposal};
use crate::simulation::plan::{key_number, worker_name, worker_number};
use crate::simulation::world::{What, World};

/// What the coordinator is told.
#[derive(Debug)]
pub enum Told {
    Ticket {
        ticket: Ticket,
        event: Event,
    },
    Happened(Event),
    /// The old keys of a declaration that did not give them.
    OldFound {
        ticket: Ticket,
        declaration: Box<Declaration>,
        old: Option<SecretKeyPair>,
    },
    Snapped {
        rotation: RotationId,
        ticket: Ticket,
        snapshot: Snapshot,
    },
    Prepared {
        step: StepRef,
        token: u64,
    },
    Ended {
        step: StepRef,
        attempt: u32,
        outcome: StepOutcome,
        staged: Vec<Staged>,
    },
    Proposed {
        step: StepRef,
        ticket: Ticket,
        applies: bool,
        record: Option<RecordChange>,
    },
    Written(u64, Result<(), WriteFailure>),
    Reopened(Result<(Reread, BTreeMap<RotationId, RotationSecrets>), JournalDown>),
    /// A key's save failed, and it is unknown whether it was made.
    Interrupted(String),
}

impl World {
    /// A message to the coordinator, in the order of sending.
    pub fn send(&mut self, told: Told) {
        let at = self.now + self.delay();
        let life = self.life();
        life.coordinator_busy = life.coordinator_busy.max(at);
        let (at, of) = (life.coordinator_busy, life.of());
        self.at(at, of, What::Coordinator(Box::new(told)));
    }

    pub fn coordinator(&mut self, told: Told) {
        let now = self.moment();
        match told {
            Told::Ticket { ticket, event } => self.asked(ticket, event),
            Told::Happened(event) => {
                if let Event::Searched {
                    ticket,
                    declaration,
                    ..
                } = &event
                {
                    self.offer(*ticket, declaration);
                }
                if let Event::Lacks { step, lacks } = event {
                    self.life().lacks.entry(step).or_default().push(lacks);
                }
                self.step(event);
            }
            Told::OldFound {
                ticket,
                declaration,
                old,
            } => self.old_found(ticket, *declaration, old),
            Told::Snapped {
                rotation,
                ticket,
                snapshot,
            } => {
                let life = self.life();
                if life.snapshots.get(&rotation) == Some(&ticket) {
                    life.snapshots.remove(&rotation);
                    let secrets = life.secrets.entry(rotation).or_default();
                    secrets.snapshot = Some(snapshot);
                    self.step(Event::Snapped { rotation });
                }
            }
            Told::Prepared { step, token } => {
                let prepares = &self.life().prepares;
                if prepares.get(&step).is_some_and(|(t, _)| *t == token) {
                    self.step(Event::Prepared { step });
                }
            }
            Told::Ended {
                step,
                attempt,
                outcome,
                staged,
            } => self.ended(step, attempt, outcome, staged),
            Told::Proposed {
                step,
                ticket,
                applies,
                record,
            } => {
                let proposals = &mut self.life().proposals;
                if let Some(mine) = proposals.get_mut(&step).filter(|p| p.ticket == ticket) {
                    mine.answer = Some((applies, record));
                    self.step(Event::Proposed { step, applies });
                }
            }
            Told::Written(number, result) => {
                self.life().writing = false;
                if let Err(failure) = &result {
                    self.life().doubtful = failure.unknown.then_some((number, None));
                }
                let actions = self.life().engine.written(result, now);
                self.perform_all(actions);
            }
            Told::Reopened(found) => {
                let found = found.map(|(reread, secrets)| {
                    self.figures.recoveries += 1;
                    let waits =
                        |asked: &&Asked| asked.arrived && matches!(asked.kind, Kind::Wait(_));
                    let carried = self.life().asks.values().filter(waits).count();
                    self.figures.carried_waits += carried as u64;
                    let life = self.life();
                    life.doubtful = None;
                    // What is still to be superseded may be of a rotation that has ended.
                    life.secrets.extend(secrets);
                    reread
                });
                let actions = self.life().engine.reopened(found, now);
                self.check_recovered();
                self.figures.kept += self.life().done.len() as u64;
                self.perform_all(actions);
            }
            Told::Interrupted(why) => self.interrupted(why),
        }
        self.coordinator_rests();
    }

    pub fn step(&mut self, event: Event) {
        let now = self.moment();
        let actions = self.life().engine.step(event, now);
        self.perform_all(actions);
    }

    pub fn interrupted(&mut self, why: String) {
        let now = self.moment();
        let actions = self.life().engine.interrupted(why.into(), now);
        self.perform_all(actions);
    }

    fn ended(&mut self, step: StepRef, attempt: u32, outcome: StepOutcome, staged: Vec<Staged>) {
        let life = self.life();
        life.calls.remove(&step);
        if outcome == StepOutcome::Lost {
            return self.lost(step, attempt);
        }
        life.known.insert(step, attempt);
        if let Some(done) = done(&outcome, staged) {
            life.done.insert(step, done);
        }
        self.step(Event::Ended {
            step,
            attempt,
            outcome,
        });
    }

    /// The end of a call is lost. Unless this life takes it back at its end, that is a crash.
    fn lost(&mut self, step: StepRef, attempt: u32) {
        if self.life().engine.machine().is_called(step, attempt) {
            self.figures.lost_calls += 1;
            self.truth.loses(step, attempt);
        }
        let outcome = StepOutcome::Lost;
        self.step(Event::Ended {
            step,
            attempt,
            outcome,
        });
    }

    /// After everything that the coordinator does: timers, a shutdown that goes on, what it may
    /// forget.
    pub fn coordinator_rests(&mut self) {
        let now = self.now;
        let Some(life) = self.life.as_mut() else {
            return;
        };
        let engine = &life.engine;
        life.troubled |= life.closing != Closing::No && engine.machine().paused().is_some();
        life.done.retain(|step, _| engine.keeps(*step));
        if let Some(due) = engine.next_deadline() {
            let due = keyward::key::time::Time::default().until(due).as_millis();
            let due = u64::try_from(due).expect("a near time").max(now);
            if life.timer.is_none_or(|timer| timer > due) {
                life.timer = Some(due);
                let of = life.of();
                self.at(due, of, What::CoordinatorTimer);
            }
        }
        self.close_if_drained();
        self.check_listing();
    }

    pub fn coordinator_timer(&mut self) {
        let now = self.now;
        let life = self.life();
        if life.timer.is_some_and(|timer| timer <= now) {
            life.timer = None;
            self.step(Event::Tick);
            self.coordinator_rests();
        }
    }

    pub fn perform_all(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Write(facts) => self.write(facts),
                Action::Reopen => {
                    self.life().snapshots.clear();
                    self.job(Job::Reopen);
                }
                Action::Perform(effect) => self.perform(effect),
            }
        }
    }

    fn perform(&mut self, effect: RotationEffect) {
        match effect {
            RotationEffect::Write { .. } => panic!("the outbox keeps writes"),
            RotationEffect::Connected { .. }
            | RotationEffect::Gone { .. }
            | RotationEffect::Give { .. }
            | RotationEffect::Heard { .. }
            | RotationEffect::CatchUp { .. }
            | RotationEffect::LeftOut { .. } => panic!("no world has instances yet"),
            RotationEffect::Defined { key, .. } => self.defined(&key),
            RotationEffect::Joined {
                worker,
                incarnation,
                ..
            } => self.actor_starts(&worker, incarnation),
            RotationEffect::Registered {
                worker,
                key,
                callback,
                ..
            } => self.actor_has(&worker, &key, &callback),
            RotationEffect::Left { worker, .. } => self.actor_ends(&worker),
            RotationEffect::Removed {
                worker,
                key,
                callback,
                ..
            } => self.actor_forgets(&worker, &key, &callback),
            RotationEffect::Accepted { ticket, id, key } => self.takes_offer(ticket, id, &key),
            RotationEffect::Reply { ticket, reply, .. } => self.replied(ticket, reply),
            RotationEffect::Search {
                ticket,
                declaration,
                ..
            } => self.job(Job::Search(ticket, Box::new(declaration))),
            RotationEffect::FindOld {
                ticket,
                declaration,
                of,
                ..
            } => self.find_old(ticket, declaration, of),
            RotationEffect::Snapshot { rotation, key } => {
                let key = key_number(&key);
                let ticket = self.key_ticket(key);
                let life = self.life();
                life.snapshots.insert(rotation, ticket);
                let shell = life.keys[key].as_mut().expect("a defined key");
                shell.snapshots.insert(ticket, rotation);
                self.tell_key(key, KeyEvent::Snapshot { ticket });
            }
            RotationEffect::Prepare {
                step,
                key,
                worker,
                incarnation,
                callback,
                ahead,
            } => {
                self.check_actor((&worker, incarnation), &key, &callback);
                // A thread is not always to be spared for what is not due.
                if !ahead || self.chance.per_mille(800) {
                    self.prepare(step, (worker_number(&worker), key_number(&key)), ahead);
                }
            }
            RotationEffect::Release { step } => self.release(step),
            RotationEffect::Call {
                step, attempt, key, ..
            } => {
                if !self.calm && self.chance.per_mille(self.plan.faults.uncalled) {
                    // The worker's actor died before it called.
                    self.figures.uncalled += 1;
                    self.release(step);
                    return self.send(Told::Happened(Event::Uncalled { step, attempt }));
                }
                self.call(step, attempt, key_number(&key));
            }
            RotationEffect::Propose {
                step,
                key,
                overtaken,
                resumed,
            } => self.propose(step, key_number(&key), overtaken, resumed),
            RotationEffect::Withdraw { step } => {
                if let Some(Proposal { ticket, key, .. }) = self.life().proposals.remove(&step) {
                    self.figures.withdrawn += 1;
                    let shell = self.life().keys[key].as_mut().expect("a defined key");
                    shell.proposals.remove(&ticket);
                    self.tell_key(key, KeyEvent::Withdraw { ticket });
                }
            }
            RotationEffect::Adopt { step, .. } => self.adopt(step),
            RotationEffect::Supersede {
                rotation,
                key,
                only_old,
                ..
            } => {
                let secrets = self.life().secrets.get(&rotation);
                let old = secrets.and_then(|secrets| secrets.old.clone());
                let which = if only_old {
                    Supersede::Only(old)
                } else {
                    Supersede::Any
                };
                self.tell_key(key_number(&key), KeyEvent::Supersede(which));
            }
            RotationEffect::Stopped { rotation, key, .. } => {
                let rotation = rotation.as_uuid().as_u128();
                self.tell_key(key_number(&key), KeyEvent::Stopped { rotation });
            }
            RotationEffect::TakeValues { .. }
            | RotationEffect::VersionsChanged { .. }
            | RotationEffect::Versions { .. }
            | RotationEffect::AskLastWritten { .. } => {
                unreachable!("no key of the simulation has versions yet")
            }
            RotationEffect::Waits { .. } => {}
            RotationEffect::Settled { report, .. } => self.settled(&report),
        }
    }

    fn propose(&mut self, step: StepRef, key: usize, overtaken: bool, resumed: bool) {
        let ticket = self.key_ticket(key);
        let life = self.life();
        let (effect, staged) = life
            .done
            .get(&step)
            .cloned()
            .expect("what a callback did is kept until it is durable");
        let secrets = life.secrets.get(&step.rotation);
        let change = StateChange {
            staged,
            effect,
            new_keys: secrets.and_then(|secrets| secrets.new.clone()),
            overtaken,
            resumed: resumed.then(|| step.rotation.as_uuid().as_u128()),
        };
        let answer = None;
        let proposal = Proposal {
            ticket,
            key,
            resumed,
            answer,
        };
        life.proposals.insert(step, proposal);
        let shell = life.keys[key].as_mut().expect("a defined key");
        shell.proposals.insert(ticket, step);
        self.tell_key(key, KeyEvent::Propose { ticket, change });
        if !self.calm && self.chance.percent(30) {
            // A request comes between a proposal and its end.
            self.ask_key(key, Request::Get { flow: None }, KeyAsk::program());
        }
    }

    fn adopt(&mut self, step: StepRef) {
        assert!(
            self.truth.succeeded.contains(&step),
            "a key adopts what is not durable"
        );
        let Proposal {
            ticket,
            key,
            resumed,
            answer,
        } = self.life().proposals.remove(&step).expect("a proposal");
        let (applies, record) = answer.expect("an answered proposal");
        self.figures.adopted += 1;
        let shell = self.life().keys[key].as_mut().expect("a defined key");
        // A save alone is of the moment in which it was proposed, and what a resumed rotation does
        // comes before a forward get that was answered since.
        if applies && !resumed {
            shell.adopting.insert(ticket, record);
        }
        self.tell_key(key, KeyEvent::Adopt { ticket });
    }

    fn settled(&mut self, report: &RotationReport) {
        self.figures.settled += 1;
        self.settled_at = self.now;
        let durable = self.truth.header(report.id).expect("a durable rotation");
        let later = durable.resumes > report.resumes || durable.state == RotationState::Obsolete;
        let aborted = durable.state == RotationState::Aborted;
        assert!(
            durable.state == report.state || later || aborted,
            "rotation {} is said to be {} and is {}",
            report.id,
            report.state,
            durable.state
        );
        *match report.state {
            RotationState::Completed => &mut self.figures.completed,
            RotationState::CompletedWithFailures => &mut self.figures.with_failures,
            RotationState::Stopped => &mut self.figures.stopped,
            RotationState::Obsolete => &mut self.figures.obsolete,
            RotationState::Aborted => &mut self.figures.aborted,
            other => panic!("a rotation settled as {other}"),
        } += 1;
        if report.state.has_ended() {
            self.life().secrets.remove(&report.id);
        }
        if !report.state.is_unfinished() {
            let rotation = report.id.as_uuid().as_u128();
            self.tell_key(key_number(&report.key), KeyEvent::Ended { rotation });
        }
    }

    /// A batch with the secrets that go into its records.
    fn write(&mut self, facts: Vec<Fact>) {
        assert!(!self.life().writing, "two batches are under way");
        let mut applied = BTreeSet::new();
        let mut declared = Vec::new();
        let life = self.life();
        let with_secrets = |fact: Fact| {
            let attached = match &fact {
                Fact::Keys(id) => {
                    let secrets = life.secrets.get(id).cloned().unwrap_or_default();
                    Attached::Keys {
                        old: secrets.old,
                        new: secrets.new,
                    }
                }
                Fact::Snapshot(id) => {
                    let secrets = life.secrets.get(id).cloned().unwrap_or_default();
                    let snapshot = secrets.snapshot;
                    Attached::Snapshot(snapshot.unwrap_or_else(|| panic!("no snapshot of {id}")))
                }
                Fact::Record(step) => {
                    let proposal = life.proposals.get(step).expect("a proposal");
                    let (applies, change) = proposal.answer.clone().expect("an answer");
                    if applies {
                        applied.insert(*step);
                    }
                    let key = crate::simulation::plan::key_name(proposal.key);
                    Attached::Record { key, change }
                }
                Fact::Rotation(header) => {
                    if header.state == RotationState::Waiting && header.resumes == 0 {
                        declared.push((key_number(&header.key), header.declared));
                    }
                    Attached::Nothing
                }
                _ => Attached::Nothing,
            };
            JournalFact::new(fact, attached)
        };
        let facts: Vec<JournalFact> = facts.into_iter().map(with_secrets).collect();
        life.writing = true;
        for (key, keys) in declared {
            self.tell_key(key, KeyEvent::Declared(keys));
        }
        self.job(Job::Write { facts, applied });
    }

    /// An asker is answered.
    fn replied(&mut self, ticket: Ticket, reply: Result<Reply, RotationError>) {
        let life = self.life();
        life.offered.remove(&ticket);
        let asked = life.asks.get(&ticket).map(|asked| &asked.kind);
        if let Some(Kind::Leave(worker)) = asked.or(life.gone.get(&ticket))
            && matches!(reply, Err(RotationError::Unwritten { .. }))
        {
            let worker = *worker;
            life.perhaps_left.insert(worker);
        }
        let Some(asked) = self.life().asks.remove(&ticket) else {
            // The caller is gone: a worker that joined without it dies, one that left has left.
            match (self.life().gone.remove(&ticket), reply) {
                (Some(Kind::Join(worker)), Ok(Reply::Joined { incarnation, .. })) => {
                    let worker = worker_name(worker);
                    self.send(Told::Happened(Event::Died {
                        worker,
                        incarnation,
                    }));
                }
                (Some(Kind::Leave(worker)), Ok(Reply::Done)) => {
                    self.life().workers.remove(&worker);
                }
                _ => {}
            }
            return;
        };
        self.answered(ticket, asked, reply);
    }
}
