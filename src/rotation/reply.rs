//! What an asker of the coordinator is told.

use crate::key::name::{KeyName, WorkerName};
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;

/// What an asker is told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It is done.
    Done,
    /// The worker has joined as this incarnation; of another process, that is the number of its instance.
    Joined {
        /// Its name.
        worker: WorkerName,
        /// Its incarnation.
        incarnation: u64,
    },
    /// The callback is registered, and its instance was caught up with so many steps.
    CaughtUp {
        /// Those that failed, and why.
        failed: Vec<(RotationId, String)>,
        /// How many.
        steps: usize,
    },
    /// The rotation is accepted, or was before.
    Accepted {
        /// Its id.
        id: RotationId,
    },
    /// No rotation has the declaration's id: its stores are to be asked, and then it is to be
    /// declared again.
    AskStores {
        /// Whether the key's own store is, for the old keys.
        old: bool,
    },
    /// These of the keys have no versions yet.
    WithoutVersions {
        /// Which.
        keys: Vec<KeyName>,
    },
    /// The rotation has settled.
    Report(Box<RotationReport>),
    /// No living rotation has this id: the history may have it.
    NotLive {
        /// The id.
        id: RotationId,
    },
}
