//! What can happen, and what it leads to.

use keyward::key::event::WriteFailure;
use keyward::rotation::engine::{Reread, RotationEngine};
use keyward::rotation::event::{Event, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::{InstanceEvent, Sharing};
use keyward::rotation::machine::RotationMachine;
use keyward::rotation::state::RotationState;

use crate::instances::perform::Asked;
use crate::instances::world::{
    Life, Proc, Shape, World, behaviour, callback, config, declaration, key, rid, worker,
};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    Define,
    Declare,
    Written,
    Reread,
    Snapped(RotationId),
    Proposed(StepRef),
    Join(usize),
    Register(usize),
    Ready(usize),
    Return(usize),
    /// A callback ends, and fails if so.
    End(usize, usize, bool),
    TimePasses,
    Crash(bool),
    WriteFails {
        made: bool,
        unknown: bool,
    },
    Unread,
    Cut(usize),
    Die(usize),
    Respawn(usize),
    Resume(usize),
}

impl World {
    /// What goes on by itself.
    pub fn going_on(&self, shape: &Shape) -> Vec<Move> {
        let mut moves = Vec::new();
        if !self.defined {
            moves.push(Move::Define);
        }
        if self.batch.is_some() {
            moves.push(Move::Written);
        }
        if self.reading {
            moves.push(Move::Reread);
        }
        moves.extend(self.snapshots.iter().map(|id| Move::Snapped(*id)));
        let open = self.proposals.iter().filter(|(_, answered)| !**answered);
        moves.extend(open.map(|(step, _)| Move::Proposed(*step)));
        let asks = self.defined && self.engine.machine().paused().is_none();
        for (at, one) in self.procs.iter().enumerate() {
            match one.life {
                Life::Dead => moves.push(Move::Respawn(at)),
                Life::Fresh if asks => moves.push(Move::Join(at)),
                Life::Joined if asks && one.connected => moves.push(Move::Register(at)),
                Life::Registered if asks && one.connected => moves.push(Move::Ready(at)),
                _ => {}
            }
            if asks && one.life != Life::Dead && one.number.is_some() {
                let away = !one.connected && !one.returning;
                moves.extend(away.then_some(Move::Return(at)));
            }
            let calls = 0..one.running.len();
            moves.extend(calls.map(|call| Move::End(at, call, false)));
        }
        if asks && self.declared < shape.rotations && !self.declaring {
            moves.push(Move::Declare);
        }
        moves
    }

    /// What can happen.
    pub fn moves(&self, shape: &Shape) -> Vec<Move> {
        if self.broken.is_some() {
            return Vec::new();
        }
        let mut moves = self.going_on(shape);
        let (used, most) = (&self.used, &shape.most);
        let rests = moves.is_empty();
        let waits = self.engine.next_deadline().is_some();
        if waits && (rests || used.late < most.late) {
            moves.push(Move::TimePasses);
        }
        if moves.is_empty() && used.resumes < most.resumes {
            let stopped = (0..self.declared).filter(|rotation| {
                let found = self.journal.rotations.get(&rid(*rotation));
                found.is_some_and(|(header, _)| header.state == RotationState::Stopped)
            });
            moves.extend(stopped.map(Move::Resume));
        }
        if rests {
            return moves;
        }
        if used.crashes < most.crashes {
            moves.push(Move::Crash(false));
            moves.extend(self.batch.is_some().then_some(Move::Crash(true)));
        }
        if used.writes < most.writes && self.batch.is_some() {
            moves.extend(
                [(false, false), (true, true), (false, true)]
                    .map(|(made, unknown)| Move::WriteFails { made, unknown }),
            );
        }
        if used.unread < most.unread && !self.keys_away {
            moves.push(Move::Unread);
        }
        for (at, one) in self.procs.iter().enumerate() {
            if one.life == Life::Dead {
                continue;
            }
            if used.cuts < most.cuts && one.connected {
                moves.push(Move::Cut(at));
            }
            if used.deaths < most.deaths {
                moves.push(Move::Die(at));
            }
            if used.failures < most.failures {
                let calls = 0..one.running.len();
                moves.extend(calls.map(|call| Move::End(at, call, true)));
            }
        }
        moves
    }

    pub fn play(&mut self, shape: &Shape, next: Move) {
        let now = self.now();
        match next {
            Move::Define => {
                self.defined = true;
                let (ticket, keys) = (Asked::Define.ask(), vec![(key(), behaviour())]);
                self.happen(Event::Define { ticket, keys });
            }
            Move::Declare => {
                self.declaring = true;
                let declaration = declaration(self.declared);
                let ticket = Asked::Declare.ask();
                self.happen(Event::Declare {
                    ticket,
                    declaration,
                });
            }
            Move::Written => {
                if let Some(batch) = self.batch.take() {
                    self.make_durable(&batch);
                }
                let actions = self.engine.written(Ok(()), now);
                self.take(actions);
            }
            Move::Reread => {
                self.reading = false;
                let facts = self.journal.facts();
                let batch_was_made = std::mem::take(&mut self.was_made);
                let reread = Reread {
                    facts,
                    batch_was_made,
                };
                let actions = self.engine.reopened(Ok(reread), now);
                self.take(actions);
            }
            Move::Snapped(rotation) => {
                self.snapshots.retain(|other| *other != rotation);
                self.happen(Event::Snapped { rotation });
            }
            Move::Proposed(step) => {
                self.proposals.insert(step, true);
                let applies = true;
                self.happen(Event::Proposed { step, applies });
            }
            Move::TimePasses => {
                if !self.going_on(shape).is_empty() {
                    self.used.late += 1;
                }
                self.time = self.engine.next_deadline().unwrap_or(self.time);
                self.happen(Event::Tick);
            }
            Move::Resume(rotation) => {
                self.used.resumes += 1;
                let (ticket, id) = (Asked::Resume.ask(), rid(rotation));
                self.happen(Event::Resume {
                    ticket,
                    id,
                    by: Default::default(),
                });
            }
            Move::Crash(made) => self.crash(made),
            Move::Unread => {
                self.used.unread += 1;
                self.keys_away = true;
            }
            Move::WriteFails { made, unknown } => {
                self.used.writes += 1;
                self.was_made = made;
                let batch = self.batch.take().filter(|_| made);
                if let Some(batch) = batch {
                    self.make_durable(&batch);
                }
                let why = "the disk".to_owned().into();
                let failure = WriteFailure { why, unknown };
                let actions = self.engine.written(Err(failure), now);
                self.take(actions);
            }
            of_process => self.play_process(shape, of_process),
        }
    }

