//! From which version of its key to which a call leads.

use crate::key::versions::id::VersionId;

/// From which version of its key to which a call leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallVersions {
    /// The old one, of the old keys.
    pub old: VersionId,
    /// The new one, of the new keys.
    pub new: VersionId,
}
