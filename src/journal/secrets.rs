//! What is sealed in the journal for a rotation beside its header and its steps.

use crate::key::state::Snapshot;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

/// What is sealed in the journal for a rotation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RotationSecrets {
    /// The old keys, if there are any.
    pub old: Option<SecretKeyPair>,
    /// The new keys, if there are any.
    pub new: Option<SecretKeyPair>,
    /// What the key had when the rotation began, if it has.
    pub snapshot: Option<Snapshot>,
}

impl RotationSecrets {
    /// The beginnings of the keys, by which a text that quotes one of them is found.
    pub fn beginnings(&self) -> Vec<SecretKeyValue> {
        let pairs = [&self.old, &self.new].into_iter().flatten();
        let halves = pairs.flat_map(|pair| [pair.forward(), pair.back()]);
        halves.map(SecretKeyValue::beginning).collect()
    }
}
