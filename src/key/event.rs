//! What can happen to a key.

use crate::key::declared::{Declared, HalfPrints};
use crate::key::flow::SecretKeyFlow;
use crate::key::journal_down::JournalDown;
use crate::key::name::WorkerName;
use crate::key::state::{Loaded, RecordChange, Staged, StateChange};
use crate::key::time::Time;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::held::{HeldVersions, VersionValues};
use crate::key::versions::id::VersionId;
use crate::secret::value::{InvalidKey, SecretKeyPair, SecretKeys};

/// The number of a request; the shell knows its asker.
pub type Ticket = u64;

/// What is asked of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The key, on a flow or on the one that the key finds by itself.
    Get {
        /// The flow, if the asker names one.
        flow: Option<SecretKeyFlow>,
    },
    /// The current version, for a worker to write with. Of a key that has versions.
    Current {
        /// The worker.
        worker: WorkerName,
    },
    /// The back half of a version.
    Version {
        /// Which.
        id: VersionId,
    },
    /// What may be shown of the versions.
    Versions,
    /// Every back half that data may be under, as far as the key knows. It changes nothing.
    Candidates,
    /// What its store answers now. It changes nothing.
    AskStore,
    /// Write the state's record.
    Save,
    /// From a callback's handle: what a save would have to ask of the store, after these changes.
    StageSave {
        /// What the callback staged before.
        staged: Vec<Staged>,
    },
}

/// A request that has been admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The request to answer.
    pub ticket: Ticket,
    /// What is asked.
    pub request: Request,
    /// When it must have been answered.
    pub deadline: Time,
}

/// How a fetch from the store failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFailure {
    /// The store failed; its scrubbed words.
    Failed {
        /// Why.
        why: String,
    },
    /// The store answered what no key can be.
    Invalid(InvalidKey),
}

/// How a write to the repo failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WriteFailure {
    /// Why.
    pub why: JournalDown,
    /// Whether it is unknown if the write was made; else it was not.
    pub unknown: bool,
}

/// What a store answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedKeys {
    /// The keys.
    pub keys: SecretKeys,
    /// Their fingerprints.
    pub prints: HalfPrints,
}

/// What came of a fetch.
pub type FetchAnswer = Result<FetchedKeys, FetchFailure>;

/// Which held pair the end of a rotation supersedes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supersede {
    /// Whatever is held.
    Any,
    /// Only a pair equal to these old keys, after a resume.
    Only(Option<SecretKeyPair>),
}

/// What can happen to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request arrived.
    Asked(Admitted),
    /// An asker does not wait any more.
    Gone {
        /// Its request.
        ticket: Ticket,
    },
    /// A fetch ended.
    Fetched {
        /// Which one.
        fetch: u64,
        /// What the store answered.
        answer: Result<FetchedKeys, FetchFailure>,
        /// Whether the store's thread is still busy with it.
        still_running: bool,
    },
    /// The thread of a fetch that had passed its limit has come back.
    Returned,
    /// A load that a request waits for ended.
    Loaded {
        /// The request that it is for.
        ticket: Ticket,
        /// What was found.
        found: Loaded,
    },
    /// A look at the record, for a snapshot or a proposal, ended.
    Looked {
        /// What it is for: a snapshot or a proposal.
        ticket: Ticket,
        /// What was found.
        found: Loaded,
    },
    /// The write of a save ended.
    Saved {
        /// The request; none where the machine corrected a record by itself.
        ticket: Option<Ticket>,
        /// What was written.
        change: RecordChange,
        /// How it failed, if it did.
        result: Result<(), WriteFailure>,
    },
    /// A record that is owed after a failed write may be written again.
    WriteAgain,
    /// A change was declared, durably: what its old and new keys are, if it has any.
    Declared(Declared),
    /// A rotation begins to run and wants to know what the key has.
    Snapshot {
        /// The request to answer.
        ticket: Ticket,
    },
    /// A succeeded step wants to change the state.
    Propose {
        /// The request to answer.
        ticket: Ticket,
        /// The change.
        change: StateChange,
    },
    /// The proposed change is durable.
    Adopt {
        /// Which proposal.
        ticket: Ticket,
    },
    /// The proposed change is not made.
    Withdraw {
        /// Which proposal.
        ticket: Ticket,
    },
    /// The repo does not answer what has to be known of the proposed change: whether it was made, or
    /// what record it builds on.
    InDoubt {
        /// Which proposal.
        ticket: Ticket,
        /// Why.
        why: String,
    },
    /// These are the key's versions now; or in words why they cannot be read.
    Versions(Box<Result<HeldVersions, String>>),
    /// The key's versions have changed, durably.
    VersionsChanged {
        /// What has changed.
        facts: Vec<VersionFact>,
        /// The values of new ones.
        values: VersionValues,
    },
    /// The journal does not answer, so that no version can be handed to a worker that it does not owe yet.
    JournalDown(JournalDown),
    /// A rotation ran to its end and no callback re-encrypted.
    Supersede(Supersede),
    /// A rotation stopped or ended with failures: it may be resumed.
    Stopped {
        /// The rotation's id.
        rotation: u128,
    },
    /// A rotation will never be resumed.
    Ended {
        /// The rotation's id.
        rotation: u128,
    },
    /// Time has passed.
    Tick,
}

impl Event {
    /// Whether it tells of a rotation: then it comes once, and is not asked for again.
    pub fn is_of_rotation(&self) -> bool {
        match self {
            Self::Declared(_)
            | Self::Snapshot { .. }
            | Self::Propose { .. }
            | Self::Looked { .. }
            | Self::Adopt { .. }
            | Self::Withdraw { .. }
            | Self::InDoubt { .. }
            | Self::Supersede(_)
            | Self::Versions(_)
            | Self::VersionsChanged { .. }
            | Self::JournalDown(_)
            | Self::Stopped { .. }
            | Self::Ended { .. } => true,
            Self::Asked(_)
            | Self::Gone { .. }
            | Self::Fetched { .. }
            | Self::Returned
            | Self::Loaded { .. }
            | Self::Saved { .. }
            | Self::WriteAgain
            | Self::Tick => false,
        }
    }
}
