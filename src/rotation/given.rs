//! Calls of data that are given to instances of other processes: one at a time has such a call, and no other
//! is given it while that process may run it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::name::{KeyName, WorkerName};
use crate::key::time::Time;
use crate::rotation::effect::{Fact, RotationEffect};
use crate::rotation::event::{Lacks, Moment, StepRef};
use crate::rotation::instance::{CallbackOf, GivenCall};
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::Step;
use crate::rotation::roster::WorkerEntry;
use crate::rotation::rotations::{Active, Missing};
use crate::rotation::run::Start;
use crate::rotation::status::{CallbackStatus, StatusEvent};

/// How long after the time limit of a call, which its client counts, it has failed here.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// Which instance a callback of data is given to.
enum Callee {
    Instance(u64),
    /// It is there, and an earlier call has not returned.
    Busy,
    Missing,
}

impl RotationMachine {
    /// Gives a due step of data to an instance, if one can have it.
    pub(crate) fn start_elsewhere(&mut self, step: StepRef, now: Moment) -> Start {
        let Some(live) = self.rotations.get(step.rotation) else {
            return Start::Waits;
        };
        let Some(due) = live.steps.get(step.step).cloned() else {
            return Start::Waits;
        };
        let key = live.header.key.clone();
        let since = self.missing(step, now);
        match self.callee(&due, &key) {
            Callee::Instance(number) => {
                self.give_data(step, number, now);
                Start::Begun
            }
            Callee::Busy => self.keep_waiting(step, since.since, now),
            Callee::Missing => {
                let died = self.roster.get(&due.worker).and_then(WorkerEntry::died);
                let since = since.joined.max(died).max(Some(since.since));
                self.waits(step, now);
                self.wait_for_worker(step, since.unwrap_or(now.time), now)
            }
        }
    }

