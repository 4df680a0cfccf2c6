//! What the coordinator is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::admission::Place;
use crate::actors::candidates::RotationHalves;
use crate::actors::directory::NewKey;
use crate::actors::key_message::Proposed;
use crate::actors::overview::Listing;
use crate::actors::rotation_keys::FoundKeys;
use crate::actors::supervision::inbox::Message;
use crate::journal::load::{LoadedJournal, RotationSecrets};
use crate::key::event::{Ticket, WriteFailure};
use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::key::state::Snapshot;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Declaration, Event, StepRef};
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyPair;
use crate::worker::callback::Callback;
use crate::worker::link::WorkerEvent;

/// What comes with a request, apart from what its event says.
pub enum With {
    /// Nothing.
    Nothing,
    /// The keys of a declared change.
    Secrets(RotationSecrets),
    /// A key that is being defined.
    Key(Box<NewKey>),
    /// A callback that is being registered.
    Callback(Callback),
}

/// What is asked for.
pub struct Request {
    /// Makes the event.
    pub make: Box<dyn FnOnce(Ask) -> Event + Send>,
    /// What comes with it.
    pub with: With,
}

/// A request on its way. Whoever asked takes it back when they do not wait any more, so that nothing of
/// it is kept for nobody, wherever it lies.
#[derive(Clone)]
pub struct Parcel(Arc<Mutex<Option<Request>>>);

impl Parcel {
    /// A request that sets out.
    pub fn new(request: Request) -> Self {
        Self(Arc::new(Mutex::new(Some(request))))
    }

    /// Takes the request out, if it is still there.
    pub fn take(&self) -> Option<Request> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the coordinator is told.
pub enum CoordinatorMessage {
    /// Somebody asks.
    Ask {
        /// For what.
        request: Parcel,
        /// Whom to answer.
        reply: oneshot::Sender<Result<Reply, RotationError>>,
        /// Its place in the inbox.
        mail: Place,
    },
    /// Something happened that nobody waits for.
    Happened(Box<Event>),
    /// The old keys of a declaration were looked for.
    OldFound {
        /// Whom to answer.
        ask: Ask,
        /// The declaration.
        declaration: Box<Declaration>,
        /// The keys, if there are any.
        found: Result<Option<SecretKeyPair>, RotationError>,
    },
    /// A key told what it has.
    Snapped {
        /// For which rotation.
        rotation: RotationId,
        /// What it has.
        snapshot: Snapshot,
    },
    /// The keys of a rotation were read, or could not be.
    Keys {
        /// Of which.
        rotation: RotationId,
        /// What was found.
        found: FoundKeys,
    },
    /// It is time to read the keys of a rotation again.
    ReadKeys {
        /// Of which.
        rotation: RotationId,
    },
    /// A key told what becomes of its state.
    Proposed {
        /// For which step.
        step: StepRef,
        /// Which proposal: one that was withdrawn meanwhile counts no more.
        ticket: Ticket,
        /// What it told.
        proposed: Proposed,
    },
    /// A worker told something.
    Worker(WorkerEvent),
    /// The batch under way ended.
    Written {
        /// Its number.
        number: u64,
        /// How.
        result: Result<(), WriteFailure>,
    },
    /// Somebody else's write failed, and it is unknown whether it was made; or the journal is lost.
    InDoubt(JournalDown),
    /// The journal was read anew: what it has, and whether the batch was made of which that was
    /// unknown.
    Reread(Result<(bool, Box<LoadedJournal>), JournalDown>),
    /// What may an operator know?
    List(Box<Listing>),
    /// An operator takes the keys of a rotation that still holds them.
    Recover {
        /// Which.
        id: RotationId,
        /// Whom to answer.
        reply: oneshot::Sender<Option<RotationSecrets>>,
        /// Its place.
        place: Place,
    },
    /// Which back halves do the rotations of a key have?
    Halves {
        /// Which key.
        key: KeyName,
        /// Whom to answer.
        reply: oneshot::Sender<RotationHalves>,
        /// Its place.
        place: Place,
    },
    /// The manager shuts down.
    Close {
        /// How long running callbacks may go on.
        grace: Duration,
        /// Whom to tell when everything is durable.
        reply: oneshot::Sender<()>,
    },
}

impl Message for CoordinatorMessage {
    fn is_request(&self) -> bool {
        match self {
            Self::Ask { .. }
            | Self::List(_)
            | Self::Recover { .. }
            | Self::Halves { .. }
            | Self::Close { .. } => true,
            Self::Happened(_)
            | Self::OldFound { .. }
            | Self::Snapped { .. }
            | Self::Keys { .. }
            | Self::ReadKeys { .. }
            | Self::Proposed { .. }
            | Self::Worker(_)
            | Self::Written { .. }
            | Self::InDoubt(_)
            | Self::Reread(_) => false,
        }
    }
}
