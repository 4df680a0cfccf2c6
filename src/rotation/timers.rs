//! Deadlines: until when steps wait, and what is due when the time has come.

use crate::key::time::Time;
use crate::rotation::effect::RotationEffect;
use crate::rotation::event::{Moment, StepRef};
use crate::rotation::long_waits::kept_waiting;
use crate::rotation::machine::RotationMachine;
use crate::rotation::rotations::Active;

impl RotationMachine {
    /// Until when a step waits: one deadline a step, and none when it waits no more.
    pub(crate) fn wait_until(&mut self, step: StepRef, end: Option<Time>) {
        if end.is_none() {
            self.waits_no_more(step);
        }
        if let Some(earlier) = self.due.remove(&step) {
            self.timers.remove(&(earlier, step));
        }
        if let Some(end) = end {
            self.due.insert(step, end);
            self.timers.insert((end, step));
        }
    }

    pub(crate) fn tick(&mut self, now: Moment) {
        self.warn(now);
        self.count_lifetimes(now);
        while let Some((at, step)) = self.timers.first().copied() {
            if at > now.time {
                break;
            }
            self.wait_until(step, None);
            if !self.goes_on() {
                continue;
            }
            let wait = self.config.worker_wait.unwrap_or_default();
            let live = self.rotations.get(step.rotation);
            if let Some(live) = live
                && let Some(Active::Preparing { since, lacks }) = live.active.get(&step.step)
                && let Some(due) = live.steps.get(step.step)
                && since.after(wait) <= now.time
            {
                let error = kept_waiting(due, *lacks, wait);
                self.effects.push(RotationEffect::Release { step });
                self.fail(step, error, now);
            } else {
                self.answer_is_late(step, now);
            }
            self.advance(step.rotation, now);
        }
    }

    /// When `Tick` is due next.
    pub fn next_deadline(&self) -> Option<Time> {
        let due = self.timers.first().map(|(at, _)| *at);
        let others = [self.next_warning(), self.next_count_due()];
        due.into_iter().chain(others.into_iter().flatten()).min()
    }
}
