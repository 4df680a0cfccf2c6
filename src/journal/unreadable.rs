//! The list of the records that cannot be read: those that the start found, those that a load met since,
//! without those that something has taken the place of.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::error::JournalError;
use crate::journal::place::Place;
use crate::journal::records;
use crate::journal::vault::Vault;
use crate::operator::status::UnreadableRecord;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

/// Where a record lies.
pub(super) type At = (Space, Vec<u8>);

/// The records that cannot be read now, apart from those of rotations, as far as is known: all of them
/// are opened at the start only. A clone is the same list.
#[derive(Clone, Default)]
pub struct Unreadable {
    records: Arc<Mutex<BTreeMap<At, UnreadableRecord>>>,
    keeps_replaced: Arc<AtomicBool>,
}

impl Unreadable {
    /// The records, by where they lie.
    pub fn all(&self) -> Vec<UnreadableRecord> {
        self.records().values().cloned().collect()
    }

    /// Has records listed on although something takes their place: those that a start replaces itself,
    /// so that an operator sees them. They are listed until the journal is loaded again.
    pub fn keep_replaced(&self, keep: bool) {
        self.keeps_replaced.store(keep, Ordering::SeqCst);
    }

    /// These are all that there are.
    pub(super) fn replace(&self, all: Vec<(At, UnreadableRecord)>) {
        *self.records() = all.into_iter().collect();
    }

    /// A record turned out to be unreadable.
    pub(super) fn add(&self, place: &Place, record: UnreadableRecord) {
        self.add_at((place.space(), place.bytes()), record);
    }

    pub(super) fn add_at(&self, at: At, record: UnreadableRecord) {
        self.records().insert(at, record);
    }

    /// Something was written in the place of these.
    pub(super) fn remove(&self, gone: &[At]) {
        if !gone.is_empty() && !self.keeps_replaced.load(Ordering::SeqCst) {
            let mut records = self.records();
            for at in gone {
                records.remove(at);
            }
        }
    }

    /// Looks at each of these anew.
    pub(super) fn look_again(
        &self,
        repo: &dyn StateRepo,
        vault: &Vault,
    ) -> Result<(), JournalError> {
        let known = self.records().clone();
        for (at, record) in known {
            let (space, key) = &at;
            let still = match (repo.get(*space, key)?, records::parse(*space, key)) {
                (None, _) => None,
                (Some(_), None) => Some(record),
                (Some(stored), Some(place)) => match vault.check(&place, &stored) {
                    Ok(()) => None,
                    Err(unread) => Some(unread.listed(&place)?),
                },
            };
            match still {
                Some(record) => self.add_at(at, record),
                None => {
                    self.records().remove(&at);
                }
            }
        }
        Ok(())
    }

    fn records(&self) -> MutexGuard<'_, BTreeMap<At, UnreadableRecord>> {
        // Nothing foreign runs under this lock.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