    fn play_process(&mut self, shape: &Shape, next: Move) {
        match next {
            Move::Join(at) => {
                let one = &mut self.procs[at];
                one.life = Life::Joining;
                let join = Event::Join {
                    ticket: Asked::Join(one.id).ask(),
                    worker: worker(one.worker),
                    sharing: Sharing::Shared,
                    process: Some(one.process()),
                };
                self.happen(join);
            }
            Move::Register(at) => {
                let one = &mut self.procs[at];
                one.life = Life::Registering;
                let register = Event::Register {
                    ticket: Asked::Register(one.id).ask(),
                    worker: worker(one.worker),
                    incarnation: one.number.unwrap_or_default(),
                    key: key(),
                    callback: callback(),
                    of: shape.workers[one.worker],
                };
                self.happen(register);
            }
            Move::Ready(at) => {
                let one = &mut self.procs[at];
                one.life = Life::Readying;
                let ready = Event::Ready {
                    ticket: Asked::Ready(one.id).ask(),
                    worker: worker(one.worker),
                    number: one.number.unwrap_or_default(),
                };
                self.happen(ready);
            }
            Move::Return(at) => {
                let one = &mut self.procs[at];
                one.returning = true;
                let ended = one.ended.iter().map(|(step, attempt, _)| (*step, *attempt));
                let has = one.running.iter().copied().chain(ended).collect();
                let returns = Event::Return {
                    ticket: Asked::Return(one.id).ask(),
                    worker: worker(one.worker),
                    number: one.number.unwrap_or_default(),
                    process: one.process(),
                    has,
                };
                self.happen(returns);
            }
            Move::End(at, call, fails) => {
                self.used.failures += u8::from(fails);
                let one = &mut self.procs[at];
                let (step, attempt) = one.running.remove(call);
                if !fails {
                    one.did.insert(step);
                }
                one.ended.push((step, attempt, fails));
                if one.connected {
                    self.tell_end(shape, at, (step, attempt, fails));
                }
            }
            Move::Cut(at) => {
                self.used.cuts += 1;
                self.procs[at].connected = false;
                self.happens(at, InstanceEvent::Absent);
            }
            Move::Die(at) => {
                self.used.deaths += 1;
                let worker = self.procs[at].worker;
                if self.procs[at].number.is_some() {
                    self.happens(at, InstanceEvent::ProcessEnded);
                }
                self.procs[at] = Proc {
                    life: Life::Dead,
                    ..Proc::new(worker, 0)
                };
            }
            Move::Respawn(at) => {
                self.next_process += 1;
                self.procs[at] = Proc::new(self.procs[at].worker, self.next_process);
            }
            _ => self.breaks(format!("{next:?} is played elsewhere")),
        }
    }

    pub fn happens(&mut self, at: usize, event: InstanceEvent) {
        let one = &self.procs[at];
        let (worker, number) = (worker(one.worker), one.number.unwrap_or_default());
        self.happen(Event::Instance {
            worker,
            number,
            event,
        });
    }

    /// The keeper is killed: what is not durable is lost, and every connection with it.
    fn crash(&mut self, made: bool) {
        self.used.crashes += 1;
        if let Some(batch) = self.batch.take().filter(|_| made) {
            self.make_durable(&batch);
        }
        let machine = RotationMachine::replay(config(), self.journal.facts());
        self.engine = RotationEngine::new(machine);
        self.was_made = false;
        self.reading = false;
        self.snapshots.clear();
        self.proposals.clear();
        self.defined = false;
        self.declaring = false;
        self.time = keyward::key::time::Time::default();
        while self.declared > 0 && !self.is_durable(self.declared - 1) {
            self.declared -= 1;
        }
        for one in &mut self.procs {
            one.connected = false;
            one.returning = false;
            one.life = match one.life {
                Life::Joining => Life::Fresh,
                Life::Registering => Life::Joined,
                Life::Readying => Life::Registered,
                life => life,
            };
        }
        // A process that ended while the keeper was down is found to have ended.
        let known = self.journal.instances.values();
        let living = |id| self.procs.iter().any(|one| one.id == id);
        let dead: Vec<_> = known
            .filter(|instance| !living(instance.process.id))
            .map(|instance| (instance.worker.clone(), instance.number))
            .collect();
        for (worker, number) in dead {
            let event = InstanceEvent::ProcessEnded;
            self.happen(Event::Instance {
                worker,
                number,
                event,
            });
        }
    }

    pub fn is_durable(&self, rotation: usize) -> bool {
        let id = rid(rotation);
        self.journal.rotations.contains_key(&id) || self.journal.ended.contains_key(&id)
    }
}
