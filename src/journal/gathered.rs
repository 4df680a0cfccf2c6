//! The records of one rotation, gathered from wherever they lie: all of them can be read, or the
//! rotation cannot.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::codec::Record;
use crate::journal::codec::rotation::{ENDED_HEADER, HeaderRecord};
use crate::journal::error::JournalError;
use crate::journal::place::{Number, Of, Place};
use crate::journal::records;
use crate::journal::secrets::RotationSecrets;
use crate::journal::vault::{Unread, Vault};
use crate::key::name::KeyName;
use crate::key::state::Snapshot;
use crate::repo::space::Space;
use crate::rotation::plan::{Header, Step};
use crate::secret::value::SecretKeyPair;

/// How many faults of a rotation are told.
const MAX_FAULTS: usize = 3;

/// What was found of one rotation.
#[derive(Default)]
pub(super) struct Gathered {
    names: BTreeSet<KeyName>,
    header: Option<HeaderRecord>,
    steps: BTreeMap<u32, Step>,
    keys: BTreeMap<u128, SecretKeyPair>,
    snapshot: Option<Snapshot>,
    faults: Vec<String>,
}

impl Gathered {
    /// The key names that the places tell; one, unless records were moved.
    pub(super) fn names(&self) -> &BTreeSet<KeyName> {
        &self.names
    }

    /// Takes in what lies at a key of a space; the place tells this name.
    ///
    /// # Errors
    /// Those of the crypto tool that say nothing about the record.
    pub(super) fn add(
        &mut self,
        vault: &Vault,
        name: KeyName,
        (space, key): (Space, &[u8]),
        stored: &[u8],
    ) -> Result<(), JournalError> {
        self.names.insert(name);
        let Some(place) = records::parse(space, key) else {
            let fault = "it has a record of a kind that this keyward does not know: it was put \
                         there, or a newer keyward wrote it";
            self.faults.push(fault.to_owned());
            return Ok(());
        };
        match self.read(vault, &place, stored) {
            Ok(()) => {}
            Err(unread) => {
                let listed = unread.listed(&place)?;
                self.faults
                    .push(format!("{}: {}", listed.place, listed.why));
            }
        }
        Ok(())
    }

    fn read(&mut self, vault: &Vault, place: &Place, stored: &[u8]) -> Result<(), Unread> {
        let Of::Rotation(_, _, number) = &place.of else {
            return Ok(());
        };
        match number {
            Number::Step(no) => {
                let step = vault.read(place, stored)?;
                self.steps.insert(*no, step);
            }
            Number::Keys(random) => {
                let pair = vault.read(place, stored)?;
                self.keys.insert(*random, pair);
            }
            Number::None if [HeaderRecord::KIND, ENDED_HEADER].contains(&place.kind) => {
                self.header = Some(vault.read(place, stored)?);
            }
            Number::None => self.snapshot = Some(vault.read(place, stored)?),
        }
        Ok(())
    }

    /// A rotation that has not ended; or why it cannot be read.
    pub(super) fn into_living(mut self) -> Result<(Header, Vec<Step>, RotationSecrets), String> {
        let header = self.whole()?;
        if header.state.has_ended() {
            return Err(format!(
                "its header says that it is {}, and its place that it has not ended",
                header.state
            ));
        }
        let secrets = RotationSecrets {
            old: self.take_keys(header.old_keys, "old")?,
            new: self.take_keys(header.new_keys, "new")?,
            snapshot: self.snapshot,
        };
        if header.begun && secrets.snapshot.is_none() {
            return Err("its snapshot is missing".to_owned());
        }
        Ok((header, self.steps.into_values().collect(), secrets))
    }

    /// A rotation that has ended; or why it cannot be read.
    pub(super) fn into_ended(mut self) -> Result<(Header, Vec<Step>), String> {
        let header = self.whole()?;
        Ok((header, self.steps.into_values().collect()))
    }

    /// The header, if every record could be read and no step is missing.
    fn whole(&mut self) -> Result<Header, String> {
        if !self.faults.is_empty() {
            let more = self.faults.len().saturating_sub(MAX_FAULTS);
            self.faults.truncate(MAX_FAULTS);
            let told = self.faults.join("; ");
            return Err(match more {
                0 => told,
                more => format!("{told}; and {more} more"),
            });
        }
        if self.names.len() > 1 {
            return Err("it has records of more than one key".to_owned());
        }
        let Some(HeaderRecord { header, steps }) = self.header.take() else {
            return Err("its header is missing".to_owned());
        };
        let numbers = self.steps.keys().copied();
        if !numbers.eq(0..steps) {
            let found = self.steps.len();
            return Err(format!("it has {steps} steps, and {found} were found"));
        }
        Ok(header)
    }

    fn take_keys(
        &mut self,
        random: Option<u128>,
        which: &str,
    ) -> Result<Option<SecretKeyPair>, String> {
        let Some(random) = random else {
            return Ok(None);
        };
        match self.keys.remove(&random) {
            Some(pair) => Ok(Some(pair)),
            None => Err(format!("its {which} keys are missing")),
        }
    }
}
