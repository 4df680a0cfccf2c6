//! The kinds of records, each with its schema number.

use std::fmt;

/// What a record is. It stands in the associated data of its seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// That the master key is the right one, and the key of the fingerprints.
    Check,
    /// The life of the journal and the number of its last batch.
    Batch,
    /// The next number of the one sequence.
    Sequence,
    /// The state of a key.
    State,
    /// What was declared last for a key.
    Declared,
    /// A worker on the roster.
    Member,
    /// A callback on the roster.
    Callback,
    /// A rotation that has not ended.
    Header,
    /// A step of a rotation that has not ended.
    Step,
    /// The old or the new keys of a rotation.
    Keys,
    /// What a key had when a rotation of it began.
    Snapshot,
    /// A rotation that has ended.
    EndedHeader,
    /// A step of a rotation that has ended.
    EndedStep,
}

impl Kind {
    /// Every kind.
    #[cfg(test)]
    pub(super) const ALL: [Self; 13] = [
        Self::Check,
        Self::Batch,
        Self::Sequence,
        Self::State,
        Self::Declared,
        Self::Member,
        Self::Callback,
        Self::Header,
        Self::Step,
        Self::Keys,
        Self::Snapshot,
        Self::EndedHeader,
        Self::EndedStep,
    ];

    /// The name in the associated data. It is part of the format.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Batch => "batch",
            Self::Sequence => "sequence",
            Self::State => "state",
            Self::Declared => "declared",
            Self::Member => "member",
            Self::Callback => "callback",
            Self::Header => "header",
            Self::Step => "step",
            Self::Keys => "keys",
            Self::Snapshot => "snapshot",
            Self::EndedHeader => "ended header",
            Self::EndedStep => "ended step",
        }
    }

    /// The schema that this version writes, the first byte of each record. Another number means
    /// other frozen types; the decoders of earlier ones stay.
    pub(super) fn schema(self) -> u8 {
        match self {
            Self::Check
            | Self::Batch
            | Self::Sequence
            | Self::State
            | Self::Member
            | Self::Callback
            | Self::Header
            | Self::Step
            | Self::Keys
            | Self::Snapshot
            | Self::EndedHeader
            | Self::EndedStep => 1,
            Self::Declared => 2,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
