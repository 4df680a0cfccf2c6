//! The coordinator after a restart: its state from the durable facts.

use std::collections::BTreeMap;

use crate::rotation::durable::DurableFacts;
use crate::rotation::event::StepRef;
use crate::rotation::machine::{RotationConfig, RotationMachine};
use crate::rotation::plan::Step;
use crate::rotation::report::UnreadableRotation;
use crate::rotation::rotations::{Active, Live};
use crate::rotation::state::RotationState;
use crate::rotation::status::{CallbackStatus, StatusEvent};

impl RotationMachine {
    /// The coordinator that these facts leave: a step that was InProgress was interrupted by a
    /// crash and is to be called again, unless an instance of another process has it. Nothing is written.
    pub fn replay(config: RotationConfig, facts: DurableFacts) -> Self {
        Self::from_facts(config, facts, |_, step| {
            if interrupt(step) {
                step.crashes += 1;
            }
        })
    }

    /// The coordinator that these facts leave, each step as `found` takes it that no instance of another
    /// process has.
    pub(crate) fn from_facts(
        config: RotationConfig,
        facts: DurableFacts,
        mut found: impl FnMut(StepRef, &mut Step),
    ) -> Self {
        let mut machine = Self::new(config);
        machine.next_sequence = facts.next_sequence.max(1);
        for member in facts.members {
            machine.roster.add(member);
        }
        for callback in facts.callbacks {
            machine.roster.add_callback(callback);
        }
        for instance in facts.instances {
            machine.roster.add_found(instance);
        }
        machine.incarnations = machine.roster.last_number();
        machine.versions = facts.versions;
        for unreadable in facts.unreadable {
            let UnreadableRotation { id, key, why, .. } = unreadable;
            machine.rotations.add_unreadable(id, key, why);
        }
        for (header, mut steps) in facts.rotations {
            let queue = machine.rotations.queue_mut(&header.key);
            match header.state {
                RotationState::Waiting => {
                    queue.waiting.insert(header.place, header.id);
                }
                RotationState::Running => queue.turn = Some(header.id),
                RotationState::Completed
                | RotationState::CompletedWithFailures
                | RotationState::Stopped
                | RotationState::Aborted
                | RotationState::Obsolete => {}
            }
            let rotation = header.id;
            let mut active = BTreeMap::new();
            for step in &mut steps {
                let at = StepRef {
                    rotation,
                    step: step.no,
                };
                match machine.elsewhere(at, step) {
                    Some(running) => drop(active.insert(step.no, running)),
                    None => found(at, step),
                }
            }
            let mut live = Live::new(header, steps);
            live.active = active;
            machine.rotations.add(live);
        }
        machine
    }

    /// What instances of other processes do for a step that is in progress; none if they do nothing.
    fn elsewhere(&self, at: StepRef, step: &Step) -> Option<Active> {
        if step.status != CallbackStatus::InProgress {
            return None;
        }
        let entry = self.roster.get(&step.worker)?;
        let attempt = step.attempt;
        if !step.is_of_memory() {
            let runs = entry.runs_at(at, attempt).is_some();
            return runs.then_some(Active::Running { attempt });
        }
        // While one is there that has not been called the step is theirs, also where no call is under way.
        entry.instances().next()?;
        let given = entry.instances().filter(|one| {
            let given = one.instance.given(at, attempt);
            given.is_some_and(|call| !call.done)
        });
        let given = given.map(|one| (one.instance.number, None)).collect();
        Some(Active::Gathering { given })
    }
}

/// A step that was InProgress is to be called again; answers whether it was.
pub(crate) fn interrupt(step: &mut Step) -> bool {
    let interrupted = StatusEvent::Interrupt.apply_to(step.status);
    if let Some(status) = interrupted {
        step.status = status;
    }
    interrupted.is_some()
}
