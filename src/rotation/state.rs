//! The state of a rotation, and its one transition table.

use std::fmt;

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum RotationState {
    /// Accepted; it has not begun, or is to go on after a resume.
    Waiting,
    /// Its callbacks are being called.
    Running,
    /// Every step has Succeeded. Its keys have left the journal.
    Completed,
    /// It ran to its end, and some callbacks failed (Skip, SkipAndRaise).
    CompletedWithFailures,
    /// A callback failed and the rest was not called (Halt, RaiseImmediately).
    Stopped,
    /// An operator ended it. Its keys have left the journal.
    Aborted,
    /// It cannot be resumed any more: a change that was declared later has completed.
    Obsolete,
}

/// What can happen to a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RotationEvent {
    /// Its turn has come.
    Begin,
    /// Its last step ended, all have Succeeded.
    Complete,
    /// Its last step ended, some have Failed.
    CompleteWithFailures,
    /// A failed step stopped it.
    Stop,
    /// An operator takes it up again.
    Resume,
    /// An operator ends it.
    Abort,
    /// A change that was declared later has completed.
    Overtake,
}

impl RotationEvent {
    /// The state that it leads to; none where it cannot happen.
    pub fn apply_to(self, state: RotationState) -> Option<RotationState> {
        use RotationState::{
            Aborted, Completed, CompletedWithFailures, Obsolete, Running, Stopped, Waiting,
        };
        match self {
            RotationEvent::Begin => (state == Waiting).then_some(Running),
            RotationEvent::Complete => (state == Running).then_some(Completed),
            RotationEvent::CompleteWithFailures => {
                (state == Running).then_some(CompletedWithFailures)
            }
            RotationEvent::Stop => (state == Running).then_some(Stopped),
            RotationEvent::Resume => {
                matches!(state, Stopped | CompletedWithFailures).then_some(Waiting)
            }
            RotationEvent::Overtake => {
                matches!(state, Waiting | Stopped | CompletedWithFailures).then_some(Obsolete)
            }
            RotationEvent::Abort => (!state.has_ended()).then_some(Aborted),
        }
    }
}

impl RotationState {
    /// Whether it is over for good: completed or aborted, its keys gone.
    pub fn has_ended(self) -> bool {
        match self {
            Self::Completed | Self::Aborted => true,
            Self::Waiting
            | Self::Running
            | Self::Stopped
            | Self::CompletedWithFailures
            | Self::Obsolete => false,
        }
    }

    /// Whether it goes on by itself.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    /// Whether callbacks of it may still be called, by itself or after a resume.
    pub fn is_unfinished(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Stopped | Self::CompletedWithFailures => true,
            Self::Completed | Self::Aborted | Self::Obsolete => false,
        }
    }

    /// Whether a callback that registers now joins its plan.
    pub fn takes_new_steps(self) -> bool {
        matches!(self, Self::Waiting | Self::Running | Self::Stopped)
    }
}

impl fmt::Display for RotationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::CompletedWithFailures => "completed_with_failures",
            Self::Stopped => "stopped",
            Self::Aborted => "aborted",
            Self::Obsolete => "obsolete",
        })
    }
}
