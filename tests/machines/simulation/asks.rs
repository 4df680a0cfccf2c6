//! What programs ask of the coordinator, and what each answer must be true about.

use std::collections::BTreeSet;

use keyward::key::event::Ticket;
use keyward::rotation::effect::Reply;
use keyward::rotation::error::RotationError;
use keyward::rotation::event::{Event, OldKeys};
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::state::RotationState;

use crate::simulation::coordinator::Told;
use crate::simulation::life::Job;
use crate::simulation::old_keys::prints;
use crate::simulation::plan::{Named, callback_name, key_name, worker_name};
use crate::simulation::world::{Made, What, World};

/// What was asked.
#[derive(Debug, Clone)]
pub enum Kind {
    Define(usize),
    Join(usize),
    Register(Named),
    Leave(usize),
    Remove(Named),
    Declare(Box<Made>),
    Wait(RotationId),
    Resume(RotationId),
    Abort(RotationId),
}

/// A caller that waits for an answer of the coordinator.
#[derive(Debug, Clone)]
pub struct Asked {
    pub kind: Kind,
    /// Whether the coordinator has it.
    pub arrived: bool,
    /// Whether rotations were paused when it arrived.
    pub paused: bool,
    /// How many batches had been made when it was asked.
    pub since: u64,
    /// Whether the rotation that it is about had been accepted when it was asked.
    pub accepted: bool,
}

impl World {
    pub fn ask(&mut self, kind: Kind) {
        let may_go = !self.calm && !matches!(kind, Kind::Define(_));
        let ticket = self.number();
        let event = self.event(ticket, &kind);
        let accepted = match &kind {
            Kind::Wait(id) | Kind::Resume(id) | Kind::Abort(id) => self.accepted.contains_key(id),
            _ => false,
        };
        let asked = Asked {
            kind,
            arrived: false,
            paused: false,
            since: self.truth.batches,
            accepted,
        };
        self.life().asks.insert(ticket, asked);
        self.send(Told::Ticket { ticket, event });
        if may_go && self.chance.percent(self.plan.faults.dropped) {
            let delay = self.chance.about(300);
            self.in_life(delay, What::Gone(ticket));
        }
    }

    /// The caller does not wait any more.
    pub fn asker_gone(&mut self, ticket: Ticket) {
        if let Some(asked) = self.life().asks.remove(&ticket) {
            self.figures.dropped += 1;
            self.life().gone.insert(ticket, asked.kind);
            self.send(Told::Happened(Event::Gone { ticket }));
        }
    }

    /// A request arrives.
    pub fn asked(&mut self, ticket: Ticket, event: Event) {
        let life = self.life();
        let paused = life.engine.machine().paused().is_some();
        match life.asks.get_mut(&ticket) {
            Some(asked) => {
                asked.arrived = true;
                asked.paused = paused;
            }
            None if life.gone.contains_key(&ticket) => {}
            // It was on its way to an actor that died.
            None => return,
        }
        if let Event::Declare { declaration, .. } = &event {
            self.offer(ticket, declaration);
        }
        self.step(event);
    }

    /// An asker is answered: what it is told is true.
    pub fn answered(&mut self, ticket: Ticket, asked: Asked, reply: Result<Reply, RotationError>) {
        self.mark(ticket);
        self.mark(u64::from(reply.is_ok()));
        match &reply {
            Err(RotationError::Unwritten { .. }) => self.figures.unwritten += 1,
            Err(RotationError::RepoUnavailable { .. }) => self.figures.unavailable += 1,
            _ => {}
        }
        let kind = asked.kind.clone();
        match (kind, reply) {
            (Kind::Define(key), Ok(Reply::Done)) => {
                assert!(
                    self.life().keys[key].is_some(),
                    "a key was said to be defined"
                );
            }
            (Kind::Join(worker), Ok(Reply::Joined { incarnation, .. })) => {
                self.joined(worker, incarnation, asked.since);
            }
            (Kind::Register(named), Ok(Reply::Done)) => self.registered(named, asked.since),
            (Kind::Leave(worker), Ok(Reply::Done)) => {
                self.figures.leaves += 1;
                self.left(worker, asked.since);
            }
            (Kind::Remove(named), Ok(Reply::Done)) => {
                self.figures.leaves += 1;
                assert!(
                    self.truth.had_no_callback(named, asked.since),
                    "a callback was removed and is on the roster"
                );
            }
            (Kind::Declare(made), reply) => self.declared(&made, reply),
            (Kind::Wait(id), reply) => self.waited(asked, id, reply),
            (Kind::Resume(id), Ok(Reply::Accepted { .. })) => {
                self.figures.resumed += 1;
                let header = self.truth.header(id).expect("a durable rotation");
                assert!(header.resumes > 0, "a resume is told and not durable");
            }
            (Kind::Abort(id), Ok(Reply::Done)) => {
                let state = self.truth.header(id).expect("a durable rotation").state;
                assert_eq!(state, RotationState::Aborted, "an abort is told");
                assert!(!self.truth.secrets.contains_key(&id), "its keys are gone");
            }
            (Kind::Resume(id) | Kind::Abort(id), Ok(Reply::NotLive { .. })) => {
                self.job(Job::Find(asked, id));
            }
            (
                Kind::Define(_)
                | Kind::Join(_)
                | Kind::Register(_)
                | Kind::Leave(_)
                | Kind::Remove(_)
                | Kind::Resume(_)
                | Kind::Abort(_),
                Err(_),
            ) => {}
            (kind, Ok(reply)) => panic!("{kind:?} was answered {reply:?}"),
        }
    }

