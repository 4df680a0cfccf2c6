//! What a registration says of the changes that it was caught up with.

use crate::rotation::id::RotationId;

/// With which changes a callback of memory was caught up when it was registered: those that had begun, were
/// neither ended nor obsolete, and had called the worker's other instances already. It was called with each, and
/// is registered however that ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CaughtUp {
    /// With how many.
    pub rotations: u32,
    /// Those of them with which the callback failed, in order, and why.
    pub failed: Vec<(RotationId, String)>,
}
