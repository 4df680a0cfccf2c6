//! The steps of a plan. What they add up to, and which step of each worker is the next, is kept as
//! they change, so that what a step costs does not grow with its plan.

use std::collections::{BTreeSet, HashMap};

use crate::key::name::WorkerName;
use crate::key::state::Effect;
use crate::rotation::plan::{Step, StepKind};
use crate::rotation::shared::SharedList;
use crate::rotation::status::{CallbackStatus, StatusEvent};

/// The steps of a plan, by number, which is the plan's order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Steps {
    all: SharedList<Step>,
    /// Of each step, the lane of its worker and kind.
    lane_of: Vec<usize>,
    lanes: Vec<Lane>,
    /// Of each worker, its first step of data that is not settled.
    fronts: BTreeSet<usize>,
    /// Of each worker, its first step of memory that is not settled.
    memory_fronts: BTreeSet<usize>,
    /// The first step of keyward's own that is not settled.
    own_fronts: BTreeSet<usize>,
    /// How many steps of data are in progress.
    data_begun: usize,
    open: usize,
    failed: usize,
    reencrypted: usize,
}

/// The steps of one worker and kind, in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Lane {
    steps: Vec<usize>,
    front: Option<usize>,
}

impl Steps {
    /// One of them.
    pub fn get(&self, no: u32) -> Option<&Step> {
        self.all.get(self.at(no)?)
    }

    /// All of them, in the plan's order.
    pub fn iter(&self) -> impl Iterator<Item = &Step> {
        self.all.iter()
    }

    /// All of them as they are now.
    pub fn copy(&self) -> SharedList<Step> {
        self.all.clone()
    }

    /// Whether one is not settled.
    pub fn has_open(&self) -> bool {
        self.open > 0
    }

    /// Whether one that is in the plan has Failed.
    pub fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// Whether a callback said that it re-encrypted the data.
    pub fn has_reencrypted(&self) -> bool {
        self.reencrypted > 0
    }

    /// Of each worker, its first step that is not settled, in the plan's order. While a step of memory is
    /// open no step of data begins: only those that are in progress are among them, and come first. A step of
    /// keyward's own is there when no other one is.
    pub fn fronts(&self) -> impl Iterator<Item = &Step> {
        let memory = !self.memory_fronts.is_empty();
        let data = self.fronts.iter().filter_map(|at| self.all.get(*at));
        let data = data.take(if memory && self.data_begun == 0 {
            0
        } else {
            usize::MAX
        });
        let begun = move |step: &&Step| !memory || step.status == CallbackStatus::InProgress;
        let of_memory = self.memory_fronts.iter().filter_map(|at| self.all.get(*at));
        let all_others = self.fronts.is_empty() && !memory;
        let own = self.own_fronts.iter().take(if all_others { 1 } else { 0 });
        let own = own.filter_map(|at| self.all.get(*at));
        data.filter(begun).chain(of_memory).chain(own)
    }

    /// The next step of the same worker and kind that is not settled.
    pub fn follower(&self, no: u32) -> Option<&Step> {
        let at = self.at(no)?;
        let lane = self.lanes.get(*self.lane_of.get(at)?)?;
        let later = lane.steps.partition_point(|other| *other <= at);
        let mut later = lane.steps.iter().skip(later);
        let open = later.find(|at| self.is_open(**at))?;
        self.all.get(*open)
    }

    /// The number of the next step to be added.
    pub fn next_no(&self) -> u32 {
        self.all.last().map_or(0, |step| step.no + 1)
    }

    /// Adds one behind all others.
    pub fn add(&mut self, step: Step) {
        let mut lanes = self.lanes.iter();
        let of = (&step.worker, step.kind);
        let lane = lanes.position(|lane| self.lane_is_of(lane) == Some(of));
        self.add_to(lane.unwrap_or(self.lanes.len()), step);
    }

    /// Takes an event in for one of them, if it can happen to it, and makes what else that changes;
    /// answers the step as it is then.
    pub fn happen(
        &mut self,
        no: u32,
        event: StatusEvent,
        change: impl FnOnce(&mut Step),
    ) -> Option<&Step> {
        let status = event.apply_to(self.get(no)?.status)?;
        self.change(no, |step| {
            step.status = status;
            change(step);
        })
    }

    /// Notes something about one that changes no status; answers the step as it is then.
    pub fn note(&mut self, no: u32, change: impl FnOnce(&mut Step)) -> Option<&Step> {
        self.change(no, change)
    }

    /// Takes one out of the plan; answers the step as it is then.
    pub fn take_out(&mut self, no: u32) -> Option<&Step> {
        self.change(no, |step| step.removed = true)
    }

    /// The numbers of those that are so.
    pub fn numbers(&self, which: impl Fn(&Step) -> bool) -> Vec<u32> {
        let chosen = self.iter().filter(|step| which(step));
        chosen.map(|step| step.no).collect()
    }

