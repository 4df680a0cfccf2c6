//! Why the coordinator refused something.

use std::time::Duration;

use crate::key::error::KeyError;
use crate::key::keeper_error::KeeperError;
use crate::key::name::{CallbackName, InvalidName, KeyName, WorkerName};
use crate::rotation::act::InvalidReason;
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, Sharing};
use crate::rotation::plan::Step;
use crate::rotation::report::RotationReport;
use crate::rotation::state::RotationState;
use crate::rotation::versions_error::VersionsError;
use crate::secret::value::InvalidKey;
use crate::secret::visible::debug_with_code;

/// Why a call about rotations, workers or callbacks was refused.
#[derive(Clone, PartialEq, Eq, thiserror::Error, Hash)]
#[non_exhaustive]
pub enum RotationError {
    /// The key is not defined. The caller's fault: define it first.
    #[error("key {key}: not defined; define it before it is used")]
    KeyNotDefined {
        /// The name that was given.
        key: KeyName,
    },
    /// A name cannot be one. The caller's fault.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// A reason cannot be kept. The caller's fault; nothing was done.
    #[error(transparent)]
    InvalidReason(#[from] InvalidReason),
    /// The definition does not fit an unfinished rotation, or the key is defined already.
    #[error("key {key}: the definition is refused: {why}")]
    InvalidDefinition {
        /// The key.
        key: KeyName,
        /// What is wrong and what to do.
        why: String,
    },
    /// Declared keys that keyward does not take. The caller's fault; nothing was journaled.
    #[error("key {key}: the declared {which} keys are invalid: {why}")]
    InvalidKey {
        /// The key.
        key: KeyName,
        /// `old` or `new`.
        which: &'static str,
        /// What is wrong with them.
        why: InvalidKey,
    },
    /// The declared old and new keys are equal. The caller's fault; nothing was journaled.
    #[error("key {key}: the declared old and new keys are the same; declare a change")]
    SameKeys {
        /// The key.
        key: KeyName,
    },
    /// A change of a key with versions was refused.
    #[error(transparent)]
    OfVersions(#[from] VersionsError),
    /// The id belongs to another declaration. The caller's fault: take a new id.
    #[error("rotation {id}: the id belongs to another declaration; take a new id")]
    OtherDeclaration {
        /// The id.
        id: RotationId,
    },
    /// The old keys are to be asked of the key's store while a rotation of the key waits or runs that
    /// declared no new keys: it is unknown which keys it leads to.
    #[error(
        "key {key}: rotation {id} waits or runs and declared no new keys, so the old keys of the next \
         change are unknown; wait for its end, or name them with Change::old"
    )]
    RotationUnfinished {
        /// The key.
        key: KeyName,
        /// The rotation.
        id: RotationId,
    },
    /// A store that was to give declared keys failed, hung, panicked or answered nothing. The store's
    /// fault; nothing was journaled. Declare again later.
    #[error("key {key}: the store of the {which} keys failed: {why}; declare again later")]
    StoreFailed {
        /// The key.
        key: KeyName,
        /// `old` or `new`.
        which: &'static str,
        /// What the store said, scrubbed.
        why: String,
    },
    /// The key's actor did not give what the declaration needs of it; nothing was journaled.
    #[error(transparent)]
    OfKey(KeyError),
    /// As many rotations of the key wait as may. Ask again later.
    #[error("key {key}: busy, {bound} rotations wait already; declare again later")]
    TooManyWaiting {
        /// The key.
        key: KeyName,
        /// The bound.
        bound: usize,
    },
    /// As many requests are under way as the coordinator admits. Ask again later.
    #[error("the coordinator is busy, {bound} requests are under way; ask again later")]
    Busy {
        /// The bound.
        bound: usize,
    },
    /// No rotation has this id, or it has been pruned from the history.
    #[error("rotation {id}: unknown; it was never accepted, or is pruned from the history")]
    Unknown {
        /// The id.
        id: RotationId,
    },
    /// The rotation is in a state in which this cannot be done.
    #[error("rotation {id}: it is {state}; {why}")]
    WrongState {
        /// The id.
        id: RotationId,
        /// Its state.
        state: RotationState,
        /// What is possible instead.
        why: &'static str,
    },
    /// A callback of it runs. Ask again when it has ended.
    #[error("{what}: callback {callback} of worker {worker} runs; ask again when it has ended")]
    CallbackRuns {
        /// What was asked about.
        what: String,
        /// The callback's worker.
        worker: WorkerName,
        /// Which callback.
        callback: CallbackName,
    },
    /// A callback of the worker that passed its time limit runs in another process than the one that asks. Ask again
    /// when it has returned.
    #[error("worker {worker}: {why}")]
    StillRuns {
        /// The worker.
        worker: WorkerName,
        /// Where it runs, and what to do.
        why: String,
    },
    /// An abort gives up on these workers' steps, which has to be confirmed by naming them.
    #[error(
        "rotation {id}: these workers' steps have not succeeded and may hold data under the old \
         key: {}; abort again and name them to confirm",
        names(workers)
    )]
    NotConfirmed {
        /// The id.
        id: RotationId,
        /// The workers to name.
        workers: Vec<WorkerName>,
    },
    /// Records of the rotation cannot be read: it can only be dismissed.
    #[error("rotation {id}: its records cannot be read ({why}); dismiss it to go on without it")]
    Unreadable {
        /// The id.
        id: RotationId,
        /// What is wrong with which record.
        why: String,
    },
    /// A living worker has this name. Take another name, or let the other one go first.
    #[error("worker {worker}: the name is taken by a living worker; take another name")]
    WorkerNameTaken {
        /// The name.
        worker: WorkerName,
    },
    /// Several processes were to be under the name of a worker in the keeper's own process. The caller's
    /// fault: workers there are sole.
    #[error(
        "worker {worker}: a worker in the keeper's own process is sole; join it with Join::sole, or from \
         other processes"
    )]
    SoleHere {
        /// The name.
        worker: WorkerName,
    },
    /// The worker is there, and its name is shared in another way. The caller's fault: join as the others have,
    /// or let them go first.
    #[error(
        "worker {worker}: it is {sharing} while an instance of it is there; join it so, or let that go first"
    )]
    OtherSharing {
        /// The name.
        worker: WorkerName,
        /// How it is shared.
        sharing: Sharing,
    },
    /// Another instance has registered this callback as one of another kind. The caller's fault: register it as
    /// the others have, or let them go first.
    #[error(
        "worker {worker}: callback {callback} for key {key} is of {of} at another instance; register it so, or \
         let that go first"
    )]
    OtherKind {
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// The callback.
        callback: CallbackName,
        /// What it changes there.
        of: CallbackOf,
    },
    /// The worker has no such instance, or another process has it. Join again.
    #[error("worker {worker}: it has no instance {number} in this process; join again")]
    UnknownInstance {
        /// The worker.
        worker: WorkerName,
        /// The number.
        number: u64,
    },
    /// A worker does not leave while other instances of it are there. Drop the handle, and leave with the last.
    #[error(
        "worker {worker}: {others} other instances of it are there; drop this handle, and leave with the last"
    )]
    OtherInstances {
        /// The worker.
        worker: WorkerName,
        /// How many others.
        others: usize,
    },
    /// No such worker is on the roster, or this handle's worker has left or been replaced.
    #[error("worker {worker}: not on the roster, or its handle is an old one; join again")]
    UnknownWorker {
        /// The name.
        worker: WorkerName,
    },
    /// No such callback is on the roster.
    #[error("worker {worker}: it has no callback {callback} for key {key}")]
    UnknownCallback {
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// The callback.
        callback: CallbackName,
    },
    /// The worker has registered a callback of this name for the key already.
    #[error("worker {worker}: it has registered callback {callback} for key {key} already")]
    CallbackTaken {
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// The callback.
        callback: CallbackName,
    },
    /// The worker has as many callbacks as it may.
    #[error("worker {worker}: it has {bound} callbacks already, which is the bound")]
    TooManyCallbacks {
        /// The worker.
        worker: WorkerName,
        /// The bound.
        bound: usize,
    },
    /// The journal does not answer, nothing was done. Ask again later.
    #[error("the journal is unavailable: {why}; ask again later")]
    RepoUnavailable {
        /// Why.
        why: String,
    },
    /// This manager writes nothing more, for good: another manager has taken over its journal, or its
    /// data folder is gone. The operator's task: see the text, and start the program anew.
    #[error("{}the journal is lost for good: {why}", about(*id))]
    JournalLost {
        /// The rotation it was about, if it was about one.
        id: Option<RotationId>,
        /// The code of the cause.
        code: &'static str,
        /// The cause, and what to do.
        why: String,
    },
    /// A write failed, so that it is unknown whether it was made: it may be found after a restart.
    #[error(
        "{}the write to the journal failed, whether it was made is unknown: {why}; \
         look at the listing after the restart", about(*id)
    )]
    Unwritten {
        /// The rotation it was about, if it was about one.
        id: Option<RotationId>,
        /// Why.
        why: String,
    },
    /// There was no answer within the call's limit: the state repo or the coordinator takes its time.
    /// What was asked may or may not have been done: look at the listing, or ask again.
    #[error("{}no answer within {limit:?}; look at the listing, or ask again", about(*id))]
    TimedOut {
        /// The rotation it was about, if it was about one.
        id: Option<RotationId>,
        /// The limit.
        limit: Duration,
    },
    /// The coordinator's actor died before it answered. What was asked may or may not have been
    /// done: look at the listing, or ask again.
    #[error("{}the coordinator died before it answered and is started again; ask again", about(*id))]
    Unavailable {
        /// The rotation it was about, if it was about one.
        id: Option<RotationId>,
    },
    /// The coordinator's actor died too often and is not started again by itself. The operator's
    /// task: see what it says of the cause, and restart the actor.
    #[error("the coordinator has failed: {why}; mend the cause, then restart the actor")]
    CoordinatorFailed {
        /// Why it died last.
        why: String,
    },
    /// The key's actor has failed, so that it is unknown what it holds. The operator's task: see what
    /// it says of the cause, and restart the actor; or declare the change with its old keys.
    #[error("key {key}: its actor has failed: {why}; restart it, or name the old keys")]
    KeyFailed {
        /// The key.
        key: KeyName,
        /// Why it died last.
        why: String,
    },
    /// No such actor is known.
    #[error("there is no actor `{actor}`; the status lists them")]
    UnknownActor {
        /// What was asked for.
        actor: String,
    },
    /// The actor has not failed, or is the actor of a worker: a worker of its name has to join.
    #[error("the actor `{actor}` has not failed, or lives again only when its worker joins")]
    NotFailed {
        /// Which actor.
        actor: String,
    },
    /// The manager is shut down or shutting down. The rotation goes on after the next start.
    #[error("{}the manager is shut down; it goes on after the next start", about(*id))]
    ShutDown {
        /// The rotation that was waited for.
        id: Option<RotationId>,
    },
    /// Callbacks failed under a strategy that raises. The report says which.
    #[error("rotation {}: it is {}: {}", report.id, report.state, failures(report))]
    Raised {
        /// What became of the rotation.
        report: Box<RotationReport>,
    },
    /// What the keeper in another process answered, or why it did not answer.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// Shutdown was called inside a callback, which would wait for itself.
    #[error("shutdown was called inside a callback; call it elsewhere")]
    InsideCallback,
    /// The process is a child of `fork()`, and keyward's threads are those of its parent. The program's
    /// fault: start keyward after the fork and not before it.
    #[error(
        "this process was forked from one that uses keyward, whose threads are not in it; start \
         keyward after the fork and not before, or exec"
    )]
    Forked,
    /// A blocking call (`block_on`) on a thread that must not block. Use `await` there.
    #[error("a blocking call on a thread of an actor or an async plug-in; use the async call")]
    MustNotBlock,
    /// What a late callback still asked through its handle was refused.
    #[error("the callback's time has passed, its handle answers no more")]
    HandleExpired,
}

debug_with_code!(RotationError);

fn names(workers: &[WorkerName]) -> String {
    let names: Vec<String> = workers.iter().map(WorkerName::to_string).collect();
    names.join(", ")
}

fn about(id: Option<RotationId>) -> String {
    id.map(|id| format!("rotation {id}: ")).unwrap_or_default()
}

fn failures(report: &RotationReport) -> String {
    let line = |step: &Step| {
        let error = step.error.as_deref().unwrap_or("failed");
        format!(
            "callback {} of worker {}: {error}",
            step.callback, step.worker
        )
    };
    let lines: Vec<String> = report.failed().map(line).collect();
    lines.join("; ")
}
