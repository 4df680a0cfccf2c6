//! Looking at every record of a database, each opened and decoded.

use crate::journal::error::JournalError;
use crate::journal::history::HistoryReading;
use crate::journal::opened::Journal;
use crate::operator::verified::Verified;
use crate::repo::space::Space;

/// How many ended rotations are looked at before the next ones are.
const AT_ONCE: usize = 1_024;

impl Journal {
    /// Opens every record.
    ///
    /// # Errors
    /// The repo's, and those of the crypto tool that say nothing about the records.
    pub fn verify(&self) -> Result<Verified, JournalError> {
        let mut found = Verified::default();
        for space in Space::ALL {
            let mut records = 0;
            self.visit(space, b"", &mut |_, _| {
                records += 1;
                Ok(())
            })?;
            found.records.insert(space, records);
        }
        let loaded = self.load_without_keys()?;
        found.unreadable = loaded.unreadable;
        found.unreadable_rotations = loaded.facts.unreadable;
        let mut before = None;
        loop {
            let mut reading = HistoryReading::new(AT_ONCE, before);
            let part = loop {
                if let Some(part) = self.read_history(&mut reading)? {
                    break part;
                }
            };
            found.unreadable_rotations.extend(part.unreadable);
            before = part.next;
            if before.is_none() {
                return Ok(found);
            }
        }
    }
}
