//! Why a request to a key was refused.

use std::time::Duration;

use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::journal_down::JournalDown;
use crate::key::keeper_error::KeeperError;
use crate::key::name::{InvalidName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::secret::value::InvalidKey;
use crate::secret::visible::debug_with_code;

/// Why a request to a key got no answer. A failed request has changed nothing.
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key of that name is defined. The caller's fault: define it first.
    #[error("key {key}: not defined; define it before it is used")]
    NotDefined {
        /// The name that was asked for.
        key: KeyName,
    },
    /// The name cannot be a key's. The caller's fault.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// The definition contradicts itself, an earlier one, or an unfinished rotation.
    #[error("key {key}: the definition is refused: {why}")]
    InvalidDefinition {
        /// The key.
        key: KeyName,
        /// What is wrong and what to do.
        why: String,
    },
    /// The flow does not fit the key's use case. The caller's fault.
    #[error("key {key}: flow {flow} does not fit a {use_case} key")]
    InvalidFlow {
        /// The key.
        key: KeyName,
        /// The flow that was asked for.
        flow: SecretKeyFlow,
        /// The key's use case.
        use_case: SecretKeyUseCase,
    },
    /// The store answered keys that keyward does not take. The store's fault.
    #[error("key {key}: its store answered an invalid key: {why}")]
    InvalidKey {
        /// The key.
        key: KeyName,
        /// What is wrong with them.
        why: InvalidKey,
    },
    /// The store failed, hung, panicked or answered nothing. The store's fault; ask again later.
    #[error("key {key}: its store failed: {why}")]
    StoreFailed {
        /// The key.
        key: KeyName,
        /// What the store said, scrubbed.
        why: String,
    },
    /// The key's record in the state repo cannot be read. It is left where it is until a newer one
    /// takes its place.
    #[error(
        "key {key}: its state record cannot be read: {why}; it stays in place until a forward get \
         and save_state replace it"
    )]
    StateUnreadable {
        /// The key.
        key: KeyName,
        /// Why, without its content.
        why: String,
    },
    /// The key keeps no state. The caller's fault: define it with `stateless(false)`.
    #[error("key {key}: it is stateless, so there is no state to save; define it as stated")]
    StatelessKey {
        /// The key.
        key: KeyName,
    },
    /// The key has no versions. The caller's fault: define it with `versions(true)`, or get it without an id.
    #[error("key {key}: it has no versions; define it with versions(true), or ask without an id")]
    NotVersioned {
        /// The key.
        key: KeyName,
    },
    /// Data of a versioned key is read by the id of its version. The caller's fault: see what id the data carries,
    /// or try the key's candidates.
    #[error(
        "key {key}: it has versions, and data of it is read by id: call get_version with the id that the \
         data carries, or try its candidates"
    )]
    NeedsVersion {
        /// The key.
        key: KeyName,
    },
    /// The key has no such version: the data is of another key, or of nobody.
    #[error("key {key}: it has no version {id}")]
    VersionUnknown {
        /// The key.
        key: KeyName,
        /// The id that was asked for.
        id: VersionId,
    },
    /// The version is withdrawn: an operator can take that back as long as its value is there.
    #[error(
        "key {key}: version {number} ({id}) is withdrawn; its value is still there, and an operator can take \
         the withdrawal back"
    )]
    VersionWithdrawn {
        /// The key.
        key: KeyName,
        /// The version.
        id: VersionId,
        /// Its number.
        number: u64,
    },
    /// The version's value is gone for good.
    #[error("key {key}: version {number} ({id}) is destroyed, and its value is gone")]
    VersionDestroyed {
        /// The key.
        key: KeyName,
        /// The version.
        id: VersionId,
        /// Its number.
        number: u64,
    },
    /// Records of the key's versions cannot be read. The operator's task: restore a backup.
    #[error("key {key}: {what} cannot be read in the journal; `status` lists the records")]
    VersionUnreadable {
        /// The key.
        key: KeyName,
        /// What cannot be read, in words.
        what: String,
    },
    /// The request took longer than its limit. It may or may not have taken effect; ask again.
    #[error("key {key}: no answer within {limit:?}; it may be asked again")]
    TimedOut {
        /// The key.
        key: KeyName,
        /// The limit that passed.
        limit: Duration,
    },
    /// As many requests as the key admits are under way. Ask again later.
    #[error("key {key}: busy, {bound} requests are under way already; ask again later")]
    Busy {
        /// The key.
        key: KeyName,
        /// The bound that was reached.
        bound: usize,
    },
    /// As many requests of this worker as it may have are under way. Ask again later.
    #[error("worker {worker}: busy, {bound} requests of it are under way already; ask again later")]
    WorkerBusy {
        /// The worker.
        worker: WorkerName,
        /// The bound that was reached.
        bound: usize,
    },
    /// The state repo does not answer. Ask again later.
    #[error("key {key}: the state repo is unavailable: {why}; ask again later")]
    RepoUnavailable {
        /// The key.
        key: KeyName,
        /// Why.
        why: String,
    },
    /// This manager writes nothing more, for good: another manager has taken over its journal, or its
    /// data folder is gone. The operator's task: see the text, and start the program anew.
    #[error("key {key}: the journal is lost for good: {why}")]
    JournalLost {
        /// The key.
        key: KeyName,
        /// The code of the cause.
        code: &'static str,
        /// The cause, and what to do.
        why: String,
    },
    /// Writing the state failed, and it is unknown whether it was made. Save again later.
    #[error("key {key}: whether its state was written is unknown: {why}; save it again later")]
    Unwritten {
        /// The key.
        key: KeyName,
        /// Why.
        why: String,
    },
    /// The key's actor died too often and is not started again by itself. The operator's task: see
    /// what it says of the cause, and restart the actor.
    #[error("key {key}: its actor has failed: {why}; mend the cause, then restart the actor")]
    Failed {
        /// The key.
        key: KeyName,
        /// Why it died last.
        why: String,
    },
    /// The key's actor died before it answered. The request may or may not have taken effect; ask
    /// again.
    #[error("key {key}: its actor died before it answered; ask again")]
    Unavailable {
        /// The key.
        key: KeyName,
    },
    /// The coordinator's actor died too often and is not started again by itself, so that the keys of
    /// rotations cannot be had. The operator's task: see what it says of the cause, and restart it.
    #[error("the coordinator has failed: {why}; mend the cause, then restart the actor")]
    CoordinatorFailed {
        /// Why it died last.
        why: String,
    },
    /// The manager is shut down or shutting down. Ask the next one.
    #[error("key {key}: the manager is shut down")]
    ShutDown {
        /// The key.
        key: KeyName,
    },
    /// What a late callback still asked through its handle was refused.
    #[error("key {key}: the callback's time has passed, its handle answers no more")]
    HandleExpired {
        /// The key.
        key: KeyName,
    },
    /// What the keeper in another process answered, or why it did not answer.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The process is a child of `fork()`, and keyward's threads are those of its parent. The program's
    /// fault: start keyward after the fork and not before it.
    #[error(
        "this process was forked from one that uses keyward, whose threads are not in it; start \
         keyward after the fork and not before, or exec"
    )]
    Forked,
    /// A blocking call was made on a thread that must not block. The caller's fault: use the async
    /// call there.
    #[error("a blocking call on a thread of an actor or an async plug-in; use the async call")]
    MustNotBlock,
}