    fn joined(&mut self, worker: usize, incarnation: u64, since: u64) {
        assert!(
            self.truth.was_member(worker, since),
            "a worker has joined and is not on the roster"
        );
        self.life().workers.insert(worker, incarnation);
        for named in self.plan.callbacks.clone() {
            if named.0 == worker && !self.chance.percent(10) {
                let delay = if self.chance.percent(20) {
                    self.chance.about(5_000)
                } else {
                    self.chance.below(50)
                };
                self.in_life(delay, What::Register(named.0, named.1, named.2));
            }
        }
    }

    fn registered(&mut self, named: Named, since: u64) {
        assert!(
            self.truth.had_callback(named, since),
            "a callback is registered and is not on the roster"
        );
        let (worker, key, callback) = named;
        let (name, of) = (worker_name(worker), callback_name(callback));
        let machine = self.life.as_ref().expect("a life").engine.machine();
        let entry = machine.roster().get(&name);
        let is_there = entry.is_some_and(|entry| entry.has(&key_name(key), &of));
        // While paused what is in memory is not what will be.
        if !is_there || machine.paused().is_some() {
            return;
        }
        let open = machine.reports();
        for report in open.iter().filter(|r| r.key == key_name(key)) {
            let in_plan = report
                .steps
                .iter()
                .any(|s| s.worker == name && s.callback == of);
            // One that had completed with failures takes no new step, and may have been resumed.
            let joins = report.state.takes_new_steps() && report.resumes == 0;
            assert!(
                in_plan || !joins,
                "registered {named:?} is in no plan: {report:?}"
            );
        }
    }

    fn left(&mut self, worker: usize, since: u64) {
        assert!(
            self.truth.was_no_member(worker, since),
            "a worker has left and is on the roster"
        );
        self.life().workers.remove(&worker);
    }

    fn declared(&mut self, made: &Made, reply: Result<Reply, RotationError>) {
        let id = made.declaration.id;
        match reply {
            Ok(Reply::AskStores { old }) => self.asks_stores(made, old),
            Ok(Reply::Accepted { id: told }) => {
                assert_eq!(told, id);
                let header = self.truth.header(id);
                let header = header.expect("a rotation is accepted and not durable");
                let mut declared = made.declaration.declared;
                if matches!(made.declaration.old, OldKeys::OfStore | OldKeys::Asked) {
                    // They are those of the rotation before, or the store's.
                    declared.old = match self.truth.secrets.get(&id) {
                        Some((old, _)) => old.as_ref().map(prints),
                        None => header.declared.old,
                    };
                }
                assert_eq!(
                    header.declared, declared,
                    "another declaration was accepted under the id"
                );
                let first = self.accepted.insert(id, made.declaration.clone());
                self.figures.accepted += u64::from(first.is_none());
                self.figures.repeated += u64::from(first.is_some());
                if self.chance.percent(60) {
                    self.ask(Kind::Wait(id));
                }
            }
            Err(RotationError::OtherDeclaration { .. }) => {
                let header = self.truth.header(id).expect("a durable rotation");
                assert_ne!(header.declared, made.declaration.declared);
                self.figures.refused_others += 1;
            }
            Err(RotationError::RepoUnavailable { .. }) => {
                // Nothing was done: unless it is declared again, it is never found.
                let others = self.made.iter().filter(|m| m.declaration.id == id);
                if others.count() == 1 {
                    assert!(!self.truth.has(id), "what was refused is durable");
                    self.truth.refused.insert(id);
                }
            }
            Err(_) => {}
            Ok(reply) => panic!("a declaration was answered {reply:?}"),
        }
    }

