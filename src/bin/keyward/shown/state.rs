//! States of rotations and steps for people.

use keyward::{CallbackStatus, RotationState};

use crate::shown::paint::Tone;

/// How far a rotation is, in words.
pub fn words(state: RotationState) -> &'static str {
    match state {
        RotationState::Waiting => "waiting",
        RotationState::Running => "running",
        RotationState::Completed => "completed",
        RotationState::CompletedWithFailures => "completed with failures",
        RotationState::Stopped => "stopped",
        RotationState::Aborted => "aborted",
        RotationState::Obsolete => "obsolete",
        _ => "in a state that this version does not know",
    }
}

/// How a rotation's state is to be taken.
pub fn tone(state: RotationState) -> Tone {
    match state {
        RotationState::Completed => Tone::Good,
        RotationState::Waiting | RotationState::Running => Tone::Open,
        RotationState::Aborted => Tone::Plain,
        _ => Tone::Bad,
    }
}

/// How a step's status is to be taken.
pub fn step_tone(status: CallbackStatus) -> Tone {
    match status {
        CallbackStatus::Succeeded => Tone::Good,
        CallbackStatus::Failed => Tone::Bad,
        CallbackStatus::InProgress => Tone::Open,
        _ => Tone::Plain,
    }
}
