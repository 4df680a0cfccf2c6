//! What can happen to the coordinator.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::declared::HalfPrints;
use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::time::Time;
use crate::key::versions::id::VersionId;
use crate::key::versions::table::FirstVersion;
use crate::rotation::act::By;
use crate::rotation::durable::DurableFacts;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, InstanceEvent, Process, Sharing};

pub use crate::rotation::declaration::{Declaration, DeclaredVersion, EndedRotation, OldKeys};
pub use crate::rotation::outcome::{Lacks, StepOutcome, StepRef};

/// The time of an event: monotonic for limits, wall clock for the listing only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The monotonic time.
    pub time: Time,
    /// Milliseconds since 1970.
    pub wall_ms: u64,
}

/// What the journal has, and what of it is under way in this process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// What is durable.
    pub facts: DurableFacts,
    /// The callbacks under way, with their attempts.
    pub running: BTreeMap<StepRef, u32>,
    /// The ends of callbacks that are not durable, with their attempts.
    pub results: BTreeMap<StepRef, (u32, StepOutcome)>,
}

/// What can happen to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Keys are defined in this life: all of them, or none.
    Define {
        /// The request to answer.
        ticket: Ticket,
        /// Each key and how it behaves.
        keys: Vec<(KeyName, KeyBehaviour)>,
    },
    /// Which of these keys have no versions yet?
    LookForVersions {
        /// The request to answer.
        ticket: Ticket,
        /// The keys.
        keys: Vec<KeyName>,
    },
    /// A key gets versions.
    BeginVersions {
        /// The request to answer; the shell has the values.
        ticket: Ticket,
        /// The key.
        key: KeyName,
        /// What it begins with.
        first: FirstVersion,
    },
    /// A worker joins.
    Join {
        /// The request to answer.
        ticket: Ticket,
        /// Its name.
        worker: WorkerName,
        /// How many processes may have its name.
        sharing: Sharing,
        /// The process that joins; none for the keeper's own.
        process: Option<Process>,
    },
    /// An instance that was not connected is again.
    Return {
        /// The request to answer.
        ticket: Ticket,
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
        /// The process that says so.
        process: Process,
        /// The calls, with their attempts, that it has: they run, or have ended.
        has: BTreeSet<(StepRef, u32)>,
    },
    /// An instance of another process has registered all of its callbacks.
    Ready {
        /// The request to answer.
        ticket: Ticket,
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
    },
    /// An operator removes an instance of another process.
    RemoveInstance {
        /// The request to answer.
        ticket: Ticket,
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
        /// By whom, and why.
        by: By,
    },
    /// Something happens at an instance of another process.
    Instance {
        /// Its worker.
        worker: WorkerName,
        /// Its number.
        number: u64,
        /// What.
        event: InstanceEvent,
    },
    /// A worker's handle is gone.
    Died {
        /// Its name.
        worker: WorkerName,
        /// The worker's incarnation.
        incarnation: u64,
    },
    /// A worker leaves, or an operator removes it.
    Leave {
        /// The request to answer.
        ticket: Ticket,
        /// Its name.
        worker: WorkerName,
        /// The incarnation that leaves; none for an operator's removal.
        incarnation: Option<u64>,
        /// By whom an operator has it removed, and why.
        by: By,
    },
    /// An operator removes a callback for good.
    RemoveCallback {
        /// The request to answer.
        ticket: Ticket,
        /// The worker.
        worker: WorkerName,
        /// The key.
        key: KeyName,
        /// Its name.
        callback: CallbackName,
        /// By whom, and why.
        by: By,
    },
    /// A worker registers a callback.
    Register {
        /// The request to answer.
        ticket: Ticket,
        /// The worker.
        worker: WorkerName,
        /// The worker's incarnation.
        incarnation: u64,
        /// The key.
        key: KeyName,
        /// Its name.
        callback: CallbackName,
        /// What it changes.
        of: CallbackOf,
    },
    /// A change is declared.
    Declare {
        /// The request to answer.
        ticket: Ticket,
        /// The declaration.
        declaration: Declaration,
    },
    /// The history was searched for a declaration's id.
    Searched {
        /// The request to answer.
        ticket: Ticket,
        /// The declaration.
        declaration: Declaration,
        /// What has that id.
        found: Result<Option<EndedRotation>, JournalDown>,
    },
    /// The old keys of a declaration that did not give them were looked for.
    OldFound {
        /// The request to answer.
        ticket: Ticket,
        /// The declaration, with the id of their record if there are any.
        declaration: Declaration,
        /// Their fingerprints, if there are any.
        found: Result<Option<HalfPrints>, RotationError>,
    },
    /// An asker waits for a rotation to settle.
    Wait {
        /// The request to answer.
        ticket: Ticket,
        /// Which.
        id: RotationId,
    },
    /// An asker does not wait any more.
    Gone {
        /// Its request.
        ticket: Ticket,
    },
    /// An operator resumes a rotation.
    Resume {
        /// The request to answer.
        ticket: Ticket,
        /// Which.
        id: RotationId,
        /// By whom, and why.
        by: By,
    },
    /// An operator aborts a rotation.
    Abort {
        /// The request to answer.
        ticket: Ticket,
        /// Which.
        id: RotationId,
        /// The workers with unfinished steps that are given up.
        confirmed: BTreeSet<WorkerName>,
        /// By whom, and why.
        by: By,
    },
    /// An operator dismisses an unreadable rotation.
    Dismiss {
        /// The request to answer.
        ticket: Ticket,
        /// Which.
        id: RotationId,
        /// By whom, and why.
        by: By,
    },
    /// The key told what it has, for a rotation that begins.
    Snapped {
        /// Which.
        rotation: RotationId,
    },
    /// A callback can be called: its thread is there and nothing else of it runs.
    Prepared {
        /// Which.
        step: StepRef,
    },
    /// A callback that is due cannot be called yet.
    Lacks {
        /// Which.
        step: StepRef,
        /// What it waits for.
        lacks: Lacks,
    },
    /// A callback ended.
    Ended {
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// How.
        outcome: StepOutcome,
    },
    /// A callback that was to be called was not, because its worker's actor died before it.
    Uncalled {
        /// Which.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
    },
    /// The key has taken a step's change into account.
    Proposed {
        /// Which.
        step: StepRef,
        /// Whether the change changes the key's state.
        applies: bool,
    },
    /// A key says when a plain get last had another version than the current one for writing.
    LastWritten {
        /// The rotation that has turned.
        rotation: RotationId,
        /// The number of the question.
        asked: u64,
        /// When, if one had in this life.
        last: Option<Time>,
    },
    /// A worker gets a version of a key for writing. The key is told when that is durable.
    HandOut {
        /// The key.
        key: KeyName,
        /// The version.
        version: VersionId,
        /// The worker.
        worker: WorkerName,
    },
    /// Nothing can be made durable until the journal was read anew, or ever.
    Paused {
        /// Why.
        why: JournalDown,
    },
    /// The journal was read anew, in the same life of the process.
    Recovered(Box<Recovery>),
    /// No more is admitted; what runs may end.
    Close,
    /// What still runs goes back to Pending.
    Interrupt,
    /// Time has passed.
    Tick,
}

