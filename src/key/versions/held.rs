//! What a key's actor answers from: the table and the values that are read. It asks neither store nor journal.

use std::collections::BTreeMap;

use crate::key::versions::id::VersionId;
use crate::key::versions::table::VersionTable;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

/// The value of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionValue {
    /// Both halves.
    Whole(SecretKeyPair),
    /// The back half only, of a key's state record: nothing is written with it.
    Back(SecretKeyValue),
}

impl VersionValue {
    /// The half that data is written with, if it is known.
    pub fn forward(&self) -> Option<&SecretKeyValue> {
        match self {
            Self::Whole(pair) => Some(pair.forward()),
            Self::Back(_) => None,
        }
    }

    /// The half that data is read with.
    pub fn back(&self) -> &SecretKeyValue {
        match self {
            Self::Whole(pair) => pair.back(),
            Self::Back(back) => back,
        }
    }
}

/// The values of a key's versions that are not destroyed. One that is missing could not be read.
pub type VersionValues = BTreeMap<VersionId, VersionValue>;

/// The versions of a key with their values: the truth, as of the last durable change of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldVersions {
    /// Which there are.
    pub table: VersionTable,
    /// Their values.
    pub values: VersionValues,
}
