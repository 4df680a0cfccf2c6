//! The keys of rotations: in memory only while they are needed. What waits, or was stopped, has its keys
//! in the journal; they are read when it begins to run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::actors::coordinator::message::{CoordinatorMessage, FoundKeys};
use crate::actors::coordinator::part::CoordinatorPart;
use crate::actors::coordinator::work::{RotationKeys, RotationWork, StepWork};
use crate::actors::directory::KeyEntry;
use crate::actors::key_message::KeyMessage;
use crate::journal::error::JournalError;
use crate::journal::secrets::RotationSecrets;
use crate::key::name::KeyName;
use crate::rotation::effect::Fact;
use crate::rotation::error::RotationError;
use crate::rotation::event::StepRef;
use crate::rotation::id::RotationId;
use crate::rotation::status::CallbackStatus;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};
use crate::worker::call::CallEnd;
use crate::worker::link::{WorkerEvent, WorkerRequest};

/// After how long keys are read again that the repo did not answer.
pub(super) const READ_AGAIN: Duration = Duration::from_secs(1);

impl CoordinatorPart {
    /// The keys of a rotation, if they are here.
    pub(super) fn secrets(&self, id: RotationId) -> Option<&RotationSecrets> {
        self.rotations.get(&id)?.secrets()
    }

    /// A defined key.
    pub(super) fn key(&self, key: &KeyName) -> Option<Arc<KeyEntry>> {
        self.declarer.directory.get(key.as_str())
    }

    /// A rotation begins: its keys come first, and then what its key has.
    pub(super) fn begin_with(&mut self, rotation: RotationId, key: &KeyName) {
        if self.has_keys(rotation) {
            self.snapshot(rotation, key);
        } else {
            self.read_keys(rotation);
        }
    }

    /// Has the keys of a rotation read, after what is asked of the journal so far and before the rest, unless they
    /// are being read.
    pub(super) fn read_keys(&mut self, rotation: RotationId) {
        let work = self.rotations.entry(rotation).or_default();
        if std::mem::replace(&mut work.reads, true) {
            return;
        }
        let slot = self.slot.clone();
        self.means.journal.submit(
            move |journal| journal.living_secrets(rotation),
            move |done| {
                let found = match done {
                    Ok(found) => FoundKeys::from(found),
                    Err(closed) => FoundKeys::Unavailable(closed.into()),
                };
                slot.post(CoordinatorMessage::Keys { rotation, found });
            },
        );
    }

    pub(super) fn has_keys(&self, id: RotationId) -> bool {
        self.rotations
            .get(&id)
            .is_some_and(|work| work.kept.is_some())
    }

    fn keep(&mut self, id: RotationId, kept: RotationKeys) {
        let work = self.rotations.entry(id).or_default();
        work.kept.get_or_insert(kept);
    }

    /// Tells the new keys of a rotation, from the journal where they are not here; none of one that has
    /// ended.
    pub(super) fn new_keys_of(
        &self,
        id: RotationId,
        tell: impl FnOnce(Result<Option<SecretKeyPair>, RotationError>) + Send + 'static,
    ) {
        if let Some(here) = self.secrets(id) {
            return tell(Ok(here.new.clone()));
        }
        self.means.journal.submit(
            move |journal| journal.living_secrets(id),
            move |done| {
                let found = match done {
                    Ok(Ok(secrets)) => Ok(secrets.and_then(|secrets| secrets.new)),
                    Ok(Err(error @ JournalError::Unreadable { .. })) => {
                        let why = error.to_string();
                        Err(RotationError::Unreadable { id, why })
                    }
                    Ok(Err(error)) => Err(RotationError::of_journal(Some(id), (&error).into())),
                    Err(closed) => Err(RotationError::of_journal(Some(id), closed.into())),
                };
                tell(found);
            },
        );
    }

    /// The keys of a rotation were read, or could not be.
    pub(super) fn keys_read(&mut self, rotation: RotationId, found: FoundKeys) {
        let begins = self.engine.machine().is_beginning(rotation);
        if let Some(work) = self.rotations.get_mut(&rotation) {
            work.reads = false;
        }
        match found {
            FoundKeys::Found(Some(secrets)) => self.keep(rotation, RotationKeys::Here(secrets)),
            FoundKeys::Unreadable(why) => {
                let told = why.clone();
                self.means.events.tell(move || {
                    tracing::error!(%rotation, why = %told, "the keys of a rotation cannot be read");
                });
                let snapshot = None;
                self.keep(rotation, RotationKeys::Unreadable { why, snapshot });
            }
            FoundKeys::Found(None) => {
                if self
                    .rotations
                    .get(&rotation)
                    .is_some_and(RotationWork::is_empty)
                {
                    self.rotations.remove(&rotation);
                }
                return;
            }
            FoundKeys::Unavailable(down) if down.is_for_good() => {
                return self.slot.post(CoordinatorMessage::InDoubt(down));
            }
            FoundKeys::Unavailable(_) if begins => return self.read_keys_later(rotation),
            FoundKeys::Unavailable(_) => return,
        }
        let key = self.engine.machine().key_of(rotation).filter(|_| begins);
        if let Some(key) = key {
            self.snapshot(rotation, &key);
        }
    }

    fn read_keys_later(&self, rotation: RotationId) {
        let again = CoordinatorMessage::ReadKeys { rotation };
        self.slot.post_after(READ_AGAIN, again);
    }

    /// It is time to read the keys of a rotation again, if that still begins.
    pub(super) fn read_keys_again(&mut self, rotation: RotationId) {
        let machine = self.engine.machine();
        if let Some(key) = machine
            .key_of(rotation)
            .filter(|_| machine.is_beginning(rotation))
        {
            self.begin_with(rotation, &key);
        }
    }

