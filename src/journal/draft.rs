//! Turns facts into one batch: one change a record, the last fact about it counts.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::acts;
use crate::journal::codec::acts::ActsRecord;
use crate::journal::codec::meta::SequenceRecord;
use crate::journal::codec::rotation::{ENDED_HEADER, ENDED_STEP, HeaderRecord};
use crate::journal::codec::{Plain, Record, TooLarge};
use crate::journal::error::JournalError;
use crate::journal::fact::{Attached, JournalFact};
use crate::journal::fence::Fence;
use crate::journal::fingerprints::KeyFingerprints;
use crate::journal::known::{Known, Learned};
use crate::journal::place::{Number, Of, OfVersions, Place, layout};
use crate::journal::quarantine::Quarantine;
use crate::journal::scanned::{collect, of_worker};
use crate::journal::vault::{Unread, Vault};
use crate::key::name::{KeyName, WorkerName};
use crate::key::state::{RecordChange, Snapshot, StateRecord};
use crate::key::versions::fact::VersionFact;
use crate::repo::batch::Batch;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;
use crate::rotation::effect::Fact;
use crate::rotation::id::RotationId;
use crate::rotation::instance::Instance;
use crate::rotation::plan::{Header, Step};
use crate::rotation::roster::{Member, MemberCallback};
use crate::secret::value::SecretKeyPair;

/// What becomes of a record; its bytes before they are sealed.
pub(super) enum Planned {
    Put(Result<Plain, TooLarge>),
    Delete,
}

/// A rotation's header as the batch will leave it.
struct Pending {
    record: HeaderRecord,
    /// As it is durable now, if it is.
    before: Option<HeaderRecord>,
}

/// A batch in the making. It reads, and writes nothing.
pub(super) struct Draft<'a> {
    pub(super) repo: &'a dyn StateRepo,
    vault: &'a Vault,
    known: &'a Known,
    pub(super) fingerprints: &'a KeyFingerprints,
    quarantine: Quarantine,
    /// The living rotations that have no record that cannot be read.
    sound: BTreeSet<RotationId>,
    pub(super) changes: BTreeMap<Place, Planned>,
    headers: BTreeMap<RotationId, Pending>,
    ended: BTreeSet<RotationId>,
    dismissed: BTreeSet<RotationId>,
    /// Places in the order of the history.
    order: Vec<Vec<u8>>,
    /// What was done that stands with no rotation, once something is added to it.
    acts: Option<ActsRecord>,
}

impl<'a> Draft<'a> {
    /// For the next batch of this journal.
    pub(super) fn new(
        repo: &'a dyn StateRepo,
        vault: &'a Vault,
        fence: &Fence,
        known: &'a Known,
        fingerprints: &'a KeyFingerprints,
    ) -> Self {
        Self {
            repo,
            vault,
            known,
            fingerprints,
            sound: BTreeSet::new(),
            quarantine: Quarantine::new(fence.life(), fence.next()),
            changes: BTreeMap::new(),
            headers: BTreeMap::new(),
            ended: BTreeSet::new(),
            dismissed: BTreeSet::new(),
            order: Vec::new(),
            acts: None,
        }
    }

    pub(super) fn add(&mut self, fact: &JournalFact) -> Result<(), JournalError> {
        match (&fact.fact, &fact.attached) {
            (Fact::Keys(id), Attached::Keys { old, new }) => self.keys(*id, old, new),
            (Fact::Snapshot(id), Attached::Snapshot(snapshot)) => self.snapshot(*id, snapshot),
            (Fact::Version(key, VersionFact::Value(id)), Attached::Value(value)) => {
                self.put(Of::Versions(key.clone(), OfVersions::Version(*id)), value);
                Ok(())
            }
            (Fact::Record(_), Attached::Record { key, change }) => {
                if let Some(change) = change {
                    self.state(key, change);
                }
                Ok(())
            }
            (fact, Attached::Nothing) => self.add_plain(fact),
            (
                fact,
                Attached::Keys { .. }
                | Attached::Snapshot(_)
                | Attached::Value(_)
                | Attached::Record { .. },
            ) => Err(incomplete(format!(
                "{} with another's attachment",
                fact.name()
            ))),
        }
    }