    /// Numbers follow one another, unless records were lost.
    fn at(&self, no: u32) -> Option<usize> {
        let usual = no as usize;
        if self.all.get(usual).is_some_and(|step| step.no == no) {
            return Some(usual);
        }
        self.all.find_by(|step| step.no.cmp(&no))
    }

    fn is_open(&self, at: usize) -> bool {
        self.all.get(at).is_some_and(|step| !step.is_settled())
    }

    fn lane_is_of(&self, lane: &Lane) -> Option<(&WorkerName, StepKind)> {
        let first = lane.steps.first()?;
        self.all.get(*first).map(|step| (&step.worker, step.kind))
    }

    fn add_to(&mut self, lane: usize, step: Step) {
        let at = self.all.len();
        if lane == self.lanes.len() {
            self.lanes.push(Lane::default());
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.steps.push(at);
        }
        self.lane_of.push(lane);
        self.all.push(step);
        self.count_in(at);
        self.find_front(at);
    }

    fn change(&mut self, no: u32, change: impl FnOnce(&mut Step)) -> Option<&Step> {
        let at = self.at(no)?;
        self.count_out(at);
        self.all.get_mut(at).map(change);
        self.count_in(at);
        self.find_front(at);
        self.all.get(at)
    }

    fn count_in(&mut self, at: usize) {
        if let Some(step) = self.all.get(at) {
            self.open += usize::from(!step.is_settled());
            self.failed += usize::from(has_failed(step));
            self.data_begun += usize::from(is_data_begun(step));
            self.reencrypted += usize::from(has_reencrypted(step));
        }
    }

    fn count_out(&mut self, at: usize) {
        if let Some(step) = self.all.get(at) {
            self.open -= usize::from(!step.is_settled());
            self.failed -= usize::from(has_failed(step));
            self.data_begun -= usize::from(is_data_begun(step));
            self.reencrypted -= usize::from(has_reencrypted(step));
        }
    }

    /// This step has changed: its worker's first open one may be another.
    fn find_front(&mut self, at: usize) {
        let Some(lane) = self.lane_of.get(at).and_then(|lane| self.lanes.get(*lane)) else {
            return;
        };
        let known = lane.front;
        let front = match (known, self.is_open(at)) {
            (Some(front), true) => Some(front.min(at)),
            (Some(front), false) if front != at => known,
            (None, true) => Some(at),
            (None | Some(_), false) => {
                let mut steps = lane.steps.iter().copied();
                steps.find(|at| self.is_open(*at))
            }
        };
        if front == known {
            return;
        }
        let fronts = match self.all.get(at).map(|step| step.kind) {
            Some(StepKind::Memory) => &mut self.memory_fronts,
            Some(StepKind::Switch) => &mut self.own_fronts,
            Some(StepKind::Callback) | None => &mut self.fronts,
        };
        if let Some(known) = known {
            fronts.remove(&known);
        }
        fronts.extend(front);
        if let Some(lane) = self
            .lane_of
            .get(at)
            .and_then(|lane| self.lanes.get_mut(*lane))
        {
            lane.front = front;
        }
    }
}

impl FromIterator<Step> for Steps {
    /// The steps come in the plan's order.
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        let mut all = Self::default();
        let mut lanes: HashMap<(WorkerName, StepKind), usize> = HashMap::new();
        for step in steps {
            let next = all.lanes.len();
            let lane = match (all.all.last(), all.lane_of.last()) {
                (Some(last), Some(lane))
                    if (&last.worker, last.kind) == (&step.worker, step.kind) =>
                {
                    *lane
                }
                _ => *lanes
                    .entry((step.worker.clone(), step.kind))
                    .or_insert(next),
            };
            all.add_to(lane, step);
        }
        all
    }
}

fn has_failed(step: &Step) -> bool {
    step.status == CallbackStatus::Failed && !step.removed
}

fn is_data_begun(step: &Step) -> bool {
    step.status == CallbackStatus::InProgress && !step.removed && step.is_of_data()
}