    /// What a batch will need when it is durable is read before it is made: the keys of a rotation
    /// that an earlier life of the program began, for a callback or for its end.
    pub(super) fn read_keys_for(&mut self, facts: &[Fact]) {
        let mut needed = BTreeSet::new();
        for fact in facts {
            match fact {
                Fact::Step(id, _, step) if step.status == CallbackStatus::InProgress => {
                    needed.insert(*id);
                }
                Fact::Rotation(header) | Fact::Ended(header, _)
                    if header.resumes > 0 && !header.state.goes_on() =>
                {
                    needed.insert(header.id);
                }
                // A step of memory that an earlier life began may be given to further instances.
                Fact::Instance(instance) => {
                    needed.extend(instance.unreturned().map(|(step, _)| step.rotation));
                }
                Fact::Step(..)
                | Fact::Rotation(_)
                | Fact::Ended(..)
                | Fact::NextSequence(_)
                | Fact::Member(_)
                | Fact::MemberGone(_)
                | Fact::Callback(_)
                | Fact::CallbackGone { .. }
                | Fact::InstanceGone { .. }
                | Fact::Keys(_)
                | Fact::Snapshot(_)
                | Fact::Record(_)
                | Fact::Version(..)
                | Fact::Dismissed(_)
                | Fact::Act(_) => {}
            }
        }
        for id in needed {
            if !self.has_keys(id) {
                self.read_keys(id);
            }
        }
    }

    /// The keys of these rotations are durable: of what only waits they are needed no more.
    pub(super) fn put_keys_away(&mut self, durable: &[RotationId]) {
        for id in durable {
            self.put_away(*id);
        }
    }

    pub(super) fn put_away(&mut self, id: RotationId) {
        let is_needed = self.engine.machine().needs_keys(id);
        if let Some(work) = self.rotations.get_mut(&id).filter(|_| !is_needed) {
            work.kept = None;
        }
    }

    /// As [`put_keys_away`](Self::put_keys_away), after the journal was read: what it does not have is gone.
    pub(super) fn put_all_keys_away(&mut self) {
        let machine = self.engine.machine();
        self.rotations.retain(|id, work| {
            work.kept.take_if(|_| !machine.needs_keys(*id));
            !work.is_empty()
        });
    }

    /// A callback that is to be called has no keys: it has failed if they cannot be read, and is called
    /// later if the repo did not answer.
    pub(super) fn uncalled_without_keys(&mut self, step: StepRef, attempt: u32) {
        if let Some(StepWork::Calling(worker, _)) = self.steps.get(&step) {
            worker.ask(WorkerRequest::Release { step });
        }
        let slot = self.slot.clone();
        let work = self.rotations.get(&step.rotation);
        match work.and_then(|work| work.kept.as_ref()) {
            Some(RotationKeys::Unreadable { why, .. }) => {
                let error = format!("the keys of the rotation cannot be read: {why}");
                let end = CallEnd::failed(error);
                let ended = WorkerEvent::Ended { step, attempt, end };
                slot.post(CoordinatorMessage::Worker(ended));
            }
            Some(RotationKeys::Here(_)) | None => {
                let uncalled = WorkerEvent::Uncalled { step, attempt };
                slot.post_after(READ_AGAIN, CoordinatorMessage::Worker(uncalled));
            }
        }
    }

    /// Tells a key which keys a rotation of it has, so that no text shows them.
    pub(super) fn let_key_know(&mut self, rotation: RotationId, key: &KeyName) {
        let Some(entry) = self.key(key) else {
            return;
        };
        if let Some(work) = self.rotations.get_mut(&rotation) {
            entry.post(KeyMessage::Knows {
                rotation,
                beginnings: work.beginnings.clone(),
            });
            work.known_to = Some(key.clone());
        }
    }

    /// A rotation has ended: nothing of it is kept, and its key forgets its keys.
    pub(super) fn forget_rotation(&mut self, rotation: RotationId) {
        if let Some(work) = self.rotations.remove(&rotation) {
            self.let_key_forget(rotation, work.known_to);
        }
    }

    fn let_key_forget(&self, rotation: RotationId, known_to: Option<KeyName>) {
        if let Some(entry) = known_to.and_then(|key| self.key(&key)) {
            entry.post(KeyMessage::Forgets { rotation });
        }
    }

    /// The journal was read anew: these rotations have keys there, and no others. Keys that are here
    /// stay until what the reading leads to is performed.
    pub(super) fn take_beginnings(
        &mut self,
        mut beginnings: BTreeMap<RotationId, Vec<SecretKeyValue>>,
    ) {
        let mut forgotten = Vec::new();
        for (id, work) in &mut self.rotations {
            let found = beginnings.remove(id);
            if found.is_none() {
                forgotten.push((*id, work.known_to.take()));
            }
            work.beginnings = found.unwrap_or_default();
        }
        for (id, beginnings) in beginnings {
            self.rotations.entry(id).or_default().beginnings = beginnings;
        }
        for (id, known_to) in forgotten {
            self.let_key_forget(id, known_to);
        }
    }

    /// Asks a key what it has, for a rotation that begins.
    fn snapshot(&self, rotation: RotationId, key: &KeyName) {
        let Some(entry) = self.key(key) else {
            return;
        };
        let slot = self.slot.clone();
        let tell = move |snapshot| slot.post(CoordinatorMessage::Snapped { rotation, snapshot });
        entry.post(KeyMessage::Snapshot {
            ticket: entry.ticket(),
            tell: Box::new(tell),
        });
    }
}