    fn add_plain(&mut self, fact: &Fact) -> Result<(), JournalError> {
        match fact {
            Fact::NextSequence(next) => self.put(Of::Database, &SequenceRecord { next: *next }),
            Fact::Member(member) => self.put(Of::Worker(member.worker.clone()), member),
            Fact::MemberGone(worker) => self.member_gone(worker)?,
            Fact::Callback(new) => {
                let (worker, key) = (new.worker.clone(), new.key.clone());
                self.put(Of::Callback(worker, key, new.callback.clone()), new);
            }
            Fact::CallbackGone {
                worker,
                key,
                callback,
            } => {
                let of = Of::Callback(worker.clone(), key.clone(), callback.clone());
                self.delete::<MemberCallback>(of);
            }
            Fact::Instance(instance) => {
                let of = Of::Instance(instance.worker.clone(), instance.number);
                self.put(of, instance);
            }
            Fact::InstanceGone { worker, number } => {
                self.delete::<Instance>(Of::Instance(worker.clone(), *number));
            }
            Fact::Rotation(header) => self.rotation(header)?,
            Fact::Step(id, key, step) => self.step(*id, key, step)?,
            Fact::Ended(header, steps) => self.ended(header, steps)?,
            Fact::Version(key, fact) => self.version(key, fact)?,
            Fact::Dismissed(id) => drop(self.dismissed.insert(*id)),
            Fact::Act(act) => {
                let acts = acts::with(self.acts.take(), act, self.repo, self.vault)?;
                self.put(Of::Database, &acts);
                self.acts = Some(acts);
            }
            Fact::Keys(_) | Fact::Snapshot(_) | Fact::Record(_) => {
                return Err(incomplete(format!(
                    "{} without its attachment",
                    fact.name()
                )));
            }
        }
        Ok(())
    }

    /// A change of a key's state record.
    pub(super) fn state(&mut self, key: &KeyName, change: &RecordChange) {
        let of = Of::Key(key.clone());
        match change {
            RecordChange::Put(record) => self.put(of, record),
            RecordChange::Delete => self.delete::<StateRecord>(of),
        }
    }

    pub(super) fn put<R: Record>(&mut self, of: Of, record: &R) {
        self.put_at(R::place(of), record);
    }

    fn put_at(&mut self, place: Place, record: &impl Record) {
        self.changes.insert(place, Planned::Put(record.encode()));
    }

    pub(super) fn delete<R: Record>(&mut self, of: Of) {
        self.changes.insert(R::place(of), Planned::Delete);
    }

    fn member_gone(&mut self, worker: &WorkerName) -> Result<(), JournalError> {
        for (place, change) in &mut self.changes {
            if matches!(&place.of, Of::Callback(of, ..) | Of::Instance(of, _) if of == worker) {
                *change = Planned::Delete;
            }
        }
        for place in of_worker(self.repo, worker)? {
            self.changes.insert(place, Planned::Delete);
        }
        self.delete::<Member>(Of::Worker(worker.clone()));
        Ok(())
    }

    fn rotation(&mut self, header: &Header) -> Result<(), JournalError> {
        if let Some(pending) = self.pending(header.id)? {
            pending.record.header = header.clone();
            return Ok(());
        }
        let record = HeaderRecord {
            header: header.clone(),
            steps: 0,
        };
        let before = None;
        self.headers.insert(header.id, Pending { record, before });
        Ok(())
    }

    fn step(&mut self, id: RotationId, key: &KeyName, step: &Step) -> Result<(), JournalError> {
        let record = self.known(id)?;
        record.steps = record.steps.max(step.no.saturating_add(1));
        self.put(Of::Rotation(id, key.clone(), Number::Step(step.no)), step);
        Ok(())
    }

    fn ended(&mut self, header: &Header, steps: &[Step]) -> Result<(), JournalError> {
        let (id, key) = (header.id, &header.key);
        self.headers.remove(&id);
        self.changes
            .retain(|place, _| place.space() != Space::Rotations || place.rotation() != Some(id));
        self.ended.insert(id);
        let numbers = steps.iter().map(|step| step.no.saturating_add(1));
        let count = numbers.max().unwrap_or_default();
        let place = |kind, number| {
            let of = Of::Rotation(id, key.clone(), number);
            Place { kind, of }
        };
        let record = HeaderRecord {
            header: header.clone(),
            steps: count,
        };
        self.put_at(place(ENDED_HEADER, Number::None), &record);
        for step in steps {
            self.put_at(place(ENDED_STEP, Number::Step(step.no)), step);
        }
        self.order.push(layout::order_bytes(header.seq, id, key));
        Ok(())
    }

    pub(super) fn known(&mut self, id: RotationId) -> Result<&mut HeaderRecord, JournalError> {
        match self.pending(id)? {
            Some(pending) => Ok(&mut pending.record),
            None => Err(incomplete(format!("rotation {id} has no header"))),
        }
    }

    /// The header as the facts so far leave it, from the repo if there were none.
    fn pending(&mut self, id: RotationId) -> Result<Option<&mut Pending>, JournalError> {
        if self.ended.contains(&id) {
            return Err(incomplete(format!("rotation {id} has ended")));
        }
        if !self.headers.contains_key(&id) {
            let found = self.known.find(self.repo, self.vault, id)?;
            if found.is_sound {
                self.sound.insert(id);
            }
            if let Some(record) = found.header {
                let before = Some(record.clone());
                self.headers.insert(id, Pending { record, before });
            }
        }
        Ok(self.headers.get_mut(&id))
    }

