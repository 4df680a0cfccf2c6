//! What the coordinator is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::admission::Permit;
use crate::actors::directory::NewKey;
use crate::actors::key_message::Proposed;
use crate::actors::overview::{FoundRotation, Listing, RotationHalves};
use crate::actors::supervision::inbox::Message;
use crate::journal::error::JournalError;
use crate::journal::load::LoadedJournal;
use crate::journal::secrets::RotationSecrets;
use crate::key::event::{Ticket, WriteFailure};
use crate::key::journal_down::JournalDown;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::Snapshot;
use crate::key::versions::held::VersionValues;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Declaration, Event, StepRef};
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyPair;
use crate::worker::callback::Callback;
use crate::worker::link::{WorkerEvent, WorkerLink};

/// What comes with a request, apart from what its event says.
pub enum With {
    /// Nothing.
    Nothing,
    /// The keys of a declared change.
    Secrets(RotationSecrets),
    /// The values of a key that gets versions.
    Values(VersionValues),
    /// The keys that are being defined.
    Keys(Vec<NewKey>),
    /// A callback that is being registered.
    Callback(Callback),
    /// The way to an instance of another process that joins or returns.
    Link(Arc<dyn WorkerLink>),
}

/// What is asked for.
pub struct CoordinatorRequest {
    /// Makes the event.
    pub make: Box<dyn FnOnce(Ticket) -> Event + Send>,
    /// What comes with it.
    pub with: With,
}

/// A request on its way. A caller that waits no more takes it back, so that nothing of it is kept,
/// wherever it lies.
#[derive(Clone)]
pub struct Cancellable(Arc<Mutex<Option<CoordinatorRequest>>>);

impl Cancellable {
    /// A request that sets out.
    pub fn new(request: CoordinatorRequest) -> Self {
        Self(Arc::new(Mutex::new(Some(request))))
    }

    /// Takes the request out, if it is still there.
    pub fn take(&self) -> Option<CoordinatorRequest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What came of reading the keys of a rotation.
pub enum FoundKeys {
    /// These; none where it has ended.
    Found(Option<RotationSecrets>),
    /// They cannot be read.
    Unreadable(String),
    /// The repo does not answer.
    Unavailable(JournalDown),
}

impl From<Result<Option<RotationSecrets>, JournalError>> for FoundKeys {
    fn from(found: Result<Option<RotationSecrets>, JournalError>) -> Self {
        match found {
            Ok(found) => Self::Found(found),
            Err(error @ JournalError::Unreadable { .. }) => Self::Unreadable(error.to_string()),
            Err(error) => Self::Unavailable((&error).into()),
        }
    }
}

/// A call that catches an instance up.
pub struct CatchUp {
    /// Its worker.
    pub worker: WorkerName,
    /// Its number.
    pub life: u64,
    /// The step that it has missed.
    pub step: StepRef,
    /// That step's attempt.
    pub attempt: u32,
    /// The key.
    pub key: KeyName,
    /// The callback.
    pub callback: CallbackName,
}

/// What the coordinator is told.
pub enum CoordinatorMessage {
    /// A request.
    Ticket {
        /// What is asked for.
        request: Cancellable,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Reply, RotationError>>,
        /// Its permit in the inbox.
        permit: Permit,
    },
    /// An event without a request.
    Happened(Box<Event>),
    /// The old keys of a declaration were looked for.
    OldFound {
        /// The request.
        ticket: Ticket,
        /// The declaration.
        declaration: Box<Declaration>,
        /// The keys, if there are any.
        found: Result<Option<SecretKeyPair>, RotationError>,
    },
    /// What a key has as a rotation of it begins.
    Snapped {
        /// The rotation.
        rotation: RotationId,
        /// What the key has.
        snapshot: Snapshot,
    },
    /// The keys of a rotation were read, or could not be.
    Keys {
        /// The rotation.
        rotation: RotationId,
        /// What was found.
        found: FoundKeys,
    },
    /// It is time to read the keys of a rotation again.
    ReadKeys {
        /// The rotation.
        rotation: RotationId,
    },
    /// It is time to catch an instance up whose keys the repo did not answer.
    CatchUp(CatchUp),
    /// What becomes of a key's state with a step.
    Proposed {
        /// The step.
        step: StepRef,
        /// The proposal: one that was withdrawn meanwhile counts no more.
        ticket: Ticket,
        /// What becomes of the state.
        proposed: Proposed,
    },
    /// What a worker says.
    Worker(WorkerEvent),
    /// The batch under way ended.
    Written {
        /// Its number.
        number: u64,
        /// Whether it was made.
        result: Result<(), WriteFailure>,
    },
    /// Another write failed, and it is unknown whether it was made; or the journal is lost.
    InDoubt(JournalDown),
    /// The journal was read anew: whether the batch in doubt was made, and what the journal has.
    Reread(Result<(bool, Box<LoadedJournal>), JournalDown>),
    /// A listing for an operator.
    List(Box<Listing>),
    /// An operator takes the keys of a rotation that still holds them.
    Recover {
        /// The rotation.
        id: RotationId,
        /// Where the answer goes.
        reply: oneshot::Sender<Option<RotationSecrets>>,
        /// Its permit.
        permit: Permit,
    },
    /// A look for one rotation that has not ended.
    Find {
        /// The rotation.
        id: RotationId,
        /// Where the answer goes.
        reply: oneshot::Sender<FoundRotation>,
        /// Its permit.
        permit: Permit,
    },
    /// A request for the back halves of a key's rotations.
    Halves {
        /// The key.
        key: KeyName,
        /// Where the answer goes.
        reply: oneshot::Sender<RotationHalves>,
        /// Its permit.
        permit: Permit,
    },
    /// The manager shuts down.
    Close {
        /// How long running callbacks may go on.
        grace: Duration,
        /// Dropped when everything is durable.
        reply: oneshot::Sender<()>,
    },
}

impl Message for CoordinatorMessage {
    fn is_request(&self) -> bool {
        match self {
            Self::Ticket { .. }
            | Self::List(_)
            | Self::Recover { .. }
            | Self::Find { .. }
            | Self::Halves { .. }
            | Self::Close { .. } => true,
            Self::Happened(_)
            | Self::OldFound { .. }
            | Self::Snapped { .. }
            | Self::Keys { .. }
            | Self::ReadKeys { .. }
            | Self::CatchUp(_)
            | Self::Proposed { .. }
            | Self::Worker(_)
            | Self::Written { .. }
            | Self::InDoubt(_)
            | Self::Reread(_) => false,
        }
    }
}
