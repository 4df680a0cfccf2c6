//! Loading: all that the coordinator needs to go on, and the list of what cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::journal::codec::Record;
use crate::journal::codec::meta::{BatchRecord, SequenceRecord};
use crate::journal::error::JournalError;
use crate::journal::gathered::Gathered;
use crate::journal::opened::Journal;
use crate::journal::place::{Of, Place, layout};
use crate::journal::records;
use crate::journal::secrets::RotationSecrets;
use crate::journal::unreadable::At;
use crate::key::versions::held::VersionValues;
use crate::operator::status::UnreadableRecord;
use crate::repo::space::Space;
use crate::rotation::durable::DurableFacts;
use crate::rotation::id::RotationId;
use crate::rotation::instance::Instance;
use crate::rotation::report::UnreadableRotation;
use crate::rotation::roster::{Member, MemberCallback};
use crate::secret::value::SecretKeyValue;

/// What the journal has of a coordinator.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct LoadedJournal {
    /// The facts for the coordinator's machine.
    pub facts: DurableFacts,
    /// The secrets of each rotation among them, where they were wanted.
    pub secrets: BTreeMap<RotationId, RotationSecrets>,
    /// The beginnings of the keys of each rotation among them, by which texts that quote them are
    /// found.
    pub beginnings: BTreeMap<RotationId, Vec<SecretKeyValue>>,
    /// The values of the versions of all keys, where they can be read.
    pub values: VersionValues,
    /// Every other record that cannot be read. The machine goes on without them.
    pub unreadable: Vec<UnreadableRecord>,
}

/// What is shown a key and what is stored there.
pub(super) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), JournalError> + 'a;

impl Journal {
    /// Reads everything that the coordinator needs, and opens every record of states and of what was
    /// declared, to list those that cannot be read. A rotation with any record that cannot be read
    /// is among `facts.unreadable` and its records stay where they are; so does every other record
    /// in the list of the unreadable.
    ///
    /// # Errors
    /// The repo's, and those of the crypto tool that say nothing about the records.
    #[cfg(feature = "testing")]
    pub fn load(&self) -> Result<LoadedJournal, JournalError> {
        self.load_all(true)
    }

    /// As [`load`](Self::load), but the keys of rotations are only looked at, one rotation after the
    /// other, and not kept: [`living_secrets`](Self::living_secrets) has them when they are needed.
    ///
    /// # Errors
    /// As there.
    pub fn load_without_keys(&self) -> Result<LoadedJournal, JournalError> {
        self.load_all(false)
    }

    fn load_all(&self, with_keys: bool) -> Result<LoadedJournal, JournalError> {
        let unreadable = self.unreadable_records()?;
        let loaded = self.load_for_the_coordinator(with_keys)?;
        Ok(LoadedJournal {
            unreadable,
            ..loaded
        })
    }

    /// Reads again what the coordinator needs; of the other records those only that could not be read
    /// before. They are listed as they are now.
    ///
    /// # Errors
    /// As [`Journal::load`].
    #[cfg(feature = "testing")]
    pub fn load_again(&self) -> Result<LoadedJournal, JournalError> {
        self.load_all_again(true)
    }

    /// As [`load_again`](Self::load_again), but no keys are kept.
    ///
    /// # Errors
    /// As there.
    pub fn load_again_without_keys(&self) -> Result<LoadedJournal, JournalError> {
        self.load_all_again(false)
    }

    fn load_all_again(&self, with_keys: bool) -> Result<LoadedJournal, JournalError> {
        self.unreadable().look_again(self.repo()?, self.vault())?;
        let loaded = self.load_for_the_coordinator(with_keys)?;
        Ok(LoadedJournal {
            unreadable: self.unreadable().all(),
            ..loaded
        })
    }

    fn load_for_the_coordinator(&self, with_keys: bool) -> Result<LoadedJournal, JournalError> {
        let mut loaded = LoadedJournal::default();
        self.load_roster(&mut loaded.facts)?;
        self.load_rotations(&mut loaded, with_keys)?;
        self.load_versions(&mut loaded)?;
        loaded.facts.next_sequence = self.next_sequence(&loaded.facts)?;
        Ok(loaded)
    }

    /// What is sealed for a rotation that has not ended; none of another one.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] where a record of it cannot be read; errors of the repo and the
    /// crypto tool.
    pub fn living_secrets(&self, id: RotationId) -> Result<Option<RotationSecrets>, JournalError> {
        let mut found: Option<Gathered> = None;
        self.visit(
            Space::Rotations,
            &layout::living_prefix(id),
            &mut |key, stored| {
                if let Some((_, name)) = layout::rotation_at(Space::Rotations, key) {
                    let gathered = found.get_or_insert_default();
                    gathered.add(self.vault(), name, (Space::Rotations, key), stored)?;
                }
                Ok(())
            },
        )?;
        let Some(gathered) = found else {
            return Ok(None);
        };
        match gathered.into_living() {
            Ok((_, _, secrets)) => Ok(Some(secrets)),
            Err(why) => Err(JournalError::Unreadable {
                space: Space::Rotations,
                place: format!("the rotation {id}"),
                why,
            }),
        }
    }

