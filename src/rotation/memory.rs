//! Steps of memory: every instance of the worker that has registered the callback is called, side by side;
//! the step has Succeeded when each has that is not gone.

use std::collections::BTreeMap;

use crate::key::name::{KeyName, WorkerName};
use crate::key::state::Effect;
use crate::key::time::Time;
use crate::rotation::effect::Fact;
use crate::rotation::event::{Moment, StepOutcome, StepRef};
use crate::rotation::given::no_answer;
use crate::rotation::id::RotationId;
use crate::rotation::instance::CallbackOf;
use crate::rotation::machine::RotationMachine;
use crate::rotation::memory_set::Set;
use crate::rotation::plan::Step;
use crate::rotation::roster::WorkerEntry;
use crate::rotation::rotations::Active;
use crate::rotation::run::{Start, too_many_attempts};
use crate::rotation::status::{CallbackStatus, StatusEvent};

impl RotationMachine {
    /// Why a callback of memory has failed that said what it may not say.
    pub(crate) fn wrong_of_memory(effect: Effect, staged: bool) -> Option<String> {
        let error = "the callback is one of memory: it answers no effect, and stages no change";
        (effect != Effect::Nothing || staged).then(|| error.to_owned())
    }

    /// Goes on with the steps of memory that are called at instances.
    pub(crate) fn gather_all(&mut self, rotation: RotationId, now: Moment) {
        let Some(live) = self.rotations.get(rotation) else {
            return;
        };
        let gathering = |(no, active): (&u32, &Active)| {
            matches!(active, Active::Gathering { .. }).then_some(*no)
        };
        let steps: Vec<u32> = live.active.iter().filter_map(gathering).collect();
        for step in steps {
            self.gather(StepRef { rotation, step }, now);
        }
    }

    /// Takes a step of memory as far as it goes now: calls the instances that can be called, and ends it where nothing is
    /// left to be done.
    pub(crate) fn gather(&mut self, step: StepRef, now: Moment) -> Start {
        let Some((key, due)) = self.of_memory(step) else {
            return Start::Waits;
        };
        let since = self.missing(step, now);
        self.fail_late_answers(step, &key, now);
        let set = self.set_of(step, &key, &due, since.since);
        let in_progress = due.status == CallbackStatus::InProgress;
        let wrong = if due.crashes >= self.config.max_crashes {
            Some(too_many_attempts(due.crashes))
        } else {
            self.overdue(&set, &due.worker, now)
        };
        match wrong {
            Some(error) if in_progress => self.is_to_fail(step, error),
            Some(error) => {
                self.fail(step, error, now);
                return Start::Ended;
            }
            None if self.goes_on() && self.failing(step).is_none() => {
                self.give_to(step, &key, &set, now);
            }
            None => {}
        }
        if self.given_to(step).is_some_and(|given| !given.is_empty()) {
            self.time_gathering(step, &set, now);
            return Start::Begun;
        }
        if let Some(error) = self.failing(step) {
            self.fail(step, error, now);
            return Start::Ended;
        }
        if !set.waiting.is_empty() {
            self.waits(step, now);
            self.time_gathering(step, &set, now);
            return if in_progress {
                Start::Begun
            } else {
                Start::Waits
            };
        }
        let entry = self.roster.get(&due.worker);
        if entry.is_some_and(|entry| entry.has_attached(&key, &due.callback)) {
            // The name has come to a worker of the keeper's own process since.
            self.is_pending_again(step);
            return Start::Ended;
        }
        if !set.free.is_empty() {
            return Start::Waits;
        }
        if set.has_members {
            self.succeed(step, Effect::Nothing, now);
            return Start::Ended;
        }
        self.nobody_is_left(step, &due, now)
    }

    fn of_memory(&self, step: StepRef) -> Option<(KeyName, Step)> {
        let live = self.rotations.get(step.rotation)?;
        let due = live.steps.get(step.step)?;
        Some((live.header.key.clone(), due.clone()))
    }

