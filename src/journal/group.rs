//! Several writes in one batch: what one asked for is durable with what the others did, or none of it
//! is.

use crate::journal::error::JournalError;
use crate::journal::fact::JournalFact;
use crate::journal::opened::Journal;
use crate::key::name::KeyName;
use crate::key::state::RecordChange;

/// So many bytes of keys make a group large enough.
const ENOUGH_BYTES: usize = 1024 * 1024;
/// So many writes make a group large enough.
const ENOUGH_WRITES: usize = 1_024;

/// What one asks to be written.
#[derive(Debug)]
pub enum JournalWrite {
    /// Facts of the coordinator's machine.
    Facts(Vec<JournalFact>),
    /// A change of a key's state record.
    State(KeyName, RecordChange),
}

impl JournalWrite {
    fn bytes(&self) -> usize {
        match self {
            // As many as the machine wants written at once.
            Self::Facts(_) => 0,
            Self::State(_, change) => {
                let key = change.record().and_then(|record| record.key.as_ref());
                key.map_or(0, |key| key.expose().len())
            }
        }
    }
}

/// How large a group of writes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupSize {
    writes: usize,
    bytes: usize,
}

impl GroupSize {
    /// One more is in it.
    pub fn add(&mut self, write: &JournalWrite) {
        self.writes += 1;
        self.bytes = self.bytes.saturating_add(write.bytes());
    }

    /// Whether no more should be added.
    pub fn is_enough(&self) -> bool {
        self.writes >= ENOUGH_WRITES || self.bytes >= ENOUGH_BYTES
    }
}

impl Journal {
    /// Makes these writes as one batch, durable on return; answers the batch's number. Of two that are
    /// about one record the later one counts.
    ///
    /// # Errors
    /// As [`Journal::write`], for all of them: none was made, or it is unknown of all.
    pub fn write_all<'a>(
        &mut self,
        writes: impl IntoIterator<Item = &'a JournalWrite>,
    ) -> Result<u64, JournalError> {
        self.make(|draft| {
            for write in writes {
                match write {
                    JournalWrite::Facts(facts) => {
                        facts.iter().try_for_each(|fact| draft.add(fact))?;
                    }
                    JournalWrite::State(key, change) => draft.state(key, change),
                }
            }
            Ok(())
        })
    }
}
