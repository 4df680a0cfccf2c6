//! What a version owes a worker: it was handed to it for writing, so that data of it may be under it.

/// A version's debt to one worker. It ends when all the worker's callbacks of data have Succeeded in one
/// rotation away from the version, when the data's stated lifetime has been counted, or when a person writes it
/// off; nothing else ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Debt {
    /// When the version was first handed to the worker for writing, in milliseconds since 1970 by the wall
    /// clock.
    pub since_ms: u64,
}

impl Debt {
    /// A debt that begins now.
    pub const fn since(since_ms: u64) -> Self {
        Self { since_ms }
    }
}
