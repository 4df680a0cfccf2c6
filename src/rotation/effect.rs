//! What the coordinator's machine wants done, and what askers are told.

use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::fact::VersionFact;
use crate::key::versions::table::VersionTable;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Declaration, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::report::{RotationReport, WaitsFor};

pub use crate::rotation::fact::Fact;
pub use crate::rotation::reply::Reply;

/// What the machine wants done. Effects that name a write are performed when it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RotationEffect {
    /// Make these facts durable, as one batch, in the order of the numbers.
    Write {
        /// The write's number.
        no: u64,
        /// The facts.
        facts: Vec<Fact>,
    },
    /// The key is defined. Nothing of this life's definitions is durable, so that this waits for no
    /// write.
    Defined {
        /// The request; the shell has its definition.
        ticket: Ticket,
        /// The key.
        key: KeyName,
    },
    /// The worker is on the roster and here: start its actor.
    Joined {
        /// The write that must be durable first.
        after: u64,
        /// Its name.
        worker: WorkerName,
        /// Its incarnation.
        incarnation: u64,
    },
    /// An instance of another process is on the roster, and connected: the link that came with its request
    /// is the way to it.
    Connected {
        /// The write that must be durable first.
        after: u64,
        /// The request; the shell has its link.
        ticket: Ticket,
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
    },
    /// An instance of another process is gone: nothing is asked of it any more.
    Gone {
        /// The write that must be durable first.
        after: u64,
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
    },
    /// The worker has this callback from now on. It may be prepared before it is durable; it is not
    /// called before.
    Registered {
        /// The request; the shell has its callback.
        ticket: Ticket,
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// The callback's name.
        callback: CallbackName,
    },
    /// The worker is off the roster for good: end its actor.
    Left {
        /// The write that must be durable first.
        after: u64,
        /// Its name.
        worker: WorkerName,
    },
    /// The callback is off the roster for good. One that was registered again since stays.
    Removed {
        /// The write that must be durable first.
        after: u64,
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// The callback's name.
        callback: CallbackName,
    },
    /// The declaration is accepted: the keys that came with it are this rotation's. The write of their
    /// record follows, so that this waits for none.
    Accepted {
        /// The request; the shell has its keys.
        ticket: Ticket,
        /// The rotation.
        id: RotationId,
        /// Its key.
        key: KeyName,
    },
    /// Tell an asker.
    Reply {
        /// The write that must be durable first.
        after: u64,
        /// The request.
        ticket: Ticket,
        /// What.
        reply: Result<Reply, RotationError>,
    },
    /// Search the history for a declaration's id; the end comes back as `Searched`.
    Search {
        /// The write that must be durable first: an ended rotation may be on its way there.
        after: u64,
        /// The request to answer.
        ticket: Ticket,
        /// The declaration.
        declaration: Declaration,
    },
    /// Look for the old keys of a declaration that did not give them; the end comes back as
    /// `OldFound`.
    FindOld {
        /// The write that must be durable first: the key may be about to adopt what it holds.
        after: u64,
        /// The request to answer.
        ticket: Ticket,
        /// The declaration.
        declaration: Declaration,
        /// They are the new keys of this rotation; if none, what the key holds.
        of: Option<RotationId>,
    },
    /// Ask the key what it has; the end comes back as `Snapped`.
    Snapshot {
        /// The rotation that begins.
        rotation: RotationId,
        /// The key.
        key: KeyName,
    },
    /// Get ready to call a callback; the end comes back as `Prepared`.
    Prepare {
        /// Which.
        step: StepRef,
        /// The key.
        key: KeyName,
        /// The worker.
        worker: WorkerName,
        /// The worker's incarnation.
        incarnation: u64,
        /// Its name.
        callback: CallbackName,
        /// Whether it is not due yet: then nothing is taken for it that others may need. When it is
        /// due before it is ready, it is prepared once more, and that counts.
        ahead: bool,
    },
    /// Give up what was prepared.
    Release {
        /// Which.
        step: StepRef,
    },
    /// Call a callback; the end comes back as `Ended`.
    Call {
        /// The write that must be durable first: its InProgress.
        after: u64,
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// The key.
        key: KeyName,
    },
    /// Give a call to an instance of another process. Its end comes back as an event of the instance.
    Give {
        /// The write that must be durable first: its InProgress, and that the instance has it.
        after: u64,
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// The key.
        key: KeyName,
        /// The worker.
        worker: WorkerName,
        /// The number of the instance.
        number: u64,
        /// The callback's name.
        callback: CallbackName,
    },
    /// Tell an instance of another process that how a call ended is durable, or counts no more.
    Heard {
        /// The write that must be durable first.
        after: u64,
        /// The worker.
        worker: WorkerName,
        /// The number of the instance.
        number: u64,
        /// Which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
    },
    /// Call a callback of memory for a step that has Succeeded before its instance registered it. The end
    /// comes back as `CaughtUp`.
    CatchUp {
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// The key.
        key: KeyName,
        /// The worker.
        worker: WorkerName,
        /// Its incarnation, or the number of its instance.
        life: u64,
        /// The callback's name.
        callback: CallbackName,
    },
    /// A callback of memory is not caught up: tell operators.
    LeftOut {
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// The callback's name.
        callback: CallbackName,
        /// How many processes in a row ended in it.
        ends: u32,
    },
    /// Let the key take a step's change into account; the end comes back as `Proposed`.
    Propose {
        /// Which.
        step: StepRef,
        /// The key.
        key: KeyName,
        /// Whether a rotation declared later has had an effect.
        overtaken: bool,
        /// Whether the rotation was resumed.
        resumed: bool,
    },
    /// What a step proposed to its key is not made.
    Withdraw {
        /// Which.
        step: StepRef,
    },
    /// Let the key adopt what it proposed.
    Adopt {
        /// The write that must be durable first: the step's Succeeded.
        after: u64,
        /// Which.
        step: StepRef,
        /// The key.
        key: KeyName,
    },
    /// A key gets versions: the values that came with the request are theirs. The write of their records follows, so
    /// that this waits for none.
    TakeValues {
        /// The request; the shell has its values.
        ticket: Ticket,
    },
    /// The versions of a key have changed so: tell the key.
    VersionsChanged {
        /// The write that must be durable first.
        after: u64,
        /// The key.
        key: KeyName,
        /// What has changed.
        facts: Vec<VersionFact>,
    },
    /// These are the versions of a key: tell the key, which may have others.
    Versions {
        /// The write that must be durable first.
        after: u64,
        /// The key.
        key: KeyName,
        /// Its versions; in words why they cannot be read.
        table: Box<Result<VersionTable, String>>,
    },
    /// Ask a key when a plain get last had another version than the current one for writing; the answer comes
    /// back as `LastWritten`.
    AskLastWritten {
        /// The write that must be durable first: the turn.
        after: u64,
        /// The rotation that has turned.
        rotation: RotationId,
        /// The key.
        key: KeyName,
        /// The number of the question.
        asked: u64,
    },
    /// Let the end of a rotation supersede what the key holds.
    Supersede {
        /// The write that must be durable first.
        after: u64,
        /// The rotation.
        rotation: RotationId,
        /// The key.
        key: KeyName,
        /// Whether only a pair equal to the rotation's old keys is superseded.
        only_old: bool,
    },
    /// Tell the key that a rotation stopped, and may be resumed.
    Stopped {
        /// The write that must be durable first.
        after: u64,
        /// The rotation.
        rotation: RotationId,
        /// The key.
        key: KeyName,
    },
    /// A step has waited long: tell operators.
    Waits {
        /// The rotation.
        rotation: RotationId,
        /// Its key.
        key: KeyName,
        /// What the step waits for.
        waits_for: WaitsFor,
    },
    /// A rotation settled: note it where operators look.
    Settled {
        /// The write that must be durable first.
        after: u64,
        /// What became of it.
        report: Box<RotationReport>,
    },
}

