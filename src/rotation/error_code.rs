//! The stable codes of the coordinator's errors, and which of them may be asked again.

use crate::key::journal_down::JournalDown;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;

impl RotationError {
    /// What a call is told that needs the journal, about a rotation if it is about one.
    pub(crate) fn of_journal(id: Option<RotationId>, down: JournalDown) -> Self {
        let JournalDown { why, for_good } = down;
        match for_good {
            Some(code) => Self::JournalLost { id, code, why },
            None => Self::RepoUnavailable { why },
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyNotDefined { .. } => "key_not_defined",
            Self::InvalidName(error) => error.code(),
            Self::InvalidReason(error) => error.code(),
            Self::InvalidDefinition { .. } => "invalid_definition",
            Self::InvalidKey { why, .. } => why.code(),
            Self::SameKeys { .. } => "same_keys",
            Self::OfVersions(error) => error.code(),
            Self::OtherDeclaration { .. } => "other_declaration",
            Self::RotationUnfinished { .. } => "rotation_unfinished",
            Self::StoreFailed { .. } => "store_failed",
            Self::OfKey(error) => error.code(),
            Self::TooManyWaiting { .. } | Self::Busy { .. } => "busy",
            Self::Unknown { .. } => "unknown_rotation",
            Self::WrongState { .. } => "wrong_state",
            Self::CallbackRuns { .. } | Self::StillRuns { .. } => "callback_runs",
            Self::NotConfirmed { .. } => "not_confirmed",
            Self::Unreadable { .. } => "rotation_unreadable",
            Self::WorkerNameTaken { .. } => "worker_name_taken",
            Self::SoleHere { .. } | Self::OtherSharing { .. } => "other_sharing",
            Self::OtherKind { .. } => "other_kind",
            Self::UnknownInstance { .. } => "unknown_instance",
            Self::OtherInstances { .. } => "other_instances",
            Self::UnknownWorker { .. } => "unknown_worker",
            Self::UnknownCallback { .. } => "unknown_callback",
            Self::CallbackTaken { .. } => "callback_taken",
            Self::TooManyCallbacks { .. } => "too_many_callbacks",
            Self::RepoUnavailable { .. } => "repo_unavailable",
            Self::JournalLost { code, .. } => code,
            Self::Unwritten { .. } => "write_unknown",
            Self::TimedOut { .. } => "timed_out",
            Self::Unavailable { .. } => "unavailable",
            Self::CoordinatorFailed { .. } => "coordinator_failed",
            Self::KeyFailed { .. } => "key_failed",
            Self::UnknownActor { .. } => "unknown_actor",
            Self::NotFailed { .. } => "not_failed",
            Self::ShutDown { .. } => "shut_down",
            Self::Raised { .. } => "callbacks_failed",
            Self::Keeper(error) => error.code(),
            Self::InsideCallback => "inside_callback",
            Self::Forked => "forked",
            Self::MustNotBlock => "must_not_block",
            Self::HandleExpired => "handle_expired",
        }
    }

    /// Whether the same call may succeed later, without anything being mended first.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::OfKey(error) => return error.is_retriable(),
            Self::OfVersions(error) => return error.is_retriable(),
            Self::Keeper(error) => return error.is_retriable(),
            _ => {}
        }
        if let Self::Keeper(error) = self {
            return error.is_retriable();
        }
        matches!(
            self,
            Self::TooManyWaiting { .. }
                | Self::RotationUnfinished { .. }
                | Self::StoreFailed { .. }
                | Self::Busy { .. }
                | Self::CallbackRuns { .. }
                | Self::StillRuns { .. }
                | Self::RepoUnavailable { .. }
                | Self::Unwritten { .. }
                | Self::TimedOut { .. }
                | Self::Unavailable { .. }
                | Self::ShutDown { .. }
        )
    }
}
