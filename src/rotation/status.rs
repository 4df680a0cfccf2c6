//! The status of one callback in a rotation, and its one transition table.

use std::fmt;

/// How far a callback of a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum CallbackStatus {
    /// It has not been called, or is to be called again.
    #[default]
    Pending,
    /// It may be running; this is durable before it is called.
    InProgress,
    /// It returned an error, panicked, took too long, or could not be called.
    Failed,
    /// It is done, and will never be called again for this rotation.
    Succeeded,
}

/// What can happen to a callback's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusEvent {
    /// It is about to be called.
    Call,
    /// It did its work.
    Succeed,
    /// It failed, or cannot be called.
    Fail,
    /// Its process ended under it: it is to be called again.
    Interrupt,
    /// An operator resumes the rotation.
    Resume,
}

impl StatusEvent {
    /// The status that it leads to, live and at replay alike; none where it cannot happen.
    pub fn apply_to(self, status: CallbackStatus) -> Option<CallbackStatus> {
        use CallbackStatus::{Failed, InProgress, Pending, Succeeded};
        match (status, self) {
            (Pending, StatusEvent::Call) => Some(InProgress),
            (InProgress, StatusEvent::Succeed) => Some(Succeeded),
            (Pending | InProgress, StatusEvent::Fail) => Some(Failed),
            (InProgress, StatusEvent::Interrupt) => Some(Pending),
            (Pending | Failed, StatusEvent::Resume) => Some(Pending),
            (Pending, StatusEvent::Succeed | StatusEvent::Interrupt)
            | (InProgress, StatusEvent::Call | StatusEvent::Resume)
            | (
                Failed,
                StatusEvent::Call
                | StatusEvent::Succeed
                | StatusEvent::Fail
                | StatusEvent::Interrupt,
            )
            | (
                Succeeded,
                StatusEvent::Call
                | StatusEvent::Succeed
                | StatusEvent::Fail
                | StatusEvent::Interrupt
                | StatusEvent::Resume,
            ) => None,
        }
    }
}

impl fmt::Display for CallbackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        })
    }
}
