//! What is told of a rotation, in words for people: short, and with what has to be done.

use std::fmt;

use crate::rotation::plan::Step;
use crate::rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
use crate::rotation::state::RotationState;
use crate::rotation::status::CallbackStatus;

/// So many steps that have not succeeded are shown, and the number of the others.
const MAX_STEPS: usize = 10;

impl RotationReport {
    /// What a person has to do about it; none where it goes on by itself or has ended.
    pub fn remedy(&self) -> Option<&'static str> {
        match self.state {
            RotationState::Stopped | RotationState::CompletedWithFailures => {
                Some("resume it when the cause is mended, or abort it")
            }
            RotationState::Obsolete => Some(
                "a later change of the key has completed: abort it when nobody needs its old keys any more; \
                 until then it keeps them (recover_keys)",
            ),
            RotationState::Waiting
            | RotationState::Running
            | RotationState::Completed
            | RotationState::Aborted => None,
        }
    }
}

/// One line, then one for its declaration and one for what was done about it last, one for each step that has not succeeded, ten at most, for what it waits for, and for
/// what has to be done.
impl fmt::Display for RotationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let succeeded = |step: &&Step| step.status == CallbackStatus::Succeeded;
        let (done, all) = (
            self.steps.iter().filter(succeeded).count(),
            self.steps.len(),
        );
        write!(
            f,
            "rotation {} of key {}: {}, {done} of {all} steps succeeded",
            self.id, self.key, self.state
        )?;
        if let Some(between) = &self.versions {
            write!(f, "\n  to version {}: {}", between.new, between.phase)?;
        }
        // The declaration, and what was done last.
        let acts = self.acts.iter();
        let shown = acts.len().saturating_sub(1);
        for (_, act) in acts.enumerate().filter(|(no, _)| *no == 0 || *no == shown) {
            write!(f, "\n  {act}")?;
        }
        let mut open = self.steps.iter().filter(|step| !succeeded(step));
        for step in open.by_ref().take(MAX_STEPS) {
            write!(f, "\n  {step}")?;
        }
        let more = open.count();
        if more > 0 {
            write!(f, "\n  and {more} more steps that have not succeeded")?;
        }
        for waits in &self.waits_for {
            write!(f, "\n  it waits for {waits}")?;
        }
        match self.remedy() {
            Some(remedy) => write!(f, "\n  {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            callback,
            worker,
            status,
            ..
        } = self;
        write!(f, "callback {callback} of worker {worker}: {status}")?;
        if self.attempt > 0 {
            write!(f, ", attempt {}", self.attempt)?;
        }
        if self.removed {
            f.write_str(", removed")?;
        }
        match &self.error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definition => f.write_str("its key to be defined (define_key)"),
            Self::Rotation { id } => write!(f, "the earlier rotation {id} of the key"),
            Self::Unreadable { id } => {
                write!(
                    f,
                    "rotation {id} of the key, which is unreadable, to be dismissed"
                )
            }
            Self::Worker { worker, callback } => write!(
                f,
                "worker {worker} to join and register callback {callback}; remove it if its data is gone"
            ),
            Self::Instance {
                worker,
                callback,
                instance,
            } => write!(
                f,
                "instance {instance} of worker {worker}, which is absent or not ready, for callback {callback}; \
                 remove it (remove_instance) if its process has ended"
            ),
            Self::EarlierCall { worker, callback } => write!(
                f,
                "an earlier call of worker {worker}'s callbacks for the key to return; callback {callback} is due"
            ),
            Self::Thread { worker, callback } => {
                write!(f, "a thread for callback {callback} of worker {worker}")
            }
            Self::Callback { worker, callback } => {
                write!(f, "callback {callback} of worker {worker}, which runs")
            }
            Self::Journal => f.write_str("the journal, which cannot be written"),
            Self::Drain { .. } => {
                f.write_str("copies of earlier versions, which gets answered, to be out of use")
            }
        }
    }
}

impl fmt::Display for UnreadableRotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "rotation {} of key {}: unreadable: {}",
            self.id, self.key, self.why
        )?;
        if self.unfinished {
            f.write_str("\n  dismiss it, so that its key goes on without it")?;
        }
        Ok(())
    }
}
