//! What a move leads to: the world does it, and the engine hears of it.

use std::collections::BTreeSet;

use keyward::key::event::WriteFailure;
use keyward::key::time::Time;
use keyward::rotation::engine::{Reread, RotationEngine};
use keyward::rotation::event::{Event, StepOutcome, StepRef};
use keyward::rotation::instance::{CallbackOf, Sharing};
use keyward::rotation::machine::RotationMachine;

use crate::model::moves::Move;
use crate::model::names::{Asked, CALLBACKS, KEYS, WORKERS, rid};
use crate::model::shape::{Counts, Shape};
use crate::model::state::{Durable, Life, Rule, Shared, State, Worker};
use crate::model::versions::{Versions, with_one_version};

impl Shape {
    /// All workers that are not late are here, and nothing is declared.
    pub fn start(&self) -> State {
        let worker = |number| Worker {
            life: if number < self.workers - self.late {
                Life::Away
            } else {
                Life::Never
            },
            registered: 0,
            registering: false,
        };
        let durable = match self.versions {
            true => with_one_version(),
            false => Durable::default(),
        };
        let machine = match self.versions {
            true => RotationMachine::replay(self.config(), durable.journal.facts()),
            false => RotationMachine::new(self.config()),
        };
        let mut state = State {
            engine: RotationEngine::new(machine),
            durable: Shared::new(durable),
            batch: None,
            was_made: false,
            is_reading: false,
            is_closing: false,
            snapshots: Vec::new(),
            threads: Vec::new(),
            calls: Vec::new(),
            proposals: Vec::new(),
            owed: Vec::new(),
            workers: (0..self.workers).map(worker).collect(),
            defined: vec![false; self.keys()],
            declared: 0,
            accepted: BTreeSet::new(),
            waited: BTreeSet::new(),
            versions: Versions::default(),
            used: Counts::default(),
            time: Time::default(),
            broken: None,
        };
        let late = |state: &State, next: &Move| match next {
            Move::Join(worker) => state.workers[*worker].life == Life::Never,
            _ => false,
        };
        loop {
            let mut moves = Vec::new();
            state.goes_on(self, &mut moves);
            let Some(next) = moves.into_iter().find(|next| !late(&state, next)) else {
                return state;
            };
            state.play(self, next);
        }
    }
}

impl State {
    /// One thing happens.
    pub fn play(&mut self, shape: &Shape, next: Move) {
        let now = self.now();
        match next {
            Move::Define(key) => {
                self.defined[key] = true;
                let ticket = Asked::Define.ask();
                let keys = vec![(KEYS[key].clone(), shape.behaviour())];
                self.happen(shape, Event::Define { ticket, keys });
            }
            Move::Join(number) => {
                self.workers[number].life = Life::Joining;
                let (ticket, worker) = (Asked::Join(number).ask(), WORKERS[number].clone());
                self.happen(
                    shape,
                    Event::Join {
                        ticket,
                        worker,
                        sharing: Sharing::Sole,
                        process: None,
                    },
                );
            }
            Move::Register(worker) => self.register(shape, worker),
            Move::Written => {
                if let Some(batch) = self.batch.take() {
                    self.make_durable(shape, &batch);
                }
                let actions = self.engine.written(Ok(()), now);
                self.take(shape, actions);
            }
            Move::Reread => {
                self.is_reading = false;
                let facts = self.durable.journal.facts();
                let batch_was_made = std::mem::take(&mut self.was_made);
                let reread = Reread {
                    facts,
                    batch_was_made,
                };
                let actions = self.engine.reopened(Ok(reread), now);
                self.take(shape, actions);
            }
            Move::Snapped(rotation) => {
                let at = self.snapshots.iter().position(|other| *other == rotation);
                at.map(|at| self.snapshots.remove(at));
                let rotation = rid(rotation);
                self.happen(shape, Event::Snapped { rotation });
            }
            Move::Prepared(step) => {
                for thread in self.threads.iter_mut().filter(|t| t.step == step) {
                    thread.is_there = true;
                }
                self.happen(shape, Event::Prepared { step });
            }
            Move::Done(step) => self.ended(shape, step, false),
            Move::Proposed { step, applies } => {
                for proposal in self.proposals.iter_mut().filter(|p| p.step == step) {
                    proposal.answered = true;
                }
                self.happen(shape, Event::Proposed { step, applies });
            }
            Move::LastWritten(at) => self.last_written(shape, at),
            Move::Get(worker) => self.get(shape, worker),
            Move::TimePasses => {
                self.time = self.engine.next_deadline().unwrap_or(self.time);
                self.happen(shape, Event::Tick);
            }
            Move::Declare(rotation) => {
                self.declared = rotation + 1;
                let ticket = Asked::Declare(rotation).ask();
                let declaration = shape.declaration(rotation);
                self.happen(
                    shape,
                    Event::Declare {
                        ticket,
                        declaration,
                    },
                );
            }
            Move::Resume(rotation) => {
                self.used.resumes += 1;
                let (ticket, id) = (Asked::Resume(rotation).ask(), rid(rotation));
                self.happen(
                    shape,
                    Event::Resume {
                        ticket,
                        id,
                        by: Default::default(),
                    },
                );
            }
            Move::Abort(rotation) => {
                self.used.aborts += 1;
                let (ticket, id) = (Asked::Abort(rotation).ask(), rid(rotation));
                let confirmed = WORKERS.iter().cloned().collect();
                self.happen(
                    shape,
                    Event::Abort {
                        ticket,
                        id,
                        confirmed,
                        by: Default::default(),
                    },
                );
            }
            Move::Remove(number) => {
                self.used.removals += 1;
                let (key, callback) = shape.callback(shape.registrations() - 1);
                let remove = Event::RemoveCallback {
                    ticket: Asked::Remove(number).ask(),
                    worker: WORKERS[number].clone(),
                    key: KEYS[key].clone(),
                    callback: CALLBACKS[callback].clone(),
                    by: Default::default(),
                };
                self.happen(shape, remove);
            }
            Move::End => {
                self.expect(self.waited.is_empty(), Rule::Lost);
                self.crash(shape, false);
            }
            Move::Return(worker) => self.workers[worker].life = Life::Away,
            fault => self.go_wrong(shape, fault),
        }
    }

