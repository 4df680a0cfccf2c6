//! Ids of rotations.

use std::fmt;

use uuid::Uuid;

/// The id of a rotation: a UUID, of version 7 unless the caller brought one of its own.
///
/// It names a rotation in every life of the program; callbacks use it to do their work once. It
/// orders nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RotationId(Uuid);

impl RotationId {
    /// Takes any UUID as an id.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    pub const fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for RotationId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<RotationId> for Uuid {
    fn from(id: RotationId) -> Self {
        id.0
    }
}

impl std::str::FromStr for RotationId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RotationId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Debug for RotationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
