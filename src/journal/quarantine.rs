//! Where the bytes of records go that could not be read and had to give way, byte for byte.

use crate::repo::batch::Batch;
use crate::repo::space::Space;

/// Puts bytes aside in one batch, each under a place of its own: the batch, a number within it,
/// and where they lay.
pub(super) struct Quarantine {
    life: u64,
    batch: u64,
    next: u32,
}

impl Quarantine {
    /// For the batch of this number in this life.
    pub(super) fn new(life: u64, batch: u64) -> Self {
        let next = 0;
        Self { life, batch, next }
    }

    /// Adds a copy of what lies at a key of a space.
    pub(super) fn copy(
        &mut self,
        batch: Batch,
        space: Space,
        key: &[u8],
        stored: Vec<u8>,
    ) -> Batch {
        let mut place = Vec::new();
        place.extend_from_slice(&self.life.to_be_bytes());
        place.extend_from_slice(&self.batch.to_be_bytes());
        place.extend_from_slice(&self.next.to_be_bytes());
        place.extend_from_slice(space.name().as_bytes());
        place.push(b'/');
        place.extend_from_slice(key);
        self.next = self.next.saturating_add(1);
        batch.put(Space::Quarantine, place, stored)
    }
}