    fn go_wrong(&mut self, shape: &Shape, fault: Move) {
        let now = self.now();
        match fault {
            Move::Fail(step) => {
                self.used.failures += 1;
                self.ended(shape, step, true);
            }
            Move::Die(number) => {
                self.used.deaths += 1;
                let life = self.workers[number].life;
                self.workers[number] = away();
                if let Some(incarnation) = life.incarnation() {
                    let worker = WORKERS[number].clone();
                    self.happen(
                        shape,
                        Event::Died {
                            worker,
                            incarnation,
                        },
                    );
                }
            }
            Move::Leave(number) => {
                self.used.leaves += 1;
                let incarnation = self.workers[number].life.incarnation();
                self.workers[number].life = Life::Leaving(incarnation.unwrap_or_default());
                let (ticket, worker) = (Asked::Leave(number).ask(), WORKERS[number].clone());
                let leave = Event::Leave {
                    ticket,
                    worker,
                    incarnation,
                    by: Default::default(),
                };
                self.happen(shape, leave);
            }
            Move::WriteFails { made, unknown } => {
                self.used.writes += 1;
                self.was_made = made;
                let batch = self.batch.take();
                if let Some(batch) = batch.filter(|_| made) {
                    self.make_durable(shape, &batch);
                }
                let why = "the disk".to_owned().into();
                let failure = WriteFailure { why, unknown };
                let actions = self.engine.written(Err(failure), now);
                self.take(shape, actions);
            }
            Move::AnotherWriteFails => {
                self.used.writes += 1;
                let actions = self.engine.interrupted("the disk".to_owned().into(), now);
                self.take(shape, actions);
            }
            Move::Uncalled(step) => {
                self.used.deaths += 1;
                let call = self.calls.iter().position(|call| call.step == step);
                if let Some(call) = call.map(|at| self.calls.remove(at)) {
                    let attempt = call.attempt;
                    self.happen(shape, Event::Uncalled { step, attempt });
                }
            }
            Move::Lose(step) => {
                self.used.deaths += 1;
                self.lose(shape, step);
            }
            Move::ReadFails => {
                self.used.reads += 1;
                self.is_reading = false;
                let actions = self.engine.reopened(Err("the disk".to_owned().into()), now);
                self.take(shape, actions);
            }
            Move::CoordinatorDies => {
                self.used.coordinators += 1;
                let actions = self.engine.restarted("it died".to_owned(), now);
                self.take(shape, actions);
            }
            Move::ShutDown => {
                self.used.shutdowns += 1;
                self.is_closing = true;
                self.happen(shape, Event::Close);
                self.happen(shape, Event::Interrupt);
                self.snapshots.clear();
                self.threads.clear();
                self.calls.clear();
            }
            Move::Crash { batch_was_made } => {
                self.used.crashes += 1;
                self.crash(shape, batch_was_made);
            }
            _ => self.expect(false, Rule::Shell("a move that is played")),
        }
    }

