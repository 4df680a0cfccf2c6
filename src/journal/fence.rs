//! The fence: every batch expects the record of the last one as this journal wrote it, and puts
//! its own in its place. A journal that was overtaken finds another, and writes nothing.
//!
//! The record is sealed under a random nonce, so that no two of them are the same bytes.

use crate::journal::codec::Record;
use crate::journal::codec::meta::BatchRecord;
use crate::journal::error::JournalError;
use crate::journal::place::Of;
use crate::journal::vault::Vault;
use crate::repo::batch::Batch;
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

/// What this journal wrote last.
pub(super) struct Fence {
    last: BatchRecord,
    stored: Vec<u8>,
    doubt: Doubt,
}

enum Doubt {
    None,
    /// It is unknown whether this batch was written.
    Unknown {
        number: u64,
        stored: Vec<u8>,
    },
    Overtaken,
}

impl Fence {
    /// Takes over from the record that was `found`: adds the new life to the batch and writes it.
    pub(super) fn raise(
        repo: &dyn StateRepo,
        vault: &Vault,
        batch: Batch,
        found: Option<Vec<u8>>,
        last: BatchRecord,
    ) -> Result<Self, JournalError> {
        let place = BatchRecord::place(Of::Database);
        let stored = vault.seal(&place, last.encode())?;
        let place = place.bytes();
        let batch = batch
            .put(Space::Meta, place.clone(), stored.clone())
            .expect(Space::Meta, place, found);
        repo.apply(&batch)
            .map_err(|error| refused(error, last.number))?;
        let doubt = Doubt::None;
        Ok(Self {
            last,
            stored,
            doubt,
        })
    }

    /// The life of this journal.
    pub(super) fn life(&self) -> u64 {
        self.last.life
    }

    /// The number of the next batch.
    pub(super) fn next(&self) -> u64 {
        self.last.number.saturating_add(1)
    }

    /// Whether it is unknown if the last batch was written.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self.doubt, Doubt::Unknown { .. })
    }

    /// Whether what the repo shows now is known to be true.
    pub(super) fn may_read(&self) -> Result<(), JournalError> {
        match &self.doubt {
            Doubt::None | Doubt::Overtaken => Ok(()),
            Doubt::Unknown { number, .. } => Err(JournalError::Repo {
                cause: RepoError::Unavailable {
                    reason: format!("it is unknown whether write {number} was made"),
                },
            }),
        }
    }

    /// Writes a batch if no other manager has taken over; answers its number.
    pub(super) fn write(
        &mut self,
        repo: &dyn StateRepo,
        vault: &Vault,
        batch: Batch,
    ) -> Result<u64, JournalError> {
        self.may_read()?;
        if matches!(self.doubt, Doubt::Overtaken) {
            return Err(JournalError::Fenced);
        }
        let (life, number) = (self.life(), self.next());
        let record = BatchRecord { life, number };
        let place = BatchRecord::place(Of::Database);
        let stored = vault.seal(&place, record.encode())?;
        let place = place.bytes();
        let batch = batch
            .put(Space::Meta, place.clone(), stored.clone())
            .expect(Space::Meta, place, Some(self.stored.clone()));
        // A repo that panics in the middle of a write leaves it unknown as well.
        let before = std::mem::replace(&mut self.doubt, Doubt::Unknown { number, stored });
        match repo.apply(&batch).map_err(|error| refused(error, number)) {
            Ok(()) => {
                self.settle(true);
                Ok(number)
            }
            Err(error @ JournalError::WriteUnknown { .. }) => Err(error),
            Err(error) => {
                let fenced = matches!(error, JournalError::Fenced);
                self.doubt = if fenced { Doubt::Overtaken } else { before };
                Err(error)
            }
        }
    }

    fn settle(&mut self, written: bool) {
        let doubt = std::mem::replace(&mut self.doubt, Doubt::None);
        if let (Doubt::Unknown { number, stored }, true) = (doubt, written) {
            self.last.number = number;
            self.stored = stored;
        }
    }

    /// What became of an unknown batch is never found out: the repo answers nothing any more, and says
    /// why to each call.
    pub(super) fn leave_unknown(&mut self) {
        self.settle(false);
    }

    /// Finds out in a repo that was reopened what became of an unknown batch.
    pub(super) fn resolve(&mut self, repo: &dyn StateRepo) -> Result<(), JournalError> {
        let found = repo.get(Space::Meta, &BatchRecord::place(Of::Database).bytes())?;
        let written = match &self.doubt {
            Doubt::Overtaken => return Err(JournalError::Fenced),
            Doubt::Unknown { stored, .. } => found.as_ref() == Some(stored),
            Doubt::None => false,
        };
        if !written && found.as_ref() != Some(&self.stored) {
            self.doubt = Doubt::Overtaken;
            return Err(JournalError::Fenced);
        }
        self.settle(written);
        Ok(())
    }

    /// Whether the batch of this number was written.
    pub(super) fn was_written(
        &self,
        repo: &dyn StateRepo,
        vault: &Vault,
        number: u64,
    ) -> Result<bool, JournalError> {
        self.may_read()?;
        let place = BatchRecord::place(Of::Database);
        let stored = repo.get(Space::Meta, &place.bytes())?.unwrap_or_default();
        let found: BatchRecord = vault
            .read(&place, &stored)
            .map_err(|unread| unread.needed(&place))?;
        if found.life != self.life() {
            return Err(JournalError::Fenced);
        }
        Ok(number <= found.number)
    }
}

/// What a refusal of the repo means for a batch.
fn refused(cause: RepoError, number: u64) -> JournalError {
    if matches!(cause, RepoError::PreconditionFailed { .. }) {
        return JournalError::Fenced;
    }
    let changed_nothing = matches!(
        cause,
        RepoError::Closed
            | RepoError::Unavailable { .. }
            | RepoError::FolderLost { .. }
            | RepoError::Forked(_)
    );
    if changed_nothing {
        JournalError::Repo { cause }
    } else {
        JournalError::WriteUnknown { number, cause }
    }
}
