//! What can happen next in a state.

use keyward::rotation::event::StepRef;
use keyward::rotation::state::RotationState;

use crate::model::names::number;
use crate::model::shape::Shape;
use crate::model::state::{Life, State, Worker};

/// What happens. Numbers are those of the model's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    // The world goes on.
    Define(usize),
    Join(usize),
    Register(usize),
    Written,
    Reread,
    Snapped(usize),
    Prepared(StepRef),
    Done(StepRef),
    Proposed {
        step: StepRef,
        applies: bool,
    },
    /// A key answers a question when it last answered another version.
    LastWritten(usize),
    TimePasses,
    /// An orderly end, once everything that can be written is durable.
    End,
    // Requests.
    Declare(usize),
    Resume(usize),
    Abort(usize),
    Return(usize),
    Remove(usize),
    Get(usize),
    // Something goes wrong.
    Fail(StepRef),
    Die(usize),
    Leave(usize),
    WriteFails {
        made: bool,
        unknown: bool,
    },
    /// A write of another part to the same journal fails.
    AnotherWriteFails,
    ReadFails,
    /// A worker's actor dies before it calls what it is to call.
    Uncalled(StepRef),
    /// A worker's process ends in its call.
    Lose(StepRef),
    CoordinatorDies,
    ShutDown,
    Crash {
        batch_was_made: bool,
    },
}

impl State {
    /// What happens by itself, if nothing else does.
    pub fn goes_on(&self, shape: &Shape, moves: &mut Vec<Move>) {
        if self.batch.is_some() {
            moves.push(Move::Written);
        }
        if self.is_closing {
            if self.engine.is_settled() {
                moves.push(Move::End);
            }
            return;
        }
        if self.is_reading {
            moves.push(Move::Reread);
        }
        for (key, defined) in self.defined.iter().enumerate() {
            if !defined {
                moves.push(Move::Define(key));
            }
        }
        if self.admits() {
            for (number, worker) in self.workers.iter().enumerate() {
                match worker.life {
                    Life::Never | Life::Away => moves.push(Move::Join(number)),
                    Life::Here(_) if self.may_register(shape, worker) => {
                        moves.push(Move::Register(number));
                    }
                    Life::Here(_) | Life::Joining | Life::Leaving(_) | Life::Gone => {}
                }
            }
        }
        moves.extend(self.snapshots.iter().copied().map(Move::Snapped));
        for thread in self.threads.iter().filter(|thread| !thread.is_there) {
            let lane = (thread.worker, thread.key);
            let called = self.calls.iter().any(|c| (c.worker, c.key) == lane);
            let mut reserved = self.threads.iter().filter(|t| t.is_there);
            if !called && !reserved.any(|t| (t.worker, t.key) == lane) {
                moves.push(Move::Prepared(thread.step));
            }
        }
        moves.extend(self.calls.iter().map(|call| Move::Done(call.step)));
        for proposal in self.proposals.iter().filter(|p| !p.answered) {
            let step = proposal.step;
            let applies = !proposal.overtaken;
            moves.push(Move::Proposed { step, applies });
            if applies && proposal.resumed {
                // Whether a forward get was answered since the rotation stopped, the key knows.
                let applies = false;
                moves.push(Move::Proposed { step, applies });
            }
        }
        moves.extend((0..self.versions.asks.len()).map(Move::LastWritten));
        if self.engine.next_deadline().is_some() {
            moves.push(Move::TimePasses);
        }
    }

    /// What else may happen: what people want, and what goes wrong.
    pub fn choices(&self, shape: &Shape, moves: &mut Vec<Move>) {
        let (used, most) = (&self.used, &shape.most);
        if self.is_closing {
            if used.faults() < shape.faults {
                self.writes_fail(shape, moves);
            }
            return;
        }
        if self.admits() {
            if shape
                .rotations
                .get(self.declared)
                .is_some_and(|key| self.defined[*key])
            {
                moves.push(Move::Declare(self.declared));
            }
            self.operators_choices(shape, moves);
        }
        for (number, worker) in self.workers.iter().enumerate() {
            let gets = used.gets < most.gets && self.declared > 0;
            let waits = self.versions.wants.contains(&number);
            if gets && !waits && matches!(worker.life, Life::Here(_)) {
                moves.push(Move::Get(number));
            }
            if worker.life == Life::Gone {
                moves.push(Move::Return(number));
            }
        }
        // A life in which nothing was declared yet has nothing to go wrong with.
        if used.faults() >= shape.faults || self.declared == 0 {
            return;
        }
        if used.failures < most.failures {
            moves.extend(self.calls.iter().map(|call| Move::Fail(call.step)));
        }
        for (number, worker) in self.workers.iter().enumerate() {
            if !matches!(worker.life, Life::Here(_)) {
                continue;
            }
            if used.deaths < most.deaths {
                moves.push(Move::Die(number));
            }
            if used.leaves < most.leaves && self.admits() {
                moves.push(Move::Leave(number));
            }
        }
        self.writes_fail(shape, moves);
        if used.writes < most.writes && self.admits() {
            moves.push(Move::AnotherWriteFails);
        }
        if used.deaths < most.deaths {
            moves.extend(self.calls.iter().map(|call| Move::Uncalled(call.step)));
            moves.extend(self.calls.iter().map(|call| Move::Lose(call.step)));
        }
        if used.reads < most.reads && self.is_reading {
            moves.push(Move::ReadFails);
        }
        if used.coordinators < most.coordinators && self.admits() {
            moves.push(Move::CoordinatorDies);
        }
        if used.shutdowns < most.shutdowns {
            moves.push(Move::ShutDown);
        }
        if used.crashes < most.crashes {
            for batch_was_made in [false, true] {
                if !batch_was_made || self.batch.is_some() {
                    moves.push(Move::Crash { batch_was_made });
                }
            }
        }
    }

    fn operators_choices(&self, shape: &Shape, moves: &mut Vec<Move>) {
        for (id, (header, _)) in &self.durable.journal.rotations {
            let stopped = matches!(
                header.state,
                RotationState::Stopped | RotationState::CompletedWithFailures
            );
            if stopped && self.used.resumes < shape.most.resumes {
                moves.push(Move::Resume(number(*id)));
            }
            if self.used.aborts < shape.most.aborts {
                moves.push(Move::Abort(number(*id)));
            }
        }
        if self.declared > 0 && self.used.removals < shape.most.removals {
            for (number, worker) in self.workers.iter().enumerate() {
                if worker.registered == shape.registrations() {
                    moves.push(Move::Remove(number));
                }
            }
        }
    }

    fn writes_fail(&self, shape: &Shape, moves: &mut Vec<Move>) {
        if self.used.writes < shape.most.writes && self.batch.is_some() {
            for (made, unknown) in [(false, false), (false, true), (true, true)] {
                moves.push(Move::WriteFails { made, unknown });
            }
        }
    }

    /// Whether what needs the journal is admitted; what is refused changes nothing.
    fn admits(&self) -> bool {
        self.engine.machine().paused().is_none()
    }

    fn may_register(&self, shape: &Shape, worker: &Worker) -> bool {
        !worker.registering
            && worker.registered < shape.registrations()
            && self.defined[shape.callback(worker.registered).0]
    }
}
