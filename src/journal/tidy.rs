//! Keeping the history: it is read once in each life, in small pieces, so that damage is found before
//! what was damaged is needed; and what the limits do not keep is pruned, one rotation at a time.

use std::ops::ControlFlow;

use crate::journal::codec::rotation::{ENDED_HEADER, HeaderRecord};
use crate::journal::error::JournalError;
use crate::journal::known::Learned;
use crate::journal::opened::Journal;
use crate::journal::place::{Number, Of, Place, layout};
use crate::journal::vault::Unread;
use crate::key::name::KeyName;
use crate::repo::batch::Batch;
use crate::repo::space::Space;
use crate::rotation::id::RotationId;
use crate::rotation::plan::Header;
use crate::rotation::retention::HistoryLimits;

/// How many records one call reads at most.
const READ_AT_ONCE: usize = 256;
/// Of how many rotations one call asks at most whether they are kept.
const ASKED_AT_ONCE: usize = 16;

/// What a call of [`Journal::tidy`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidied {
    /// It has read a part of the history; there is more to be done.
    Read,
    /// It has pruned this rotation; there may be more to be done.
    Pruned(RotationId),
    /// There is nothing to be done.
    Nothing,
}

/// A place in the order of the history.
type EndedAt = (Vec<u8>, RotationId, KeyName);

impl Journal {
    /// Does a small piece of what keeps the history: first all of it is read, and then what is beyond
    /// a limit is pruned. All records of a rotation leave in one batch. A rotation with a header that
    /// cannot be read is kept, and so is everything outside the history: what has not ended, what
    /// holds keys, and what lies in quarantine. `now_ms` is the time to prune by.
    ///
    /// # Errors
    /// [`RepoError::Damaged`](crate::repo::error::RepoError::Damaged) where a file of the history is
    /// damaged; else as [`Journal::write`].
    pub fn tidy(&mut self, limits: &HistoryLimits, now_ms: u64) -> Result<Tidied, JournalError> {
        if !self.tidying.is_read {
            self.read_a_piece()?;
            return Ok(Tidied::Read);
        }
        let pieces = self.oldest_from(self.tidying.asked_to.as_deref())?;
        let is_last = pieces.len() < ASKED_AT_ONCE;
        let mut ahead = 0;
        for (order, id, key) in pieces {
            let Some(header) = self.ended_header(id, &key)? else {
                self.tidying.asked_to = Some(order);
                continue;
            };
            let is_old = |at: Option<u64>| at.is_some_and(|at| limits.is_too_old(at, now_ms));
            if limits.is_too_many(self.tidying.count) || is_old(header.ended_ms) {
                self.prune(&order, id)?;
                return Ok(Tidied::Pruned(id));
            }
            // A few that seem to be declared later than now were declared while the clock was wrong.
            let is_ahead = header.accepted_ms > now_ms;
            if is_ahead {
                ahead += 1;
            }
            let is_enough = !is_ahead || ahead == ASKED_AT_ONCE;
            if is_enough && !is_old(Some(header.accepted_ms)) {
                // What was declared later has not ended earlier than this was declared.
                self.tidying.asked_to = None;
                return Ok(Tidied::Nothing);
            }
            self.tidying.asked_to = Some(order);
        }
        if is_last {
            self.tidying.asked_to = None;
            return Ok(Tidied::Nothing);
        }
        Ok(Tidied::Read)
    }

    fn read_a_piece(&mut self) -> Result<(), JournalError> {
        let (mut read, mut ordered, mut last) = (0, 0, None);
        let before = self.tidying.read_to.as_deref();
        self.repo()?
            .scan_back(Space::History, b"", before, &mut |key, _| {
                read += 1;
                ordered += u64::from(layout::parse_order(key).is_some());
                last = Some(key.to_vec());
                if read < READ_AT_ONCE {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
        self.tidying.count = self.tidying.count.saturating_add(ordered);
        self.tidying.is_read = read < READ_AT_ONCE;
        self.tidying.read_to = last.or(self.tidying.read_to.take());
        Ok(())
    }

    /// The rotations that were declared first, of those behind this place.
    fn oldest_from(&self, behind: Option<&[u8]>) -> Result<Vec<EndedAt>, JournalError> {
        let mut oldest = Vec::new();
        let prefix = layout::ORDER_PREFIX;
        self.repo()?
            .scan_back(Space::History, prefix, behind, &mut |place, _| {
                if let Some((_, id, key)) = layout::parse_order(place) {
                    oldest.push((place.to_vec(), id, key));
                }
                if oldest.len() < ASKED_AT_ONCE {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
        Ok(oldest)
    }

    /// The header of an ended rotation; none where it cannot be read.
    fn ended_header(&self, id: RotationId, key: &KeyName) -> Result<Option<Header>, JournalError> {
        let place = Place {
            kind: ENDED_HEADER,
            of: Of::Rotation(id, key.clone(), Number::None),
        };
        let Some(stored) = self.repo()?.get(place.space(), &place.bytes())? else {
            return Ok(None);
        };
        match self.vault().read::<HeaderRecord>(&place, &stored) {
            Ok(record) => Ok(Some(record.header)),
            Err(Unread::DoesNotOpen(_) | Unread::Unreadable(_)) => Ok(None),
            Err(unread @ Unread::Tool(_)) => Err(unread.needed(&place)),
        }
    }

    fn prune(&mut self, order: &[u8], id: RotationId) -> Result<(), JournalError> {
        let mut batch = Batch::new().delete(Space::History, order);
        self.visit(Space::History, &layout::ended_prefix(id), &mut |key, _| {
            batch = std::mem::take(&mut batch).delete(Space::History, key);
            Ok(())
        })?;
        self.commit(batch, Learned::default())?;
        self.tidying.removed(order);
        Ok(())
    }
}
