//! What a get answers.

use crate::key::flow::SecretKeyFlow;
use crate::key::versions::id::VersionId;
use crate::secret::value::SecretKeyValue;

/// What a request for a key answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyAnswer {
    /// The value; `Debug` and `Display` do not show it.
    pub value: SecretKeyValue,
    /// The flow that it was answered on, which the key may have found by itself.
    pub flow: SecretKeyFlow,
    /// Which version of the key it is of, if the key has versions.
    pub version: Option<AnsweredVersion>,
}

/// Which version of a key a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AnsweredVersion {
    /// Its id: what is written with the value carries it.
    pub id: VersionId,
    /// Its number, for people.
    pub number: u64,
}

impl AnsweredVersion {
    /// The version of this id and number.
    pub(crate) fn new(id: VersionId, number: u64) -> Self {
        Self { id, number }
    }
}

impl KeyAnswer {
    /// The plain bytes of the value.
    pub fn expose(&self) -> &[u8] {
        self.value.expose()
    }

    /// The plain text of the value, if it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        self.value.expose_str()
    }
}
