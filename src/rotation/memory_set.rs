//! Which instances a step of memory is still to be called at, and which it waits for.

use crate::key::name::{KeyName, WorkerName};
use crate::key::time::Time;
use crate::rotation::event::{Moment, StepRef};
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::Step;
use crate::rotation::roster::WorkerEntry;
use crate::rotation::status::CallbackStatus;

/// What is left to be done about a step of memory. It is found anew for each answer of each of many instances, so
/// that nothing is cloned or put into words here.
#[derive(Default)]
pub(crate) struct Set {
    /// Whether an instance that is not gone has registered the callback.
    pub(crate) has_members: bool,
    /// Those that can be called now, each with when it was given a call last.
    pub(crate) free: Vec<(u64, u64)>,
    /// Those that cannot be yet, with since when, and why.
    pub(crate) waiting: Vec<(u64, Time, Waits)>,
}

/// Why an instance cannot be called yet.
#[derive(Clone, Copy)]
pub(crate) enum Waits {
    NotConnected,
    NotReady,
    Busy,
}

impl Set {
    /// So many of those that can be called, the one that was given a call longest ago first.
    pub(crate) fn next(&self, places: usize) -> Vec<u64> {
        let mut free = self.free.clone();
        if places < free.len() {
            free.select_nth_unstable(places);
            free.truncate(places);
        }
        free.sort_unstable();
        free.into_iter().map(|(_, number)| number).collect()
    }
}

impl RotationMachine {
    /// Looks at every instance of the step's worker.
    pub(crate) fn set_of(&self, step: StepRef, key: &KeyName, due: &Step, since: Time) -> Set {
        let mut set = Set::default();
        let given = self.given_to(step);
        let in_progress = due.status == CallbackStatus::InProgress;
        let entry = self.roster.get(&due.worker);
        for one in entry.into_iter().flat_map(WorkerEntry::instances) {
            let instance = &one.instance;
            let is_done = || {
                let call = instance.given(step, due.attempt);
                in_progress && call.is_some_and(|call| call.done)
            };
            let has_call =
                given.is_some_and(|given| given.contains_key(&instance.number)) || is_done();
            if instance.dropped
                || (has_call && set.has_members)
                || !instance.has(key, &due.callback)
            {
                continue;
            }
            set.has_members = true;
            if has_call {
                continue;
            }
            let why = if !one.connected {
                Waits::NotConnected
            } else if !instance.ready {
                Waits::NotReady
            } else if instance.is_busy_with(key) {
                Waits::Busy
            } else {
                set.free.push((one.last_given, instance.number));
                continue;
            };
            let since = since.max(one.absent_since);
            set.waiting.push((instance.number, since, why));
        }
        set
    }

    /// Why the step has failed: an instance was waited for long enough.
    pub(crate) fn overdue(&self, set: &Set, worker: &WorkerName, now: Moment) -> Option<String> {
        let wait = self.config.worker_wait?;
        let mut waiting = set.waiting.iter();
        let (number, _, why) = waiting.find(|(_, since, _)| since.after(wait) <= now.time)?;
        let entry = self.roster.get(worker)?;
        let instance = &entry.instance(*number)?.instance;
        let why = match why {
            Waits::NotConnected => {
                format!("instance absent: {instance} of worker {worker} is not connected")
            }
            Waits::NotReady => {
                format!(
                    "instance absent: {instance} of worker {worker} has not said that it is ready"
                )
            }
            Waits::Busy => {
                format!(
                    "still running: {instance} has not returned from an earlier call for the key"
                )
            }
        };
        Some(format!(
            "{why}, for {wait:?}; resume when it is back, or remove it (remove_instance)"
        ))
    }
}
