//! What happens at instances of other processes: how their calls end, and how they go.

use crate::key::name::WorkerName;
use crate::rotation::effect::{Fact, RotationEffect};
use crate::rotation::event::{Lacks, Moment, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, GivenCall, InstanceEvent};
use crate::rotation::machine::RotationMachine;
use crate::rotation::roster::Present;
use crate::rotation::rotations::{Active, Answered};

impl RotationMachine {
    /// Something happens at an instance. While nothing can be made durable the engine keeps it, and it
    /// happens once more when the journal was read anew.
    pub(crate) fn at_instance(
        &mut self,
        worker: &WorkerName,
        number: u64,
        event: InstanceEvent,
        now: Moment,
    ) {
        if let InstanceEvent::CaughtUp { step, error } = event {
            return self.caught_up(worker, number, step, error);
        }
        let paused = self.paused.is_some();
        let Some(one) = self.roster.instance_mut(worker, number) else {
            return;
        };
        match event {
            InstanceEvent::Absent => {
                one.connected = false;
                self.roster.is_missed(worker, number, now.time);
                self.look_again(worker, now);
            }
            InstanceEvent::Ended {
                step,
                attempt,
                outcome,
                returned,
            } if paused => self.end_of_data((step, attempt), number, (outcome, returned), now),
            _ if paused => {}
            InstanceEvent::Dropped => {
                one.instance.dropped = true;
                let instance = one.instance.clone();
                self.facts.push(Fact::Instance(instance));
                self.roster.is_missed(worker, number, now.time);
                self.go_if_done(worker, number, now);
                self.look_again(worker, now);
            }
            InstanceEvent::ProcessEnded => self.process_ended(worker, number, now),
            // It says nothing of the connection: what was given over one that has ended may be told of behind the next.
            InstanceEvent::Uncalled { step, attempt } => {
                self.take_call_back(worker, number, (step, attempt), now);
                self.look_again(worker, now);
            }
            InstanceEvent::Ended {
                step,
                attempt,
                outcome,
                returned,
            } => self.answered(worker, number, (step, attempt), (outcome, returned), now),
            InstanceEvent::Returned { step, attempt } => {
                self.has_returned(worker, number, (step, attempt));
                self.go_if_done(worker, number, now);
                self.look_again(worker, now);
            }
            InstanceEvent::CaughtUp { .. } => {}
        }
    }

    fn answered(
        &mut self,
        worker: &WorkerName,
        number: u64,
        (step, attempt): (StepRef, u32),
        (outcome, returned): (StepOutcome, bool),
        now: Moment,
    ) {
        let one = self.roster.instance_mut(worker, number);
        let given = one.and_then(|one| one.instance.given(step, attempt).cloned());
        match given.map(|call| call.of) {
            Some(CallbackOf::Memory) => {
                self.answered_of_memory(worker, number, (step, attempt), (outcome, returned));
            }
            Some(CallbackOf::Data) if self.is_called(step, attempt) => {
                self.end_of_data((step, attempt), number, (outcome, returned), now);
            }
            // It is told once more while the key takes it into account.
            Some(CallbackOf::Data) if self.is_settling(step, attempt) => {
                self.note_answer(step, number, attempt, returned);
            }
            Some(CallbackOf::Data) | None => {
                if returned {
                    self.has_returned(worker, number, (step, attempt));
                }
                self.heard(worker, number, (step, attempt));
            }
        }
        self.go_if_done(worker, number, now);
        let mut concerned = self.concerned(worker);
        concerned.retain(|id| *id != step.rotation);
        self.advance(step.rotation, now);
        for id in concerned {
            self.advance(id, now);
        }
    }

    /// The call of a step of data ended. That the callback has returned is durable together with that.
    fn end_of_data(
        &mut self,
        (step, attempt): (StepRef, u32),
        number: u64,
        (outcome, returned): (StepOutcome, bool),
        now: Moment,
    ) {
        if !self.is_called(step, attempt) || self.runs_at(step, attempt) != Some(number) {
            return;
        }
        self.note_answer(step, number, attempt, returned);
        self.ended(step, attempt, outcome, now);
    }