    /// No further instance is called for this step, and it has Failed once the others have answered.
    fn is_to_fail(&mut self, step: StepRef, error: String) {
        if self.failing(step).is_some() {
            return;
        }
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        let key = live.header.key.clone();
        let note = |of: &mut Step| of.error = Some(error);
        if let Some(of) = live.steps.note(step.step, note) {
            let fact = Fact::Step(step.rotation, key, of.clone());
            self.facts.push(fact);
        }
    }

    /// Why a step that is in progress is to fail, if it is.
    fn failing(&self, step: StepRef) -> Option<String> {
        let (_, of) = self.of_memory(step)?;
        let in_progress = of.status == CallbackStatus::InProgress;
        of.error.filter(|_| in_progress)
    }

    pub(crate) fn given_to(&self, step: StepRef) -> Option<&BTreeMap<u64, Option<Time>>> {
        match self.rotations.get(step.rotation)?.active.get(&step.step)? {
            Active::Gathering { given } => Some(given),
            Active::Ahead { .. }
            | Active::Preparing { .. }
            | Active::Running { .. }
            | Active::Settling { .. } => None,
        }
    }

    fn gathering(&mut self, step: StepRef) -> Option<&mut BTreeMap<u64, Option<Time>>> {
        let live = self.rotations.get_mut(step.rotation)?;
        match live.active.get_mut(&step.step)? {
            Active::Gathering { given } => Some(given),
            Active::Ahead { .. }
            | Active::Preparing { .. }
            | Active::Running { .. }
            | Active::Settling { .. } => None,
        }
    }

    fn give_to(&mut self, step: StepRef, key: &KeyName, set: &Set, now: Moment) {
        let busy = self.given_to(step).map_or(0, BTreeMap::len);
        let places = self.config.instances_at_once.max(1).saturating_sub(busy);
        if places == 0 || set.free.is_empty() {
            return;
        }
        if self.gathering(step).is_none() {
            if self.begin_call(step, now).is_none() {
                return;
            }
            if let Some(live) = self.rotations.get_mut(step.rotation) {
                let given = BTreeMap::new();
                live.active.insert(step.step, Active::Gathering { given });
            }
        }
        let until = self.answer_until(key, now);
        for number in set.next(places) {
            self.give(step, number, CallbackOf::Memory);
            if let Some(given) = self.gathering(step) {
                given.insert(number, until);
            }
        }
    }

    /// A call fails once its time is over. Those that an earlier life of the keeper made have
    /// all of it anew.
    fn fail_late_answers(&mut self, step: StepRef, key: &KeyName, now: Moment) {
        let until = self.answer_until(key, now);
        let is_due = |at: &Option<Time>| at.is_none_or(|at| at <= now.time);
        let given = self.given_to(step).into_iter().flatten();
        let due = given.filter(|(_, at)| is_due(at));
        let due: Vec<(u64, Option<Time>)> = due.map(|(number, at)| (*number, *at)).collect();
        for (number, at) in due {
            let is_late = at.is_some();
            let fails = is_late && self.is_handed_over(step, number);
            let Some(given) = self.gathering(step) else {
                return;
            };
            if fails {
                given.remove(&number);
                self.is_to_fail(step, no_answer(number));
            } else {
                given.insert(number, until);
            }
        }
    }

    /// When the step is to be looked at again.
    fn time_gathering(&mut self, step: StepRef, set: &Set, now: Moment) {
        let given = self.given_to(step).into_iter();
        let given = given.flat_map(BTreeMap::values).copied().flatten().min();
        let wait = self
            .config
            .worker_wait
            .filter(|_| self.failing(step).is_none());
        let ends = set.waiting.iter();
        let ends = ends.filter_map(|(_, since, _)| wait.map(|wait| since.after(wait)));
        let next = ends.chain(given).min();
        if let Some(at) = next {
            self.wait_until(step, Some(at.max(now.time)));
        }
    }