fn has_reencrypted(step: &Step) -> bool {
    step.status == CallbackStatus::Succeeded && step.effect == Effect::Reencrypted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::name::CallbackName;
    use crate::rotation::instance::CallbackOf;

    fn step(no: u32, worker: &str) -> Step {
        let (worker, callback) = (WorkerName::new(worker), CallbackName::new("c"));
        Step::new(no, worker.unwrap(), callback.unwrap())
    }

    fn steps(workers: &[&str]) -> Steps {
        let steps = (0..).zip(workers);
        steps.map(|(no, worker)| step(no, worker)).collect()
    }

    fn fronts(steps: &Steps) -> Vec<u32> {
        steps.fronts().map(|step| step.no).collect()
    }

    #[test]
    fn what_steps_add_up_to_follows_each_change() {
        let mut steps = steps(&["a", "b", "c"]);
        let sums = |steps: &Steps| {
            let sums = (steps.has_failed(), steps.has_reencrypted());
            (fronts(steps), sums.0, sums.1)
        };
        assert_eq!(sums(&steps), (vec![0, 1, 2], false, false));
        steps.happen(0, StatusEvent::Call, |_| {});
        assert_eq!(sums(&steps), (vec![0, 1, 2], false, false));
        let reencrypted = |step: &mut Step| step.effect = Effect::Reencrypted;
        steps.happen(0, StatusEvent::Succeed, reencrypted);
        steps.happen(1, StatusEvent::Fail, |_| {});
        assert_eq!(sums(&steps), (vec![2], true, true));
        steps.take_out(1);
        assert_eq!(sums(&steps), (vec![2], false, true));
        steps.take_out(2);
        assert!(!steps.has_open());
        assert_eq!(steps.next_no(), 3);
    }

    #[test]
    fn an_event_that_cannot_happen_to_a_step_changes_nothing() {
        let mut steps = steps(&["a"]);
        let before = steps.clone();
        let fails = |step: &mut Step| step.error = Some("no".to_owned());
        assert_eq!(steps.happen(0, StatusEvent::Succeed, fails), None);
        assert_eq!(steps.happen(1, StatusEvent::Call, fails), None);
        assert_eq!(steps, before);
    }

    #[test]
    fn the_first_open_step_of_each_worker_is_known() {
        let mut steps = steps(&["a", "a", "b", "a", "b", "c", "c"]);
        assert_eq!(fronts(&steps), [0, 2, 5]);
        let one_by_one = |mut all: Steps, step| {
            all.add(step);
            all
        };
        assert_eq!(
            steps.iter().cloned().fold(Steps::default(), one_by_one),
            steps
        );
        steps.take_out(6);
        let follower = |steps: &Steps, no| steps.follower(no).map(|step| step.no);
        assert_eq!(follower(&steps, 0), Some(1));
        steps.take_out(1);
        assert_eq!(follower(&steps, 0), Some(3));
        assert_eq!((follower(&steps, 2), follower(&steps, 5)), (Some(4), None));
        for no in [0, 2] {
            steps.happen(no, StatusEvent::Fail, |_| {});
        }
        assert_eq!(fronts(&steps), [3, 4, 5]);
        for no in [3, 4] {
            steps.happen(no, StatusEvent::Fail, |_| {});
        }
        assert_eq!(fronts(&steps), [5]);
        for no in [4, 2, 0, 3] {
            steps.happen(no, StatusEvent::Resume, |_| {});
        }
        assert_eq!(fronts(&steps), [0, 2, 5]);
    }

    #[test]
    fn no_step_of_data_begins_while_one_of_memory_is_open() {
        let mut steps = steps(&["a", "b", "a"]);
        let memory = |no, worker| step(no, worker).of(CallbackOf::Memory);
        steps.happen(0, StatusEvent::Call, |_| {});
        steps.add(memory(3, "a"));
        steps.add(memory(4, "b"));
        assert_eq!(fronts(&steps), [0, 3, 4], "what has begun counts");
        steps.happen(0, StatusEvent::Succeed, |_| {});
        assert_eq!(fronts(&steps), [3, 4]);
        steps.happen(4, StatusEvent::Call, |_| {});
        steps.happen(4, StatusEvent::Fail, |_| {});
        assert_eq!(fronts(&steps), [3]);
        steps.take_out(3);
        assert_eq!(fronts(&steps), [1, 2], "the others in the plan's order");
    }

    #[test]
    fn the_switch_of_the_store_comes_after_all_others_also_after_one_that_joins_late() {
        let mut steps = steps(&["a", "b"]);
        steps.add(Step::switch(2));
        steps.add(step(3, "c").of(CallbackOf::Memory));
        assert_eq!(fronts(&steps), [3]);
        steps.take_out(3);
        assert_eq!(fronts(&steps), [0, 1]);
        steps.happen(0, StatusEvent::Call, |_| {});
        steps.happen(0, StatusEvent::Fail, |_| {});
        steps.take_out(1);
        assert_eq!(fronts(&steps), [2], "what has failed is settled");
        steps.add(step(4, "keyward"));
        assert_eq!(fronts(&steps), [4], "a worker of that name is another one");
    }

    #[test]
    fn a_step_is_found_though_others_of_its_plan_are_lost() {
        let mut steps: Steps = [step(3, "a"), step(7, "a")].into_iter().collect();
        assert_eq!(steps.get(7).map(|step| step.no), Some(7));
        assert!(steps.get(1).is_none());
        assert!(steps.take_out(3).is_some());
        assert_eq!(fronts(&steps), [7]);
    }
}
