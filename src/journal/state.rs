//! The records of stated keys, and what was declared last for each key.

use crate::journal::codec::Record;
use crate::journal::codec::keys::DeclaredRecord;
use crate::journal::error::JournalError;
use crate::journal::opened::Journal;
use crate::journal::place::Of;
use crate::key::name::KeyName;
#[cfg(feature = "testing")]
use crate::key::state::RecordChange;
use crate::key::state::{Loaded, StateRecord};
use crate::rotation::plan::Declared;

impl Journal {
    /// Loads the record of a key. What is wrong is in the answer: a record that cannot be read is
    /// [`Loaded::Unreadable`] and stays where it is; whatever kept the journal from looking is
    /// [`Loaded::Unavailable`].
    pub fn load_state(&self, key: &KeyName) -> Loaded {
        let place = StateRecord::place(Of::Key(key.clone()));
        let found = self
            .repo()
            .and_then(|repo| Ok(repo.get(place.space(), &place.bytes())?));
        let stored = match found {
            Ok(Some(stored)) => stored,
            Ok(None) => return Loaded::Absent,
            Err(error) => {
                return Loaded::Unavailable {
                    why: (&error).into(),
                };
            }
        };
        match self.vault().read(&place, &stored) {
            Ok(record) => Loaded::Record(record),
            Err(unread) => match unread.listed(&place) {
                Ok(record) => {
                    let why = record.why.clone();
                    self.unreadable().add(&place, record);
                    Loaded::Unreadable { why }
                }
                Err(error) => Loaded::Unavailable {
                    why: (&error).into(),
                },
            },
        }
    }

    /// Changes the record of a key, durably on return. A record that cannot be read is copied to
    /// quarantine in the same batch.
    ///
    /// # Errors
    /// As [`Journal::write`].
    #[cfg(feature = "testing")]
    pub fn save_state(&mut self, key: &KeyName, change: &RecordChange) -> Result<(), JournalError> {
        let made = self.make(|draft| {
            draft.state(key, change);
            Ok(())
        });
        made.map(drop)
    }

    /// The fingerprints of the old and the new keys of the change that was accepted last for a key;
    /// none where it had none, or nothing was ever declared.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] where that record cannot be read; errors of the repo and the
    /// crypto tool.
    pub fn last_declared(&self, key: &KeyName) -> Result<Declared, JournalError> {
        let place = DeclaredRecord::place(Of::Key(key.clone()));
        let Some(stored) = self.repo()?.get(place.space(), &place.bytes())? else {
            return Ok(Declared::default());
        };
        let read = self.vault().read::<DeclaredRecord>(&place, &stored);
        let record = read.map_err(|unread| unread.needed(&place))?;
        Ok(record.keys)
    }
}
