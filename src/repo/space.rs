//! The spaces of a repo: separate orders of keys, one for each kind of thing that is kept.

use std::fmt;

/// A space of a repo. Keys of different spaces never meet; one batch may write to several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Space {
    /// What the database says of itself: its id, its check record, its counters.
    Meta,
    /// The records of stated keys.
    States,
    /// What was declared last of each key: fingerprints of its old keys, and no keys.
    Keys,
    /// The workers that have joined, and their callbacks.
    Roster,
    /// Rotations that have not ended, and their steps.
    Rotations,
    /// Rotations that have ended.
    History,
    /// The versions of keys that have some, with their values and what they owe.
    Versions,
    /// Bytes that could not be read and were moved aside.
    Quarantine,
}

impl Space {
    /// Every space.
    pub const ALL: [Self; 8] = [
        Self::Meta,
        Self::States,
        Self::Keys,
        Self::Roster,
        Self::Rotations,
        Self::History,
        Self::Versions,
        Self::Quarantine,
    ];

    /// The name of the space, which is also the name of its column family on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::States => "states",
            Self::Keys => "keys",
            Self::Roster => "roster",
            Self::Rotations => "rotations",
            Self::History => "history",
            Self::Versions => "versions",
            Self::Quarantine => "quarantine",
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_space_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Space::ALL.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), Space::ALL.len());
    }
}
