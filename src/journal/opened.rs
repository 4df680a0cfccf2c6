//! The journal as its one owner drives it: every call blocks, on the owner's thread.

use std::fmt;
use std::sync::Arc;

use crate::journal::draft::Draft;
use crate::journal::error::JournalError;
#[cfg(feature = "testing")]
use crate::journal::fact::JournalFact;
use crate::journal::fence::Fence;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::known::{Known, Learned};
use crate::journal::tidying::Tidying;
use crate::journal::unreadable::Unreadable;
use crate::journal::vault::Vault;
use crate::operator::status::UnreadableRecord;
use crate::repo::batch::Batch;
use crate::repo::state_repo::StateRepo;

/// The journal of one database, opened by [`Database::unlock`].
///
/// Reading never writes. Every write is one batch that is made as a whole or not at all, and only
/// while no other journal has been opened on the database. Dropping the journal without
/// [`Journal::close`] is like a crash: nothing that was written is lost.
///
/// [`Database::unlock`]: crate::journal::database::Database::unlock
pub struct Journal {
    repo: Arc<dyn StateRepo>,
    vault: Vault,
    fence: Fence,
    fingerprints: KeyFingerprints,
    known: Known,
    pub(super) tidying: Tidying,
    unreadable: Unreadable,
    /// What had to be replaced at the opening because it could not be read.
    replaced: Option<UnreadableRecord>,
}

impl Journal {
    pub(super) fn new(
        repo: Arc<dyn StateRepo>,
        vault: Vault,
        fence: Fence,
        fingerprints: KeyFingerprints,
        replaced: Option<UnreadableRecord>,
    ) -> Self {
        Self {
            repo,
            vault,
            fence,
            fingerprints,
            known: Known::default(),
            tidying: Tidying::default(),
            unreadable: Unreadable::default(),
            replaced,
        }
    }

    /// Writes facts as one batch, durable on return; answers the batch's number. Facts of nothing
    /// are a batch too. Later facts about a record take the place of earlier ones.
    ///
    /// # Errors
    /// After [`JournalError::WriteUnknown`] nothing is read or written until [`Journal::reopen`].
    /// After any other error nothing was written; after [`JournalError::Fenced`] nothing ever will.
    #[cfg(feature = "testing")]
    pub fn write(&mut self, facts: &[JournalFact]) -> Result<u64, JournalError> {
        self.make(|draft| facts.iter().try_for_each(|fact| draft.add(fact)))
    }

    /// Goes on after a write with an unknown outcome: reopens the repo and finds out. What the
    /// caller knows has to be loaded anew. On an error it may be tried again.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] where another journal has taken over; the repo's errors.
    pub fn reopen(&mut self) -> Result<(), JournalError> {
        self.known = Known::default();
        self.tidying = Tidying::default();
        if let Err(cause) = self.repo.reopen() {
            if cause.is_for_good() {
                self.fence.leave_unknown();
            }
            return Err(cause.into());
        }
        self.fence.resolve(self.repo.as_ref())
    }

    /// Whether the batch of this number was written: one read. After a write that was unknown it
    /// is to be asked between [`Journal::reopen`] and the next write, which takes the number of
    /// one that was not made.
    ///
    /// # Errors
    /// [`JournalError::Fenced`] where another journal has taken over; [`JournalError::Unreadable`]
    /// where that one record cannot be read; the repo's errors.
    pub fn was_written(&self, number: u64) -> Result<bool, JournalError> {
        self.fence
            .was_written(self.repo.as_ref(), &self.vault, number)
    }

    /// Whether it is unknown if the last write was made: then nothing is read or written until
    /// [`Journal::reopen`].
    pub fn is_in_doubt(&self) -> bool {
        self.fence.is_in_doubt()
    }

    /// The records that cannot be read now; kept true as the journal goes on.
    pub fn unreadable(&self) -> &Unreadable {
        &self.unreadable
    }

    /// The number that the next batch will have.
    pub fn next_batch(&self) -> u64 {
        self.fence.next()
    }

    /// How often the journal has been opened, this time included.
    #[cfg(feature = "testing")]
    pub fn life(&self) -> u64 {
        self.fence.life()
    }

    /// What makes the fingerprints of declared keys; a clone may be used on any thread.
    pub fn fingerprints(&self) -> KeyFingerprints {
        self.fingerprints.clone()
    }

    /// The repo, for a backup: it is made beside what the journal does.
    pub fn state_repo(&self) -> Arc<dyn StateRepo> {
        Arc::clone(&self.repo)
    }

    /// Closes the journal and its repo.
    ///
    /// # Errors
    /// The repo's; it is closed all the same, and nothing that was written is lost.
    pub fn close(self) -> Result<(), JournalError> {
        Ok(self.repo.close()?)
    }

    /// Makes a batch of what is added to it.
    pub(super) fn make(
        &mut self,
        add: impl FnOnce(&mut Draft<'_>) -> Result<(), JournalError>,
    ) -> Result<u64, JournalError> {
        let prints = &self.fingerprints;
        let mut draft = Draft::new(self.repo()?, &self.vault, &self.fence, &self.known, prints);
        add(&mut draft)?;
        let (batch, learned) = draft.finish()?;
        self.commit(batch, learned)
    }

    pub(super) fn commit(&mut self, batch: Batch, learned: Learned) -> Result<u64, JournalError> {
        let number = self.fence.write(self.repo.as_ref(), &self.vault, batch)?;
        learned
            .ended
            .iter()
            .for_each(|order| self.tidying.added(order));
        self.unreadable.remove(&learned.put_aside);
        self.known.learn(learned);
        Ok(number)
    }

    pub(super) fn repo(&self) -> Result<&dyn StateRepo, JournalError> {
        self.fence.may_read()?;
        Ok(self.repo.as_ref())
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn replaced(&self) -> Option<&UnreadableRecord> {
        self.replaced.as_ref()
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("life", &self.fence.life())
            .finish_non_exhaustive()
    }
}