    fn register(&mut self, shape: &Shape, number: usize) {
        let asker = &mut self.workers[number];
        asker.registering = true;
        let (key, callback) = shape.callback(asker.registered);
        let incarnation = asker.life.incarnation().unwrap_or_default();
        let (worker, key) = (WORKERS[number].clone(), KEYS[key].clone());
        let callback = CALLBACKS[callback].clone();
        let asked = Asked::Register {
            worker: number,
            incarnation,
        };
        let register = Event::Register {
            ticket: asked.ask(),
            worker: worker.clone(),
            incarnation,
            key: key.clone(),
            callback: callback.clone(),
            of: CallbackOf::Data,
        };
        self.happen(shape, register);
        let machine = self.engine.machine();
        let entry = machine.roster().get(&worker);
        if entry.is_some_and(|entry| entry.has_attached(&key, &callback)) {
            let reports = machine.reports();
            let mut open = reports
                .iter()
                .filter(|r| r.key == key && r.state.takes_new_steps());
            let in_plan = open.all(|report| {
                let mut steps = report.steps.iter().filter(|step| !step.removed);
                steps.any(|s| s.worker == worker && s.callback == callback)
            });
            self.expect(in_plan, Rule::Late);
        }
    }

    fn ended(&mut self, shape: &Shape, step: StepRef, fails: bool) {
        let Some(at) = self.calls.iter().position(|call| call.step == step) else {
            return;
        };
        let call = self.calls.remove(at);
        let outcome = if fails {
            let error = "no".to_owned();
            StepOutcome::Failed { error }
        } else {
            shape.done(call.worker, call.callback)
        };
        let attempt = call.attempt;
        self.happen(
            shape,
            Event::Ended {
                step,
                attempt,
                outcome,
            },
        );
    }

    /// A call ends without an answer: it is to be made again, and counts as a crash.
    fn lose(&mut self, shape: &Shape, step: StepRef) {
        let Some(at) = self.calls.iter().position(|call| call.step == step) else {
            return;
        };
        let attempt = self.calls.remove(at).attempt;
        let before = self.durable.step(step).map(|step| step.crashes);
        let outcome = StepOutcome::Lost;
        self.happen(
            shape,
            Event::Ended {
                step,
                attempt,
                outcome,
            },
        );
        let machine = self.engine.machine();
        let report = machine.report(step.rotation);
        let steps = report.iter().flat_map(|report| &report.steps);
        let mut lost = steps.filter(|lost| lost.no == step.step);
        let again = lost.any(|lost| lost.is_due() && Some(lost.crashes) == before.map(|b| b + 1));
        // While nothing can be written its end is kept.
        self.expect(again || machine.paused().is_some(), Rule::Crash);
    }

    /// The process ends: what is not durable is lost, and no worker is here any more.
    fn crash(&mut self, shape: &Shape, batch_was_made: bool) {
        let batch = self.batch.take();
        if let Some(batch) = batch.filter(|_| batch_was_made) {
            self.make_durable(shape, &batch);
        }
        let facts = self.durable.journal.facts();
        self.engine = RotationEngine::new(RotationMachine::replay(shape.config(), facts));
        self.was_made = false;
        self.is_reading = false;
        self.is_closing = false;
        self.snapshots.clear();
        self.threads.clear();
        self.calls.clear();
        self.proposals.clear();
        self.owed.clear();
        self.waited.clear();
        self.versions_crash();
        self.defined.fill(false);
        self.time = Time::default();
        for worker in &mut self.workers {
            let life = worker.life;
            *worker = match life {
                Life::Never | Life::Gone => Worker { life, ..away() },
                Life::Away | Life::Joining | Life::Here(_) | Life::Leaving(_) => away(),
            };
        }
    }
}

fn away() -> Worker {
    Worker {
        life: Life::Away,
        registered: 0,
        registering: false,
    }
}
