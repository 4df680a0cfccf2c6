//! The coordinator after a restart: its state from the durable facts.

use crate::rotation::durable::DurableFacts;
use crate::rotation::event::StepRef;
use crate::rotation::machine::{RotationConfig, RotationMachine};
use crate::rotation::plan::Step;
use crate::rotation::report::UnreadableRotation;
use crate::rotation::rotations::Live;
use crate::rotation::state::RotationState;
use crate::rotation::status::StatusEvent;

impl RotationMachine {
    /// The coordinator that these facts leave: a step that was InProgress was interrupted by a
    /// crash and is to be called again. Nothing is written.
    pub fn replay(config: RotationConfig, facts: DurableFacts) -> Self {
        Self::from_facts(config, facts, |_, step| {
            if interrupt(step) {
                step.crashes += 1;
            }
        })
    }

    /// The coordinator that these facts leave, each step as `found` takes it.
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
            for step in &mut steps {
                let at = StepRef {
                    rotation,
                    step: step.no,
                };
                found(at, step);
            }
            machine.rotations.add(Live::new(header, steps));
        }
        machine
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