    /// Every record that cannot be read, apart from those of rotations: counters, states of keys,
    /// workers and callbacks. All of them are opened for that, and the list of [`Journal::unreadable`]
    /// becomes this one.
    ///
    /// # Errors
    /// The repo's, and those of the crypto tool that say nothing about the records.
    pub fn unreadable_records(&self) -> Result<Vec<UnreadableRecord>, JournalError> {
        let mut unreadable: Vec<(At, UnreadableRecord)> = Vec::new();
        if let Some(replaced) = self.replaced() {
            let place = BatchRecord::place(Of::Database);
            unreadable.push(((place.space(), place.bytes()), replaced.clone()));
        }
        for space in [
            Space::Meta,
            Space::States,
            Space::Keys,
            Space::Roster,
            Space::Versions,
        ] {
            self.visit(space, b"", &mut |key, stored| {
                if space == Space::Meta && key == layout::DATABASE {
                    return Ok(());
                }
                match records::parse(space, key) {
                    Some(place) => match self.vault().check(&place, stored) {
                        Ok(()) => {}
                        Err(unread) => {
                            unreadable.push(((space, key.to_vec()), unread.listed(&place)?));
                        }
                    },
                    None => unreadable.push(unknown_place(space, key)),
                }
                Ok(())
            })?;
        }
        self.visit(Space::Rotations, b"", &mut |key, _| {
            if layout::rotation_at(Space::Rotations, key).is_none() {
                unreadable.push(unknown_place(Space::Rotations, key));
            }
            Ok(())
        })?;
        let records = unreadable
            .iter()
            .map(|(_, record)| record.clone())
            .collect();
        self.unreadable().replace(unreadable);
        Ok(records)
    }

    fn load_roster(&self, facts: &mut DurableFacts) -> Result<(), JournalError> {
        self.visit(Space::Roster, b"", &mut |key, stored| {
            if let Some(place) = records::parse(Space::Roster, key) {
                if place.kind == Member::KIND {
                    facts
                        .members
                        .extend(self.readable::<Member>(&place, stored)?);
                } else if place.kind == MemberCallback::KIND {
                    facts
                        .callbacks
                        .extend(self.readable::<MemberCallback>(&place, stored)?);
                } else if place.kind == Instance::KIND {
                    facts
                        .instances
                        .extend(self.readable::<Instance>(&place, stored)?);
                }
            }
            Ok(())
        })
    }

    fn load_rotations(
        &self,
        loaded: &mut LoadedJournal,
        with_keys: bool,
    ) -> Result<(), JournalError> {
        // The records of one rotation lie together.
        let mut of_one: Option<(RotationId, Gathered)> = None;
        self.visit(Space::Rotations, b"", &mut |key, stored| {
            if let Some((id, name)) = layout::rotation_at(Space::Rotations, key) {
                if let Some((other, gathered)) = of_one.take_if(|(of, _)| *of != id) {
                    loaded.take_in(other, gathered, with_keys);
                }
                let (_, gathered) = of_one.get_or_insert_with(|| (id, Gathered::default()));
                gathered.add(self.vault(), name, (Space::Rotations, key), stored)?;
            }
            Ok(())
        })?;
        if let Some((id, gathered)) = of_one {
            loaded.take_in(id, gathered, with_keys);
        }
        loaded.facts.rotations.sort_by_key(|(header, _)| header.seq);
        Ok(())
    }

    /// The next sequence number: never one that was used, also where its record was lost.
    fn next_sequence(&self, facts: &DurableFacts) -> Result<u64, JournalError> {
        let place = SequenceRecord::place(Of::Database);
        let mut next = 1;
        if let Some(stored) = self.repo()?.get(place.space(), &place.bytes())? {
            let known: Option<SequenceRecord> = self.readable(&place, &stored)?;
            next = next.max(known.map_or(0, |known| known.next));
        }
        let joined = facts.members.iter().map(|member| member.joined);
        let registered = facts.callbacks.iter().map(|callback| callback.registered);
        let instances = facts.instances.iter().map(|instance| instance.number);
        let rotations = facts.rotations.iter();
        let declared = rotations.map(|(header, _)| header.seq.max(header.place));
        let ended = self.newest_ended()?;
        let of_roster = joined.chain(registered).chain(instances);
        let used = of_roster.chain(declared).chain(ended).max();
        Ok(next.max(used.map_or(0, |used| used.saturating_add(1))))
    }

    fn readable<R: Record>(&self, place: &Place, stored: &[u8]) -> Result<Option<R>, JournalError> {
        match self.vault().read(place, stored) {
            Ok(record) => Ok(Some(record)),
            Err(unread) => {
                self.unreadable().add(place, unread.listed(place)?);
                Ok(None)
            }
        }
    }

    /// Shows every record of a prefix until one is an error.
    pub(super) fn visit(
        &self,
        space: Space,
        prefix: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), JournalError> {
        let mut result = Ok(());
        self.repo()?.scan(space, prefix, &mut |key, stored| {
            result = visit(key, stored);
            match result {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        result
    }
}

impl LoadedJournal {
    fn take_in(&mut self, id: RotationId, gathered: Gathered, with_keys: bool) {
        let names: BTreeSet<_> = gathered.names().clone();
        match gathered.into_living() {
            Ok((header, steps, secrets)) => {
                self.facts.rotations.push((header, steps));
                self.beginnings.insert(id, secrets.beginnings());
                if with_keys {
                    self.secrets.insert(id, secrets);
                }
            }
            Err(why) => {
                let of_key = |key| UnreadableRotation::new(id, key, true, why.clone());
                let unreadable = names.into_iter().map(of_key);
                self.facts.unreadable.extend(unreadable);
            }
        }
    }
}

fn unknown_place(space: Space, key: &[u8]) -> (At, UnreadableRecord) {
    let record = UnreadableRecord {
        space,
        place: format!("\"{}\"", key.escape_ascii()),
        why: "this keyward puts no record there: another one did, or it was put there".to_owned(),
    };
    ((space, key.to_vec()), record)
}
