//! What the engine of rotations does about the journal: it writes, or is on its way back from a failure.

use crate::key::time::Time;

/// How far the engine is on its way back from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Phase {
    /// Nothing is wrong.
    #[default]
    Going,
    /// The end of the batch under way is awaited.
    Draining,
    /// The journal is being read anew.
    Reading,
    /// It is to be read anew at this time.
    Waiting(Time),
    /// Nothing is written any more, and the journal is not read again.
    Lost,
}