    /// A due step waits for an earlier call at another process to return.
    pub(crate) fn keep_waiting(&mut self, step: StepRef, since: Time, now: Moment) -> Start {
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            let lacks = Some(Lacks::Turn);
            live.active
                .insert(step.step, Active::Preparing { since, lacks });
        }
        self.waits(step, now);
        let end = self.config.worker_wait.map(|wait| since.after(wait));
        if let Some(end) = end {
            self.wait_until(step, Some(end.max(now.time)));
        }
        Start::Begun
    }

    /// Since when a due step waits for instances.
    pub(crate) fn missing(&mut self, step: StepRef, now: Moment) -> Missing {
        let new = Missing {
            since: now.time,
            joined: None,
        };
        let live = self.rotations.get_mut(step.rotation);
        live.map_or(new, |live| *live.missing.entry(step.step).or_insert(new))
    }

    /// An instance of this worker has joined: what waits for it waits anew, once.
    pub(crate) fn joined_meanwhile(&mut self, worker: &WorkerName, now: Moment) {
        for live in self.rotations.iter_mut() {
            for (no, missing) in &mut live.missing {
                if live.steps.get(*no).is_some_and(|step| step.is_of(worker)) {
                    missing.joined.get_or_insert(now.time);
                }
            }
        }
        self.look_again(worker, now);
    }

    fn callee(&self, due: &Step, key: &KeyName) -> Callee {
        let Some(entry) = self.roster.get(&due.worker) else {
            return Callee::Missing;
        };
        let there = entry.instances().filter(|one| one.is_there());
        let there = there.filter(|one| one.instance.has(key, &due.callback));
        let there: Vec<_> = there.collect();
        if there.is_empty() {
            return Callee::Missing;
        }
        if entry.runs_data(key) {
            return Callee::Busy;
        }
        let free = there.iter().filter(|one| !one.instance.is_busy_with(key));
        let next = free.min_by_key(|one| (one.last_given, one.instance.number));
        next.map_or(Callee::Busy, |one| Callee::Instance(one.instance.number))
    }

    fn give_data(&mut self, step: StepRef, number: u64, now: Moment) {
        let Some(attempt) = self.begin_call(step, now) else {
            return;
        };
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            live.missing.remove(&step.step);
            live.active.insert(step.step, Active::Running { attempt });
        }
        self.wait_until(step, None);
        self.give(step, number, CallbackOf::Data);
        self.time_answer(step, now);
    }

    /// A step is in progress: that, and to which instances it is given, is durable before it is called.
    pub(crate) fn begin_call(&mut self, step: StepRef, now: Moment) -> Option<u32> {
        let live = self.rotations.get_mut(step.rotation)?;
        let key = live.header.key.clone();
        let begin = |due: &mut Step| {
            due.attempt += 1;
            due.started_ms = Some(now.wall_ms);
            due.ended_ms = None;
            due.error = None;
        };
        let due = live.steps.happen(step.step, StatusEvent::Call, begin)?;
        let attempt = due.attempt;
        self.facts.push(Fact::Step(step.rotation, key, due.clone()));
        self.owe_for_call(step, now);
        Some(attempt)
    }

    /// An instance is given a call of a step that is in progress.
    pub(crate) fn give(&mut self, step: StepRef, number: u64, of: CallbackOf) {
        let Some(live) = self.rotations.get(step.rotation) else {
            return;
        };
        let Some(due) = live.steps.get(step.step).cloned() else {
            return;
        };
        let key = live.header.key.clone();
        self.given += 1;
        let last_given = self.given;
        let Some(one) = self.roster.instance_mut(&due.worker, number) else {
            return;
        };
        let attempt = due.attempt;
        let call = GivenCall {
            attempt,
            key: key.clone(),
            of,
            done: false,
        };
        // What it has done for a step counts as long as that is in progress.
        let rotations = &self.rotations;
        one.instance.calls.retain(|at, call| {
            let live = rotations.get(at.rotation);
            let of = live.and_then(|live| live.steps.get(at.step));
            let counts =
                |of: &Step| of.status == CallbackStatus::InProgress && of.attempt == call.attempt;
            !call.done || of.is_some_and(counts)
        });
        one.instance.calls.insert(step, call);
        let calls = &one.instance.calls;
        one.handed
            .retain(|at| *at != step && calls.contains_key(at));
        one.last_given = last_given;
        self.facts.push(Fact::Instance(one.instance.clone()));
        self.effects.push(RotationEffect::Give {
            after: self.this_write(),
            step,
            attempt,
            key,
            worker: due.worker,
            number,
            callback: due.callback,
        });
    }

    /// A call is handed to an instance; none if it is not to have it any more.
    pub fn hand_over(
        &mut self,
        worker: &WorkerName,
        number: u64,
        (step, attempt): (StepRef, u32),
    ) -> Option<CallbackOf> {
        let one = self.roster.instance_mut(worker, number)?;
        let of = one.instance.given(step, attempt)?.of;
        // It may have been taken back and given once more before the first of these was durable.
        one.handed.insert(step).then_some(of)
    }

    /// The steps of data that instances of other processes run, with their attempts.
    pub(crate) fn run_elsewhere(&self) -> BTreeMap<StepRef, u32> {
        let mut running = BTreeMap::new();
        for live in self.rotations.iter() {
            let rotation = live.header.id;
            for (step, active) in &live.active {
                if let Active::Running { attempt } = active {
                    let step = *step;
                    running.insert(StepRef { rotation, step }, *attempt);
                }
            }
        }
        running
    }

    /// Until when an answer to a call that is given now counts.
    pub(crate) fn answer_until(&self, key: &KeyName, now: Moment) -> Option<Time> {
        let (behaviour, _) = self.rotations.queue(key)?.defined.as_ref()?;
        let limit = behaviour.callback_time_limit.saturating_add(ANSWER_WAIT);
        Some(now.time.after(limit))
    }

    fn time_answer(&mut self, step: StepRef, now: Moment) {
        let live = self.rotations.get(step.rotation);
        if let Some(key) = live.map(|live| live.header.key.clone()) {
            let until = self.answer_until(&key, now);
            self.wait_until(step, until);
        }
    }

    /// The calls of a key that another life, or the time before the journal was read anew, left with
    /// instances have the whole of their time from now on.
    pub(crate) fn time_answers(&mut self, key: &KeyName, now: Moment) {
        for id in self.rotations.of_key(key) {
            let Some(live) = self.rotations.get(id) else {
                continue;
            };
            let running = live.active.iter().filter_map(|(no, active)| match active {
                Active::Running { attempt } => Some((*no, *attempt)),
                Active::Ahead { .. }
                | Active::Preparing { .. }
                | Active::Gathering { .. }
                | Active::Settling { .. } => None,
            });
            let steps = running.map(|(no, attempt)| {
                let (rotation, step) = (id, no);
                (StepRef { rotation, step }, attempt)
            });
            for (step, attempt) in steps.collect::<Vec<_>>() {
                if self.runs_at(step, attempt).is_some() {
                    self.time_answer(step, now);
                }
            }
        }
    }

    /// The instance that was given this attempt of a step and has not returned it.
    pub(crate) fn runs_at(&self, step: StepRef, attempt: u32) -> Option<u64> {
        let live = self.rotations.get(step.rotation)?;
        let worker = &live.steps.get(step.step)?.worker;
        self.roster.get(worker)?.runs_at(step, attempt)
    }

    /// Whether a call is more than durable: its client counts its time from then on.
    pub(crate) fn is_handed_over(&self, step: StepRef, number: u64) -> bool {
        let live = self.rotations.get(step.rotation);
        let of = live.and_then(|live| live.steps.get(step.step));
        let entry = of.and_then(|of| self.roster.get(&of.worker));
        let one = entry.and_then(|entry| entry.instance(number));
        one.is_some_and(|one| one.handed.contains(&step))
    }

    /// The instance that runs this attempt of a step of data.
    pub fn runs_data_at(&self, step: StepRef, attempt: u32) -> Option<u64> {
        let is_called = self.is_called(step, attempt);
        is_called.then(|| self.runs_at(step, attempt)).flatten()
    }

    /// The time of a call at an instance is over. What it says of it later does not count, but no other is
    /// called until it has returned.
    pub(crate) fn answer_is_late(&mut self, step: StepRef, now: Moment) {
        let live = self.rotations.get(step.rotation);
        let Some(Active::Running { attempt }) = live.and_then(|live| live.active.get(&step.step))
        else {
            return;
        };
        let Some(number) = self.runs_at(step, *attempt) else {
            return;
        };
        if self.is_handed_over(step, number) {
            self.fail(step, no_answer(number), now);
        } else {
            self.time_answer(step, now);
        }
    }
}

/// Why a call has failed: its instance has not said how it ended.
pub(crate) fn no_answer(number: u64) -> String {
    format!(
        "still running: instance {number} has not said how its call ended, {ANSWER_WAIT:?} after its time limit; \
         resume when it has returned, or remove the instance"
    )
}