    fn waited(&mut self, asked: Asked, id: RotationId, reply: Result<Reply, RotationError>) {
        match reply {
            Ok(Reply::Report(report)) => {
                self.figures.waits += 1;
                let header = self.truth.header(id).expect("a durable rotation");
                let same = header.state == report.state;
                let went_on = header.resumes > report.resumes
                    || matches!(
                        header.state,
                        RotationState::Obsolete | RotationState::Aborted
                    );
                assert!(same || went_on, "a report is not durable");
            }
            Ok(Reply::NotLive { .. }) => self.job(Job::Find(asked, id)),
            Ok(reply) => panic!("a wait was answered {reply:?}"),
            Err(
                error @ (RotationError::Unwritten { .. } | RotationError::RepoUnavailable { .. }),
            ) => assert!(
                asked.paused,
                "who waited for {id} was sent away by a failed write: {error}"
            ),
            Err(RotationError::ShutDown { .. }) => {}
            Err(error) => panic!("a wait was answered {error}"),
        }
    }

    /// What the history has of a rotation that is not among the living.
    pub fn found(&mut self, asked: &Asked, id: RotationId, found: Option<bool>) {
        if matches!(asked.kind, Kind::Wait(_)) {
            self.figures.waits += u64::from(found == Some(true));
        }
        assert!(
            found != Some(false) || !asked.accepted,
            "accepted rotation {id} is unknown to whoever asks: {asked:?}"
        );
    }

    /// The life of the asker is over, or the request was lost.
    pub fn life_is_over_for(&mut self, asked: Asked) {
        if self.life.is_none() {
            return;
        }
        let delay = self.chance.about(200);
        match asked.kind {
            Kind::Define(key) => self.in_life(delay, What::Define(key)),
            Kind::Join(worker) => self.in_life(delay, What::Join(worker)),
            Kind::Register((w, k, c)) => self.in_life(delay, What::Register(w, k, c)),
            _ => {}
        }
    }

    pub fn asks_to_define(&mut self, key: usize) {
        let waits = |asked: &Asked| matches!(asked.kind, Kind::Define(k) if k == key);
        let life = self.life();
        if life.keys[key].is_none() && !life.asks.values().any(waits) {
            self.ask(Kind::Define(key));
        }
    }

    pub fn asks_to_join(&mut self, worker: usize) {
        let waits = |asked: &Asked| matches!(asked.kind, Kind::Join(w) if w == worker);
        if !self.life().asks.values().any(waits) {
            self.ask(Kind::Join(worker));
        }
    }

    pub fn asks_to_register(&mut self, worker: usize, key: usize, callback: usize) {
        let named = (worker, key, callback);
        let waits = |asked: &Asked| matches!(asked.kind, Kind::Register(n) if n == named);
        let life = self.life();
        let here = life.workers.contains_key(&worker) && life.keys[key].is_some();
        if here && !life.asks.values().any(waits) {
            self.ask(Kind::Register(named));
        }
    }

    fn event(&self, ticket: Ticket, kind: &Kind) -> Event {
        let workers = self.life.as_ref().map(|life| &life.workers);
        let life = |worker: &usize| workers.and_then(|w| w.get(worker).copied());
        match kind {
            Kind::Define(key) => Event::Define {
                ticket,
                keys: vec![(key_name(*key), self.plan.keys[*key].clone())],
            },
            Kind::Join(worker) => Event::Join {
                ticket,
                worker: worker_name(*worker),
                sharing: Sharing::Sole,
                process: None,
            },
            Kind::Register((worker, key, callback)) => Event::Register {
                ticket,
                worker: worker_name(*worker),
                incarnation: life(worker).unwrap_or_default(),
                key: key_name(*key),
                callback: callback_name(*callback),
                of: CallbackOf::Data,
            },
            Kind::Leave(worker) => Event::Leave {
                ticket,
                worker: worker_name(*worker),
                incarnation: life(worker),
                by: Default::default(),
            },
            Kind::Remove((worker, key, callback)) => Event::RemoveCallback {
                ticket,
                worker: worker_name(*worker),
                key: key_name(*key),
                callback: callback_name(*callback),
                by: Default::default(),
            },
            Kind::Declare(made) => Event::Declare {
                ticket,
                declaration: made.declaration.clone(),
            },
            Kind::Wait(id) => Event::Wait { ticket, id: *id },
            Kind::Resume(id) => Event::Resume {
                ticket,
                id: *id,
                by: Default::default(),
            },
            Kind::Abort(id) => {
                let id = *id;
                let confirmed: BTreeSet<_> = (0..4).map(worker_name).collect();
                Event::Abort {
                    ticket,
                    id,
                    confirmed,
                    by: Default::default(),
                }
            }
        }
    }
}
