//! What is sealed for a rotation, planned record by record: its keys, and what its key had when it began.

use crate::journal::codec::keys::DeclaredRecord;
use crate::journal::draft::{Draft, incomplete};
use crate::journal::error::JournalError;
use crate::journal::place::{Number, Of};
use crate::key::state::Snapshot;
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyPair;

impl Draft<'_> {
    pub(super) fn keys(
        &mut self,
        id: RotationId,
        old: &Option<SecretKeyPair>,
        new: &Option<SecretKeyPair>,
    ) -> Result<(), JournalError> {
        let header = self.known(id)?.header.clone();
        // Of a version that is undone no fingerprint stays, and no store is compared with what was declared.
        if header.versions.is_none() {
            let sequence = header.seq;
            let keys = self.fingerprints.of_keys(&header, old.as_ref());
            let declared = DeclaredRecord { sequence, keys };
            self.put(Of::Key(header.key.clone()), &declared);
        }
        for (random, pair) in [(header.old_keys, old), (header.new_keys, new)] {
            match (random, pair) {
                (Some(random), Some(pair)) => {
                    let number = Number::Keys(random);
                    self.put(Of::Rotation(id, header.key.clone(), number), pair);
                }
                (None, None) => {}
                (Some(_), None) | (None, Some(_)) => {
                    return Err(incomplete(format!(
                        "the keys of rotation {id} are not those that its header names"
                    )));
                }
            }
        }
        Ok(())
    }

    pub(super) fn snapshot(
        &mut self,
        id: RotationId,
        snapshot: &Snapshot,
    ) -> Result<(), JournalError> {
        let key = self.known(id)?.header.key.clone();
        self.put(Of::Rotation(id, key, Number::None), snapshot);
        Ok(())
    }
}