impl Event {
    /// Whether it is told once, by an instance of another process or of it, and has to become durable. What
    /// an operator says of one is so whatever becomes of the write.
    pub fn is_told_once(&self) -> bool {
        if let Self::Instance { event, .. } = self {
            return event.is_told_once();
        }
        matches!(self, Self::RemoveInstance { .. })
    }

    /// Whether the name of a worker may be free after it that was taken before.
    pub fn may_free_a_name(&self) -> bool {
        if let Self::Instance { event, .. } = self {
            return event.may_free_a_name();
        }
        matches!(
            self,
            Self::Died { .. }
                | Self::Leave { .. }
                | Self::RemoveInstance { .. }
                | Self::Recovered(_)
                | Self::Tick
        )
    }

    /// The step whose end an instance of another process tells.
    pub fn ended_step(&self) -> Option<StepRef> {
        let Self::Instance { event, .. } = self else {
            return None;
        };
        if let InstanceEvent::Ended { step, .. } = event {
            return Some(*step);
        }
        None
    }

    /// The request to answer, if the event is one.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Define { ticket, .. }
            | Self::LookForVersions { ticket, .. }
            | Self::BeginVersions { ticket, .. }
            | Self::Join { ticket, .. }
            | Self::Return { ticket, .. }
            | Self::Ready { ticket, .. }
            | Self::RemoveInstance { ticket, .. }
            | Self::Leave { ticket, .. }
            | Self::RemoveCallback { ticket, .. }
            | Self::Register { ticket, .. }
            | Self::Declare { ticket, .. }
            | Self::Searched { ticket, .. }
            | Self::OldFound { ticket, .. }
            | Self::Wait { ticket, .. }
            | Self::Resume { ticket, .. }
            | Self::Abort { ticket, .. }
            | Self::Dismiss { ticket, .. } => Some(*ticket),
            Self::Gone { .. }
            | Self::Died { .. }
            | Self::Instance { .. }
            | Self::Snapped { .. }
            | Self::Prepared { .. }
            | Self::Lacks { .. }
            | Self::Ended { .. }
            | Self::Uncalled { .. }
            | Self::Proposed { .. }
            | Self::LastWritten { .. }
            | Self::HandOut { .. }
            | Self::Paused { .. }
            | Self::Recovered(_)
            | Self::Close
            | Self::Interrupt
            | Self::Tick => None,
        }
    }
}
