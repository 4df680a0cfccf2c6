//! What is counted of how long nothing is written with versions of a key.

use crate::key::time::Time;

/// What of a key is counted and not durable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Counting {
    /// Since when.
    pub(crate) since: Time,
    /// When it is to be made durable.
    pub(crate) due: Time,
}
