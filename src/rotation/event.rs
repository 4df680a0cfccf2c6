//! What can happen to the coordinator.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::declared::{Declared, HalfPrints};
use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::Effect;
use crate::key::time::Time;
use crate::rotation::durable::DurableFacts;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;

/// The time of an event: monotonic for limits, wall clock for the listing only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    /// The monotonic time.
    pub time: Time,
    /// Milliseconds since 1970.
    pub wall_ms: u64,
}

/// A change as it is declared; its keys stay with the shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Declaration {
    /// The id, the caller's or a new one.
    pub id: RotationId,
    /// Whether the caller chose the id: then it may have been used before.
    pub chosen: bool,
    /// The key that changes.
    pub key: KeyName,
    /// The fingerprints of what was declared. What a store is still to be asked for is none.
    pub declared: Declared,
    /// Where its old keys come from.
    pub old: OldKeys,
    /// Whether a store is still to be asked for its new keys.
    pub new_unasked: bool,
    /// A random id for the record of the old keys, if there are any.
    pub old_keys: Option<u128>,
    /// A random id for the record of the new keys, if there are any.
    pub new_keys: Option<u128>,
}

/// Where the old keys of a declaration come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OldKeys {
    /// The caller gave them.
    #[default]
    Given,
    /// The caller said nothing: they are the new keys of the rotation of the key that was declared
    /// last, if it waits or runs and has some, else what the key holds.
    Undeclared,
    /// Of the key's store, which has not been asked; while a rotation of the key waits or runs, they
    /// are the new keys of that one.
    OfStore,
    /// Of the key's store, which has answered them.
    Asked,
}

/// An ended rotation's identity, as the history has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndedRotation {
    /// Its key.
    pub key: KeyName,
    /// What was declared.
    pub declared: Declared,
}

/// A callback that is called: which rotation, step and attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepRef {
    /// The rotation.
    pub rotation: RotationId,
    /// The step's number.
    pub step: u32,
}

/// How a callback ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// It did its work.
    Done {
        /// What it did to the data.
        effect: Effect,
        /// Whether it staged changes of the key's state; they stay with the shell.
        staged: bool,
    },
    /// It failed.
    Failed {
        /// Why, scrubbed.
        error: String,
    },
    /// It began, and what ran it is gone without an answer: its process, or what awaited its end in
    /// this one. It is to be called again, and that counts as a crash.
    Lost,
}

/// What the journal has, and what of it is under way in this process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recovery {
    /// What is durable.
    pub facts: DurableFacts,
    /// The callbacks under way, with their attempts.
    pub running: BTreeMap<StepRef, u32>,
    /// How callbacks ended of which that is not durable, with their attempts.
    pub results: BTreeMap<StepRef, (u32, StepOutcome)>,
}

/// What a callback waits for that is due and has its worker here, before it can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lacks {
    /// An earlier call of the worker's callbacks for the key to return.
    Turn,
    /// A thread.
    Thread,
}

/// What can happen to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A key is defined in this life.
    Define {
        /// The request to answer.
        ticket: Ticket,
        /// The key.
        key: KeyName,
        /// How it behaves.
        behaviour: KeyBehaviour,
    },
    /// A worker joins.
    Join {
        /// The request to answer.
        ticket: Ticket,
        /// Its name.
        worker: WorkerName,
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
    },
    /// An operator aborts a rotation.
    Abort {
        /// The request to answer.
        ticket: Ticket,
        /// Which.
        id: RotationId,
        /// The workers of which unfinished steps are given up.
        confirmed: BTreeSet<WorkerName>,
    },
    /// An operator dismisses an unreadable rotation.
    Dismiss {
        /// The request to answer.
        ticket: Ticket,
        /// Which.
        id: RotationId,
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
    /// The request to answer, if the event is one.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Define { ticket, .. }
            | Self::Join { ticket, .. }
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
            | Self::Snapped { .. }
            | Self::Prepared { .. }
            | Self::Lacks { .. }
            | Self::Ended { .. }
            | Self::Uncalled { .. }
            | Self::Proposed { .. }
            | Self::Paused { .. }
            | Self::Recovered(_)
            | Self::Close
            | Self::Interrupt
            | Self::Tick => None,
        }
    }
}
