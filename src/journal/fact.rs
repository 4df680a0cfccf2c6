//! What is given to the journal to be written: the machine's facts and what the shell adds to them.

use crate::key::name::KeyName;
use crate::key::state::{RecordChange, Snapshot};
use crate::key::versions::held::VersionValue;
use crate::rotation::effect::Fact;
use crate::secret::value::SecretKeyPair;

/// A fact of the coordinator's machine with what only the shell has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFact {
    /// The fact.
    pub fact: Fact,
    /// What belongs to it.
    pub attached: Attached,
}

/// What the shell attaches to a fact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Attached {
    /// The fact says everything.
    #[default]
    Nothing,
    /// To [`Fact::Keys`]: the keys of the rotation, those that its header names.
    Keys {
        /// The old keys.
        old: Option<SecretKeyPair>,
        /// The new keys.
        new: Option<SecretKeyPair>,
    },
    /// To [`Fact::Snapshot`]: what the key had.
    Snapshot(Snapshot),
    /// To [`Fact::Version`] with [`VersionFact::Value`](crate::key::versions::fact::VersionFact::Value): the value.
    Value(VersionValue),
    /// To [`Fact::Record`]: what becomes of a key's record.
    Record {
        /// The key.
        key: KeyName,
        /// The change; none leaves the record as it is.
        change: Option<RecordChange>,
    },
}

impl JournalFact {
    /// A fact with what belongs to it.
    pub fn new(fact: Fact, attached: Attached) -> Self {
        Self { fact, attached }
    }
}

impl From<Fact> for JournalFact {
    /// A fact that says everything.
    fn from(fact: Fact) -> Self {
        Self::new(fact, Attached::Nothing)
    }
}
