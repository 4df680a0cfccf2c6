//! The steps of a plan. What they add up to is kept as they change, so that what a step costs does
//! not grow with its plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::state::Effect;
use crate::rotation::plan::Step;
use crate::rotation::status::{CallbackStatus, StatusEvent};

/// The steps of a plan, by number, which is the plan's order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Steps {
    by_no: BTreeMap<u32, Step>,
    /// Those that are not settled.
    open: BTreeSet<u32>,
    failed: usize,
    reencrypted: usize,
}

impl Steps {
    /// One of them.
    pub fn get(&self, no: u32) -> Option<&Step> {
        self.by_no.get(&no)
    }

    /// All of them, in the plan's order.
    pub fn iter(&self) -> impl Iterator<Item = &Step> {
        self.by_no.values()
    }

    /// Those that are not settled, in the plan's order.
    pub fn open(&self) -> impl Iterator<Item = &Step> {
        self.open.iter().filter_map(|no| self.by_no.get(no))
    }

    /// Whether one is not settled.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether one that is in the plan has Failed.
    pub fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// Whether a callback said that it re-encrypted the data.
    pub fn has_reencrypted(&self) -> bool {
        self.reencrypted > 0
    }

    /// The number of the next step to be added.
    pub fn next_no(&self) -> u32 {
        self.by_no.last_key_value().map_or(0, |(no, _)| no + 1)
    }

    /// Adds one, or puts it in the place of the one with its number.
    pub fn put(&mut self, step: Step) {
        if let Some(before) = self.by_no.remove(&step.no) {
            self.count_out(&before);
        }
        self.count_in(&step);
        self.by_no.insert(step.no, step);
    }

    /// Takes an event in for one of them, if it can happen to it, and makes what else that changes;
    /// answers the step as it is then.
    pub fn happen(
        &mut self,
        no: u32,
        event: StatusEvent,
        change: impl FnOnce(&mut Step),
    ) -> Option<&Step> {
        let mut step = self.by_no.get(&no)?.clone();
        step.status = step.status.after(event)?;
        change(&mut step);
        self.put(step);
        self.by_no.get(&no)
    }

    /// Takes one out of the plan; answers the step as it is then.
    pub fn take_out(&mut self, no: u32) -> Option<&Step> {
        let mut step = self.by_no.get(&no)?.clone();
        step.removed = true;
        self.put(step);
        self.by_no.get(&no)
    }

    /// The numbers of those that are so.
    pub fn numbers(&self, which: impl Fn(&Step) -> bool) -> Vec<u32> {
        let chosen = self.iter().filter(|step| which(step));
        chosen.map(|step| step.no).collect()
    }

    fn count_in(&mut self, step: &Step) {
        if !step.is_settled() {
            self.open.insert(step.no);
        }
        self.failed += usize::from(has_failed(step));
        self.reencrypted += usize::from(has_reencrypted(step));
    }

    fn count_out(&mut self, step: &Step) {
        self.open.remove(&step.no);
        self.failed -= usize::from(has_failed(step));
        self.reencrypted -= usize::from(has_reencrypted(step));
    }
}

impl FromIterator<Step> for Steps {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        let mut all = Self::default();
        for step in steps {
            all.put(step);
        }
        all
    }
}

fn has_failed(step: &Step) -> bool {
    step.status == CallbackStatus::Failed && !step.removed
}

fn has_reencrypted(step: &Step) -> bool {
    step.status == CallbackStatus::Succeeded && step.effect == Effect::Reencrypted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::name::{CallbackName, WorkerName};

    fn step(no: u32) -> Step {
        let callback = CallbackName::new("c").unwrap();
        Step::new(no, WorkerName::main(), callback)
    }

    #[test]
    fn what_steps_add_up_to_follows_each_change() {
        let mut steps: Steps = (0..3).map(step).collect();
        let sums = |steps: &Steps| {
            let open: Vec<u32> = steps.open().map(|step| step.no).collect();
            (open, steps.has_failed(), steps.has_reencrypted())
        };
        assert_eq!(sums(&steps), (vec![0, 1, 2], false, false));
        steps.happen(0, StatusEvent::Call, |_| {});
        assert_eq!(sums(&steps), (vec![0, 1, 2], false, false));
        let reencrypted = |step: &mut Step| step.effect = Effect::Reencrypted;
        steps.happen(0, StatusEvent::Succeed, reencrypted);
        steps.happen(1, StatusEvent::Fail, |_| {});
        assert_eq!(sums(&steps), (vec![2], true, true));
        steps.take_out(1);
        steps.put(step(0));
        assert_eq!(sums(&steps), (vec![0, 2], false, false));
        assert_eq!((steps.next_no(), steps.has_open()), (3, true));
    }

    #[test]
    fn an_event_that_cannot_happen_to_a_step_changes_nothing() {
        let mut steps: Steps = [step(0)].into_iter().collect();
        let before = steps.clone();
        let fails = |step: &mut Step| step.error = Some("no".to_owned());
        assert_eq!(steps.happen(0, StatusEvent::Succeed, fails), None);
        assert_eq!(steps.happen(1, StatusEvent::Call, fails), None);
        assert_eq!(steps, before);
    }
}
