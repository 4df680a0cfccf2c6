//! The versions of keys: read together, one key after the other, and planned record by record.

use std::collections::BTreeMap;

use crate::journal::codec::Record;
use crate::journal::codec::versions::CurrentRecord;
use crate::journal::draft::{Draft, Planned, incomplete};
use crate::journal::error::JournalError;
use crate::journal::load::LoadedJournal;
use crate::journal::opened::Journal;
use crate::journal::place::{Of, OfVersions, Place, layout};
use crate::journal::records;
use crate::journal::scanned::collect;
use crate::journal::vault::Vault;
use crate::key::name::KeyName;
use crate::key::state::RecordChange;
use crate::key::versions::debt::Debt;
use crate::key::versions::fact::VersionFact;
use crate::key::versions::held::{VersionValue, VersionValues};
use crate::key::versions::table::VersionTable;
use crate::key::versions::version::Version;
use crate::repo::space::Space;

/// What was found of one key's versions.
#[derive(Default)]
struct Found {
    facts: Vec<VersionFact>,
    values: VersionValues,
    faults: Vec<String>,
}

impl Found {
    fn add(&mut self, vault: &Vault, place: &Place, stored: &[u8]) -> Result<(), JournalError> {
        let Of::Versions(_, of) = &place.of else {
            return Ok(());
        };
        let read = match of {
            OfVersions::Current => vault.read::<CurrentRecord>(place, stored).map(|read| {
                let CurrentRecord { current, next } = read;
                self.facts.push(VersionFact::Current { current, next });
            }),
            OfVersions::Version(_) if place.kind == Version::KIND => {
                let read = vault.read::<Version>(place, stored);
                read.map(|version| self.facts.push(VersionFact::Version(version)))
            }
            OfVersions::Version(id) => {
                match vault.read::<VersionValue>(place, stored) {
                    Ok(value) => drop(self.values.insert(*id, value)),
                    // The others are there; this one is listed, and named to whoever asks for it.
                    Err(unread) => drop(unread.listed(place)?),
                }
                Ok(())
            }
            OfVersions::Debt(version, worker) => {
                let debt = match vault.read::<Debt>(place, stored) {
                    Ok(debt) => debt,
                    // Its place tells that it is owed: what pays a debt ends it, and no damage does.
                    Err(unread) => {
                        drop(unread.listed(place)?);
                        Debt::since(0)
                    }
                };
                self.facts.push(VersionFact::Debt {
                    version: *version,
                    worker: worker.clone(),
                    debt,
                });
                Ok(())
            }
        };
        if let Err(unread) = read {
            let listed = unread.listed(place)?;
            self.faults
                .push(format!("{}: {}", listed.place, listed.why));
        }
        Ok(())
    }

    fn table(self) -> (Result<VersionTable, String>, VersionValues) {
        let Self {
            facts,
            values,
            faults,
        } = self;
        let table = if faults.is_empty() {
            let whole = VersionTable::of_facts(facts);
            whole.ok_or_else(|| "the record of the current version is missing".to_owned())
        } else {
            Err(faults.join("; "))
        };
        (table, values)
    }
}

impl Journal {
    /// Reads the versions of every key.
    pub(super) fn load_versions(&self, loaded: &mut LoadedJournal) -> Result<(), JournalError> {
        let mut all: BTreeMap<KeyName, Found> = BTreeMap::new();
        self.visit(Space::Versions, b"", &mut |key, stored| {
            let place = records::parse(Space::Versions, key);
            let name = layout::versions_at(key);
            match (place, name) {
                (Some(place), Some(name)) => {
                    all.entry(name)
                        .or_default()
                        .add(self.vault(), &place, stored)
                }
                (None, Some(name)) => {
                    let fault = "it has a record of a kind that this keyward does not know";
                    all.entry(name).or_default().faults.push(fault.to_owned());
                    Ok(())
                }
                (_, None) => Ok(()),
            }
        })?;
        for (key, found) in all {
            let (table, values) = found.table();
            loaded.facts.versions.insert(key, table);
            loaded.values.extend(values);
        }
        Ok(())
    }
}

impl Draft<'_> {
    pub(super) fn version(
        &mut self,
        key: &KeyName,
        fact: &VersionFact,
    ) -> Result<(), JournalError> {
        let of = |of| Of::Versions(key.clone(), of);
        match fact {
            VersionFact::Current { current, next } => {
                let (current, next) = (*current, *next);
                self.put(of(OfVersions::Current), &CurrentRecord { current, next });
            }
            VersionFact::Version(version) => {
                self.put(of(OfVersions::Version(version.id)), version);
            }
            VersionFact::Value(id) => {
                return Err(incomplete(format!("version {id} without its value")));
            }
            VersionFact::Gone(id) => {
                self.delete::<Version>(of(OfVersions::Version(*id)));
                self.delete::<VersionValue>(of(OfVersions::Version(*id)));
                let debts = Debt::place(of(OfVersions::Version(*id))).bytes();
                self.versions_gone(&debts)?;
            }
            VersionFact::Debt {
                version,
                worker,
                debt,
            } => self.put(of(OfVersions::Debt(*version, worker.clone())), debt),
            VersionFact::DebtGone { version, worker } => {
                self.delete::<Debt>(of(OfVersions::Debt(*version, worker.clone())));
            }
            VersionFact::NoStateRecord => self.state(key, &RecordChange::Delete),
            VersionFact::NoVersions => self.versions_gone(&layout::versions_of(key))?,
        }
        Ok(())
    }

    /// All records in the space of versions with this prefix go, those of this batch too.
    fn versions_gone(&mut self, prefix: &[u8]) -> Result<(), JournalError> {
        for (place, change) in &mut self.changes {
            if place.space() == Space::Versions && place.bytes().starts_with(prefix) {
                *change = Planned::Delete;
            }
        }
        for (key, _) in collect(self.repo, Space::Versions, prefix)? {
            if let Some(place) = records::parse(Space::Versions, &key) {
                self.changes.insert(place, Planned::Delete);
            }
        }
        Ok(())
    }
}
