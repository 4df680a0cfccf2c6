//! What a key's actor is told.

use tokio::sync::oneshot;

use crate::actors::supervision::inbox::Message;
use crate::guard::foreign_call::Returned;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::{Admitted, Event, FetchFailure, FetchedKeys, Ticket};
use crate::key::facts::KeyFacts;
use crate::key::state::{RecordChange, Snapshot, StateChange};
use crate::key::time::Time;
use crate::rotation::id::RotationId;
use crate::secret::scrub::Scrubber;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

/// Where the answer to a request goes.
pub type KeyReply = oneshot::Sender<Result<Answer, KeyError>>;

/// Told once; dropped where there is no answer.
pub type Tell<T> = Box<dyn FnOnce(T) + Send>;

/// What a proposal comes to.
#[derive(Debug)]
pub struct Proposed {
    /// Whether the change changes the key's state.
    pub applies: bool,
    /// What becomes of the record.
    pub record: Option<RecordChange>,
}

/// What a key's actor is told.
pub enum KeyMessage {
    /// A request.
    Ask {
        /// What.
        ask: Admitted,
        /// Where the answer goes.
        reply: KeyReply,
    },
    /// Something happened that has no asker.
    Happened(Event),
    /// A fetch from the store ended.
    Fetched {
        /// Which one.
        fetch: u64,
        /// What the store answered.
        answer: Result<FetchedKeys, FetchFailure>,
        /// When its thread comes back, if that is still busy with it.
        still_running: Option<Returned>,
    },
    /// A rotation begins and wants to know what the key has.
    Snapshot {
        /// A ticket of the key's.
        ticket: Ticket,
        /// Told what it has.
        tell: Tell<Snapshot>,
    },
    /// A step wants to change the state.
    Propose {
        /// A ticket of the key's.
        ticket: Ticket,
        /// The change.
        change: StateChange,
        /// Told what becomes of the state.
        tell: Tell<Proposed>,
    },
    /// The repo did not answer a look: look again.
    LookLater {
        /// The ticket of the look.
        ticket: Ticket,
        /// Why.
        why: String,
    },
    /// Now is the time to look again.
    LookAgain {
        /// The ticket of the look.
        ticket: Ticket,
    },
    /// The keys of a rotation of the key begin so: no text may show them.
    Knows {
        /// The rotation.
        rotation: RotationId,
        /// The beginnings of its keys.
        beginnings: Vec<SecretKeyValue>,
    },
    /// A rotation of the key has ended, and its keys are gone.
    Forgets {
        /// The rotation.
        rotation: RotationId,
    },
    /// When did a plain get last have another version than the current one for writing?
    LastWritten(Tell<Option<Time>>),
    /// What does the key hold?
    Held(oneshot::Sender<Option<SecretKeyPair>>),
    /// What clears texts of the keys that the key knows, and of these values?
    Scrubber(Vec<SecretKeyValue>, oneshot::Sender<Scrubber>),
    /// What may an operator know?
    Inspect(oneshot::Sender<KeyFacts>),
    /// The manager shuts down: the end of the channel tells the askers so.
    Stop,
}

impl Message for KeyMessage {
    fn is_request(&self) -> bool {
        match self {
            Self::Ask { .. } | Self::Held(_) | Self::Scrubber(..) | Self::Inspect(_) => true,
            Self::Happened(_)
            | Self::Fetched { .. }
            | Self::Snapshot { .. }
            | Self::Propose { .. }
            | Self::LookLater { .. }
            | Self::LookAgain { .. }
            | Self::Knows { .. }
            | Self::LastWritten(_)
            | Self::Forgets { .. }
            | Self::Stop => false,
        }
    }
}