    fn note_answer(&mut self, step: StepRef, number: u64, attempt: u32, returned: bool) {
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            let answered = Answered {
                number,
                attempt,
                returned,
            };
            live.answered.insert(step.step, answered);
        }
    }

    fn is_settling(&self, step: StepRef, attempt: u32) -> bool {
        let live = self.rotations.get(step.rotation);
        live.is_some_and(|live| {
            let settles = matches!(live.active.get(&step.step), Some(Active::Settling { .. }));
            let of = live.steps.get(step.step);
            settles && of.is_some_and(|of| of.attempt == attempt)
        })
    }

    /// The end of a call of data is durable with this write.
    pub(crate) fn answer_is_taken(&mut self, worker: &WorkerName, step: StepRef, of: Answered) {
        if of.returned {
            self.has_returned(worker, of.number, (step, of.attempt));
        }
        self.heard(worker, of.number, (step, of.attempt));
    }

    /// How a call ended is durable with this write, or counts no more.
    pub(crate) fn heard(
        &mut self,
        worker: &WorkerName,
        number: u64,
        (step, attempt): (StepRef, u32),
    ) {
        self.effects.push(RotationEffect::Heard {
            after: self.this_write(),
            worker: worker.clone(),
            number,
            step,
            attempt,
        });
    }

    /// A callback has returned: what waits for that may be called.
    pub(crate) fn has_returned(
        &mut self,
        worker: &WorkerName,
        number: u64,
        (step, attempt): (StepRef, u32),
    ) {
        let live = self.rotations.get_mut(step.rotation);
        if let Some(answered) = live.and_then(|live| live.answered.get_mut(&step.step))
            && answered.number == number
        {
            answered.returned = true;
            return;
        }
        let Some(one) = self.roster.instance_mut(worker, number) else {
            return;
        };
        let given = one.instance.given(step, attempt);
        if given.is_some_and(|call| !call.done) {
            one.instance.calls.remove(&step);
            one.handed.remove(&step);
            self.facts.push(Fact::Instance(one.instance.clone()));
        }
    }

    /// A call that an instance was given never began there: it is to be made again, and that is no crash.
    pub(crate) fn take_call_back(
        &mut self,
        worker: &WorkerName,
        number: u64,
        (step, attempt): (StepRef, u32),
        now: Moment,
    ) {
        let one = self.roster.instance_mut(worker, number);
        let Some(call) = one.and_then(|one| one.instance.given(step, attempt).cloned()) else {
            return;
        };
        if !call.done {
            self.has_returned(worker, number, (step, attempt));
            self.is_lost(number, step, &call, 0, now);
        }
    }

    /// A call will never be answered: it is to be made again, after so many crashes more.
    fn is_lost(&mut self, number: u64, step: StepRef, call: &GivenCall, crashes: u32, now: Moment) {
        match call.of {
            CallbackOf::Data if self.is_called(step, call.attempt) => {
                self.call_again(step, crashes, now);
            }
            CallbackOf::Data => {}
            CallbackOf::Memory => self.leaves_the_set(number, step, crashes),
        }
    }

    /// A process has ended: what it ran is to be called again, and that is a crash.
    pub(crate) fn process_ended(&mut self, worker: &WorkerName, number: u64, now: Moment) {
        self.is_gone(worker, number, 1, now);
    }

    /// An instance is gone; false if it was not there. What it ran counts so many crashes.
    pub(crate) fn is_gone(
        &mut self,
        worker: &WorkerName,
        number: u64,
        crashes: u32,
        now: Moment,
    ) -> bool {
        let Some(gone) = self.roster.gone(worker, number, now.time) else {
            return false;
        };
        self.facts.push(Fact::InstanceGone {
            worker: worker.clone(),
            number,
        });
        self.effects.push(RotationEffect::Gone {
            after: self.this_write(),
            worker: worker.clone(),
            number,
        });
        self.catching_up_ended(worker, number, crashes > 0);
        for (step, call) in gone.instance.unreturned() {
            self.is_lost(number, *step, call, crashes, now);
        }
        self.look_again(worker, now);
        true
    }

    /// Removes an instance whose handle was dropped, once everything that it ran has returned.
    pub(crate) fn go_if_done(&mut self, worker: &WorkerName, number: u64, now: Moment) {
        let entry = self.roster.get(worker);
        let one = entry.and_then(|entry| entry.instance(number));
        let done =
            |one: &Present| one.instance.dropped && one.instance.unreturned().next().is_none();
        if one.is_some_and(done) {
            self.is_gone(worker, number, 0, now);
        }
    }

    /// Something has changed at the instances of a worker: its steps that wait for that are looked at again.
    pub(crate) fn look_again(&mut self, worker: &WorkerName, now: Moment) {
        for id in self.concerned(worker) {
            self.advance(id, now);
        }
    }

    /// The rotations with steps of a worker that wait for its instances.
    fn concerned(&mut self, worker: &WorkerName) -> Vec<RotationId> {
        let mut concerned = Vec::new();
        for live in self.rotations.iter_mut() {
            let steps = &live.steps;
            let mine = |no: &u32| steps.get(*no).is_some_and(|step| step.is_of(worker));
            let before = live.active.len();
            live.active.retain(|no, active| {
                let waits = matches!(
                    active,
                    Active::Preparing {
                        lacks: Some(Lacks::Turn),
                        ..
                    }
                );
                !(waits && mine(no))
            });
            let gathers = |(no, active): (&u32, &Active)| {
                matches!(active, Active::Gathering { .. }) && mine(no)
            };
            if live.active.len() < before
                || live.active.iter().any(gathers)
                || live.missing.keys().any(mine)
            {
                concerned.push(live.header.id);
            }
        }
        concerned
    }
}
