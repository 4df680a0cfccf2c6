//! What the key's machine wants done.

use crate::key::error::KeyError;
use crate::key::event::{FetchedKeys, Ticket};
use crate::key::flow::SecretKeyFlow;
use crate::key::name::WorkerName;
use crate::key::state::{RecordChange, Snapshot};
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::secret::value::SecretKeyValue;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The half of the pair that the flow gets.
    Key {
        /// The value.
        value: SecretKeyValue,
        /// The flow that it was answered on.
        flow: SecretKeyFlow,
    },
    /// A half of a version.
    Version {
        /// The value.
        value: SecretKeyValue,
        /// The flow that it was answered on.
        flow: SecretKeyFlow,
        /// The version.
        id: VersionId,
        /// Its number.
        number: u64,
    },
    /// What may be shown of the versions, the newest first.
    Versions(Vec<VersionListing>),
    /// Every back half that data may be under, the likeliest first; one may be there twice.
    Candidates(Vec<SecretKeyValue>),
    /// What the store answered.
    OfStore(FetchedKeys),
    /// The record is durable, or there was nothing to write.
    Saved,
    /// What a staged save asked of the store, if it had to.
    Staged {
        /// The back half.
        asked: Option<SecretKeyValue>,
    },
}

/// What the key's machine wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyEffect {
    /// Ask the store; the end comes back as `Fetched`.
    Fetch {
        /// Which fetch.
        fetch: u64,
    },
    /// No request waits for the fetch that is under way: if the store has not been asked yet, it need not
    /// be. The end comes back as `Fetched` all the same.
    GiveUpFetch,
    /// Load the record for a request; the end comes back as `Loaded`.
    Load {
        /// The request that it is for.
        ticket: Ticket,
    },
    /// Look at the record, which is no load; the end comes back as `Looked`.
    Look {
        /// The request that it is for.
        ticket: Ticket,
    },
    /// Write the record; the end comes back as `Saved`. The order of these is the records' order.
    Write {
        /// The request; none where the machine corrects a record by itself.
        ticket: Option<Ticket>,
        /// What to write.
        change: RecordChange,
    },
    /// A worker is to be handed a version for writing: have it owe the worker. The end comes back as
    /// `VersionsChanged`.
    Owe {
        /// The version.
        version: VersionId,
        /// The worker.
        worker: WorkerName,
    },
    /// A record that no request waits for could not be written: after a while, tell `WriteAgain`.
    WriteLater,
    /// Tell the operator: the store answers neither the old nor the new keys of the change that was
    /// declared last. Once for each declaration.
    WarnOfStore {
        /// Whether that change has old keys: if not, it may be these that the store answers.
        has_old: bool,
    },
    /// Answer an asker.
    Answer {
        /// The request.
        ticket: Ticket,
        /// What.
        answer: Result<Answer, KeyError>,
    },
    /// Answer a rotation that begins to run.
    Snapped {
        /// The request.
        ticket: Ticket,
        /// What the key has.
        snapshot: Snapshot,
    },
    /// Answer a proposal with what becomes of the record, if anything does.
    Proposed {
        /// The request.
        ticket: Ticket,
        /// Whether the change changes the state: an overtaken one does not.
        applies: bool,
        /// The record's change.
        record: Option<RecordChange>,
    },
}