debug_with_code!(KeyError);

impl KeyError {
    /// What a request is told that needs the journal.
    pub(crate) fn of_journal(key: KeyName, down: JournalDown) -> Self {
        let JournalDown { why, for_good } = down;
        match for_good {
            Some(code) => Self::JournalLost { key, code, why },
            None => Self::RepoUnavailable { key, why },
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotDefined { .. } => "key_not_defined",
            Self::InvalidName(error) => error.code(),
            Self::InvalidDefinition { .. } => "invalid_definition",
            Self::InvalidFlow { .. } => "invalid_flow",
            Self::InvalidKey { why, .. } => why.code(),
            Self::StoreFailed { .. } => "store_failed",
            Self::StateUnreadable { .. } => "state_unreadable",
            Self::StatelessKey { .. } => "stateless_key",
            Self::NotVersioned { .. } => "not_versioned",
            Self::NeedsVersion { .. } => "needs_version",
            Self::VersionUnknown { .. } => "version_unknown",
            Self::VersionWithdrawn { .. } => "version_withdrawn",
            Self::VersionDestroyed { .. } => "version_destroyed",
            Self::VersionUnreadable { .. } => "version_unreadable",
            Self::TimedOut { .. } => "timed_out",
            Self::Busy { .. } | Self::WorkerBusy { .. } => "busy",
            Self::RepoUnavailable { .. } => "repo_unavailable",
            Self::JournalLost { code, .. } => code,
            Self::Unwritten { .. } => "write_unknown",
            Self::Failed { .. } => "key_failed",
            Self::Unavailable { .. } => "unavailable",
            Self::CoordinatorFailed { .. } => "coordinator_failed",
            Self::ShutDown { .. } => "shut_down",
            Self::HandleExpired { .. } => "handle_expired",
            Self::Keeper(error) => error.code(),
            Self::Forked => "forked",
            Self::MustNotBlock => "must_not_block",
        }
    }

    /// Whether the same request may succeed later, without anything being mended first.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Keeper(error) => error.is_retriable(),
            Self::StoreFailed { .. }
            | Self::TimedOut { .. }
            | Self::Busy { .. }
            | Self::WorkerBusy { .. }
            | Self::RepoUnavailable { .. }
            | Self::Unwritten { .. }
            | Self::Unavailable { .. }
            | Self::ShutDown { .. } => true,
            Self::NotDefined { .. }
            | Self::InvalidName(_)
            | Self::InvalidDefinition { .. }
            | Self::InvalidFlow { .. }
            | Self::InvalidKey { .. }
            | Self::StateUnreadable { .. }
            | Self::StatelessKey { .. }
            | Self::NotVersioned { .. }
            | Self::NeedsVersion { .. }
            | Self::VersionUnknown { .. }
            | Self::VersionWithdrawn { .. }
            | Self::VersionDestroyed { .. }
            | Self::VersionUnreadable { .. }
            | Self::JournalLost { .. }
            | Self::Failed { .. }
            | Self::CoordinatorFailed { .. }
            | Self::HandleExpired { .. }
            | Self::Forked
            | Self::MustNotBlock => false,
        }
    }
}