impl RotationEffect {
    /// The write that must be durable before this is performed; none where it may be at once.
    pub fn after(&self) -> Option<u64> {
        match self {
            Self::Joined { after, .. }
            | Self::Connected { after, .. }
            | Self::Gone { after, .. }
            | Self::Give { after, .. }
            | Self::Heard { after, .. }
            | Self::Left { after, .. }
            | Self::Removed { after, .. }
            | Self::Reply { after, .. }
            | Self::Search { after, .. }
            | Self::FindOld { after, .. }
            | Self::Call { after, .. }
            | Self::Adopt { after, .. }
            | Self::VersionsChanged { after, .. }
            | Self::Versions { after, .. }
            | Self::AskLastWritten { after, .. }
            | Self::Supersede { after, .. }
            | Self::Stopped { after, .. }
            | Self::Settled { after, .. } => Some(*after),
            Self::Write { .. }
            | Self::Defined { .. }
            | Self::Registered { .. }
            | Self::CatchUp { .. }
            | Self::LeftOut { .. }
            | Self::Accepted { .. }
            | Self::TakeValues { .. }
            | Self::Snapshot { .. }
            | Self::Prepare { .. }
            | Self::Release { .. }
            | Self::Propose { .. }
            | Self::Withdraw { .. }
            | Self::Waits { .. } => None,
        }
    }
}