    /// The batch, and what is known once it is made.
    pub(super) fn finish(mut self) -> Result<(Batch, Learned), JournalError> {
        let mut learned = Learned {
            headers: self.add_headers()?,
            gone: &self.ended | &self.dismissed,
            places: Vec::new(),
            put_aside: Vec::new(),
            ended: std::mem::take(&mut self.order),
        };
        let mut batch = Batch::new();
        for id in std::mem::take(&mut self.dismissed) {
            let prefix = layout::living_prefix(id);
            for (key, stored) in collect(self.repo, Space::Rotations, &prefix)? {
                batch = (self.quarantine).copy(batch, Space::Rotations, &key, stored);
                batch = batch.delete(Space::Rotations, key);
            }
        }
        for id in &self.ended {
            let prefix = layout::living_prefix(*id);
            for (key, _) in collect(self.repo, Space::Rotations, &prefix)? {
                batch = batch.delete(Space::Rotations, key);
            }
            // Records may lie already where this one's go.
            match collect(self.repo, Space::History, &layout::ended_prefix(*id))?.as_slice() {
                [] => self.sound.insert(*id),
                _ => self.sound.remove(id),
            };
        }
        for place in &learned.ended {
            batch = batch.put(Space::History, place.as_slice(), []);
        }
        for (place, change) in std::mem::take(&mut self.changes) {
            let rotation = place.rotation();
            let may_be_read = match rotation {
                Some(id) => self.sound.contains(&id),
                None => self.known.has(&place),
            };
            let (space, key) = (place.space(), place.bytes());
            if !may_be_read && let Some(stored) = self.cannot_be_read(&place, &key)? {
                batch = self.quarantine.copy(batch, space, &key, stored);
                learned.put_aside.push((space, key.clone()));
            }
            batch = match change {
                Planned::Put(plain) => batch.put(space, key, self.vault.seal(&place, plain)?),
                Planned::Delete => batch.delete(space, key),
            };
            // There are no more of these than keys. States may turn out unreadable whenever they are loaded.
            if matches!(space, Space::Meta | Space::Keys) {
                learned.places.push(place);
            }
        }
        Ok((batch, learned))
    }

    /// What lies at a place, if it cannot be read.
    fn cannot_be_read(&self, place: &Place, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(stored) = self.repo.get(place.space(), key)? else {
            return Ok(None);
        };
        match self.vault.check(place, &stored) {
            Ok(()) => Ok(None),
            Err(Unread::DoesNotOpen(_) | Unread::Unreadable(_)) => Ok(Some(stored)),
            Err(unread @ Unread::Tool(_)) => Err(unread.needed(place)),
        }
    }

    /// Adds the headers that have changed; answers those of rotations without an unreadable record.
    fn add_headers(&mut self) -> Result<BTreeMap<RotationId, HeaderRecord>, JournalError> {
        let mut sound = BTreeMap::new();
        for (id, pending) in std::mem::take(&mut self.headers) {
            let Pending { record, before } = pending;
            if before.as_ref() != Some(&record) {
                self.check_whole(id, &record.header, before.map(|before| before.header))?;
                let key = record.header.key.clone();
                self.put(Of::Rotation(id, key, Number::None), &record);
            }
            if self.sound.contains(&id) {
                sound.insert(id, record);
            }
        }
        Ok(sound)
    }

    /// What a header names for the first time is in the same batch.
    fn check_whole(
        &self,
        id: RotationId,
        header: &Header,
        before: Option<Header>,
    ) -> Result<(), JournalError> {
        let of = |number| Of::Rotation(id, header.key.clone(), number);
        let has = |place: Place| self.changes.contains_key(&place);
        let keys = [header.old_keys, header.new_keys];
        let known = before
            .as_ref()
            .map_or([None; 2], |before| [before.old_keys, before.new_keys]);
        let missing = keys.into_iter().flatten().any(|random| {
            !known.contains(&Some(random)) && !has(SecretKeyPair::place(of(Number::Keys(random))))
        });
        let begins = header.begun && !before.is_some_and(|before| before.begun);
        let lacks = if missing {
            "its keys"
        } else if begins && !has(Snapshot::place(of(Number::None))) {
            "its snapshot"
        } else {
            return Ok(());
        };
        Err(incomplete(format!("rotation {id} comes without {lacks}")))
    }
}

pub(super) fn incomplete(what: String) -> JournalError {
    JournalError::Incomplete { what }
}
