//! What is durable of a key's versions: one fact is one record.

use crate::key::name::WorkerName;
use crate::key::versions::debt::Debt;
use crate::key::versions::id::VersionId;
use crate::key::versions::version::Version;

/// A durable fact about the versions of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VersionFact {
    /// Which version is current, and the number of the next one. It is the first record of a key that has
    /// versions.
    Current {
        /// The current one.
        current: VersionId,
        /// The number of the next one.
        next: u64,
    },
    /// A version as it is now.
    Version(Version),
    /// A version's value lies sealed; the shell adds it.
    Value(VersionId),
    /// A pending version is gone without a trace, its value too.
    Gone(VersionId),
    /// A version owes a worker.
    Debt {
        /// The version.
        version: VersionId,
        /// The worker.
        worker: WorkerName,
        /// What it owes it.
        debt: Debt,
    },
    /// A version's debt to a worker has ended.
    DebtGone {
        /// The version.
        version: VersionId,
        /// The worker.
        worker: WorkerName,
    },
    /// The key's state record is gone: what it had is a version now.
    NoStateRecord,
    /// The key has no versions any more.
    NoVersions,
}
