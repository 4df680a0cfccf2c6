//! What a kind of record is: its names, its schema number, and how its places look.

use crate::repo::space::Space;

/// A kind of record. Each record's file in `codec` has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Where such records lie.
    pub(super) space: Space,
    /// Its name in the associated data of its seal. It is part of the format.
    pub(super) name: &'static str,
    /// Its name in errors and listings.
    pub(super) words: &'static str,
    /// The schema that this version writes, the first byte of each record. Another number means
    /// other frozen types; the decoders of earlier ones stay.
    pub(super) schema: u8,
    /// What its place tells.
    pub(super) shape: Shape,
    /// The byte of its places that tells kinds of one space apart, where there are several.
    pub(super) tag: u8,
}

/// What a place tells of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// Nothing: there is one such record, and it lies under the name of its kind.
    One,
    /// A key. There is no other kind in the space.
    Key,
    /// A worker.
    Worker,
    /// A callback of a worker for a key.
    Callback,
    /// An instance of a worker, by its number.
    Instance,
    /// A rotation and its key.
    Rotation,
    /// As `Rotation`, and a step's number.
    Step,
    /// As `Rotation`, and the random id of keys.
    Keys,
    /// A key that has versions.
    Versions,
    /// A version of a key.
    Version,
    /// A version of a key, and a worker.
    Debt,
}

impl Kind {
    pub(super) const fn new(
        space: Space,
        name: &'static str,
        words: &'static str,
        schema: u8,
        (shape, tag): (Shape, u8),
    ) -> Self {
        Self {
            space,
            name,
            words,
            schema,
            shape,
            tag,
        }
    }

    /// The kind of such records of a rotation that has ended.
    pub(super) const fn ended(self, name: &'static str) -> Self {
        Self {
            space: Space::History,
            name,
            ..self
        }
    }
}