    /// No instance is left that has the callback. There is no memory left to change, and the step is taken
    /// out of the plan; but if a process ended in its call, another one is waited for, as for data.
    fn nobody_is_left(&mut self, step: StepRef, due: &Step, now: Moment) -> Start {
        if due.status == CallbackStatus::InProgress {
            self.is_pending_again(step);
        }
        if due.crashes == 0 {
            self.take_out(step);
            return Start::Ended;
        }
        let since = self.missing(step, now);
        let died = self.roster.get(&due.worker).and_then(WorkerEntry::died);
        let since = since.joined.max(died).max(Some(since.since));
        self.waits(step, now);
        self.wait_for_worker(step, since.unwrap_or(now.time), now)
    }

    fn is_pending_again(&mut self, step: StepRef) {
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        live.active.remove(&step.step);
        let key = live.header.key.clone();
        if let Some(of) = live.steps.happen(step.step, StatusEvent::Interrupt, |_| {}) {
            let fact = Fact::Step(step.rotation, key, of.clone());
            self.facts.push(fact);
        }
    }

    fn take_out(&mut self, step: StepRef) {
        self.wait_until(step, None);
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        live.missing.remove(&step.step);
        let key = live.header.key.clone();
        if let Some(of) = live.steps.take_out(step.step) {
            let fact = Fact::Step(step.rotation, key, of.clone());
            self.facts.push(fact);
        }
    }

    /// An instance says how its call ended.
    pub(crate) fn answered_of_memory(
        &mut self,
        worker: &WorkerName,
        number: u64,
        (step, attempt): (StepRef, u32),
        (outcome, returned): (StepOutcome, bool),
    ) {
        let error = match outcome {
            StepOutcome::Done { effect, staged } => Self::wrong_of_memory(effect, staged),
            StepOutcome::Failed { error } => Some(error),
            StepOutcome::Lost => Some("nothing tells how its call ended".to_owned()),
        };
        let runs = self
            .gathering(step)
            .is_some_and(|given| given.remove(&number).is_some());
        let Some(one) = self.roster.instance_mut(worker, number) else {
            return;
        };
        let named = one.instance.to_string();
        match one.instance.calls.get_mut(&step) {
            Some(call) if runs && error.is_none() => {
                call.done = true;
                self.facts.push(Fact::Instance(one.instance.clone()));
            }
            Some(call) if returned && !call.done => {
                self.has_returned(worker, number, (step, attempt));
            }
            Some(_) | None => {}
        }
        if let Some(error) = error.filter(|_| runs) {
            self.is_to_fail(step, format!("{named}: {error}"));
        }
        self.heard(worker, number, (step, attempt));
    }

    /// An instance that was called leaves the set: its process has ended, which is a crash, or its call
    /// never began.
    pub(crate) fn leaves_the_set(&mut self, number: u64, step: StepRef, crashes: u32) {
        let given = self.gathering(step);
        if given.is_none_or(|given| given.remove(&number).is_none()) || crashes == 0 {
            return;
        }
        let Some(live) = self.rotations.get_mut(step.rotation) else {
            return;
        };
        let key = live.header.key.clone();
        let count = |of: &mut Step| of.crashes = of.crashes.saturating_add(crashes);
        if let Some(of) = live.steps.note(step.step, count) {
            let fact = Fact::Step(step.rotation, key, of.clone());
            self.facts.push(fact);
        }
    }

    /// The callback of memory of the keeper's own process has done its work: so has its step, unless
    /// instances of other processes have registered it since.
    pub(crate) fn own_memory_is_done(&mut self, step: StepRef, now: Moment) {
        let Some((key, due)) = self.of_memory(step) else {
            return;
        };
        let since = self.missing(step, now);
        if !self.set_of(step, &key, &due, since.since).has_members {
            return self.succeed(step, Effect::Nothing, now);
        }
        if let Some(live) = self.rotations.get_mut(step.rotation) {
            let given = BTreeMap::new();
            live.active.insert(step.step, Active::Gathering { given });
        }
        self.gather(step, now);
    }
}
