//! The keys of rotations: in memory only while they are needed. What waits, or was stopped, has its keys
//! in the journal; they are read when it begins to run.

use std::time::Duration;

use tokio::time::sleep;

use crate::actors::coordinator::CoordinatorPart;
use crate::actors::coordinator_message::CoordinatorMessage;
use crate::actors::key_message::KeyMessage;
use crate::actors::supervision::actor;
use crate::journal::error::JournalError;
use crate::journal::load::RotationSecrets;
use crate::key::journal_down::JournalDown;
use crate::key::name::KeyName;
use crate::key::state::Snapshot;
use crate::rotation::effect::Fact;
use crate::rotation::error::RotationError;
use crate::rotation::event::StepRef;
use crate::rotation::id::RotationId;
use crate::rotation::status::CallbackStatus;
use crate::secret::value::SecretKeyPair;
use crate::worker::call::CallEnd;
use crate::worker::link::{WorkerEvent, WorkerRequest};

/// After how long keys are read again that the repo did not answer.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// The keys of a rotation that needs them.
pub(super) enum Kept {
    /// They are here.
    Here(RotationSecrets),
    /// They cannot be read. What the key had when it began to run is here all the same.
    Unreadable {
        why: String,
        snapshot: Option<Snapshot>,
    },
}

impl Kept {
    pub(super) fn secrets(&self) -> Option<&RotationSecrets> {
        match self {
            Self::Here(secrets) => Some(secrets),
            Self::Unreadable { .. } => None,
        }
    }

    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Here(secrets) => secrets.snapshot.as_ref(),
            Self::Unreadable { snapshot, .. } => snapshot.as_ref(),
        }
    }

    pub(super) fn set_snapshot(&mut self, had: Snapshot) {
        match self {
            Self::Here(secrets) => secrets.snapshot = Some(had),
            Self::Unreadable { snapshot, .. } => *snapshot = Some(had),
        }
    }
}

/// What came of reading the keys of a rotation.
pub enum FoundKeys {
    /// These; none where it has ended.
    Found(Option<RotationSecrets>),
    /// They cannot be read.
    Unreadable(String),
    /// The repo does not answer.
    Unavailable(JournalDown),
}

impl From<Result<Option<RotationSecrets>, JournalError>> for FoundKeys {
    fn from(found: Result<Option<RotationSecrets>, JournalError>) -> Self {
        match found {
            Ok(found) => Self::Found(found),
            Err(error @ JournalError::Unreadable { .. }) => Self::Unreadable(error.to_string()),
            Err(error) => Self::Unavailable(error.down()),
        }
    }
}

impl CoordinatorPart {
    /// A rotation begins: its keys come first, and then what its key has.
    pub(super) fn begin_with(&self, rotation: RotationId, key: &KeyName) {
        if self.secrets.contains_key(&rotation) {
            self.snapshot(rotation, key);
        } else {
            self.read_keys(rotation);
        }
    }

    /// Has the keys of a rotation read, after what is asked of the journal so far and before the rest.
    fn read_keys(&self, rotation: RotationId) {
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

    /// Tells the new keys of a rotation, from the journal where they are not here; none of one that has
    /// ended.
    pub(super) fn new_keys_of(
        &self,
        id: RotationId,
        tell: impl FnOnce(Result<Option<SecretKeyPair>, RotationError>) + Send + 'static,
    ) {
        if let Some(here) = self.secrets.get(&id).and_then(Kept::secrets) {
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
                    Ok(Err(error)) => Err(RotationError::of_journal(Some(id), error.down())),
                    Err(closed) => Err(RotationError::of_journal(Some(id), closed.into())),
                };
                tell(found);
            },
        );
    }

    /// The keys of a rotation were read, or could not be.
    pub(super) fn keys_read(&mut self, rotation: RotationId, found: FoundKeys) {
        let begins = self.engine.machine().is_beginning(rotation);
        match found {
            FoundKeys::Found(Some(secrets)) => {
                self.secrets.entry(rotation).or_insert(Kept::Here(secrets));
            }
            FoundKeys::Unreadable(why) => {
                let told = why.clone();
                self.means.events.tell(move || {
                    tracing::error!(%rotation, why = %told, "the keys of a rotation cannot be read");
                });
                let snapshot = None;
                let kept = Kept::Unreadable { why, snapshot };
                self.secrets.entry(rotation).or_insert(kept);
            }
            FoundKeys::Found(None) => return,
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
        let slot = self.slot.clone();
        actor::spawn(async move {
            sleep(READ_AGAIN).await;
            slot.post(CoordinatorMessage::ReadKeys { rotation });
        });
    }

    /// It is time to read the keys of a rotation again, if that still begins.
    pub(super) fn read_keys_again(&self, rotation: RotationId) {
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
    pub(super) fn read_keys_for(&self, facts: &[Fact]) {
        for fact in facts {
            let needing = match fact {
                Fact::Step(id, _, step) if step.status == CallbackStatus::InProgress => *id,
                Fact::Rotation(header) | Fact::Ended(header, _)
                    if header.resumes > 0 && !header.state.goes_on() =>
                {
                    header.id
                }
                Fact::Step(..)
                | Fact::Rotation(_)
                | Fact::Ended(..)
                | Fact::NextSequence(_)
                | Fact::Member(_)
                | Fact::MemberGone(_)
                | Fact::Callback(_)
                | Fact::CallbackGone { .. }
                | Fact::Keys(_)
                | Fact::Snapshot(_)
                | Fact::Record(_)
                | Fact::Dismissed(_) => continue,
            };
            if !self.secrets.contains_key(&needing) {
                self.read_keys(needing);
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
        if !self.engine.machine().needs_keys(id) {
            self.secrets.remove(&id);
        }
    }

    /// As [`put_keys_away`](Self::put_keys_away), after the journal was read: what it does not have is gone.
    pub(super) fn put_all_keys_away(&mut self) {
        let machine = self.engine.machine();
        self.secrets.retain(|id, _| machine.needs_keys(*id));
    }

    /// A callback that is to be called has no keys: it has failed if they cannot be read, and is called
    /// later if the repo did not answer.
    pub(super) fn uncalled_without_keys(&mut self, step: StepRef, attempt: u32) {
        if let Some(calling) = self.calls.get(&step) {
            calling.worker.ask(WorkerRequest::Release { step });
        }
        let slot = self.slot.clone();
        match self.secrets.get(&step.rotation) {
            Some(Kept::Unreadable { why, .. }) => {
                let error = format!("the keys of the rotation cannot be read: {why}");
                let end = CallEnd::failed(error);
                let ended = WorkerEvent::Ended { step, attempt, end };
                slot.post(CoordinatorMessage::Worker(ended));
            }
            Some(Kept::Here(_)) | None => {
                actor::spawn(async move {
                    sleep(READ_AGAIN).await;
                    let uncalled = WorkerEvent::Uncalled { step, attempt };
                    slot.post(CoordinatorMessage::Worker(uncalled));
                });
            }
        }
    }

    /// Tells a key which keys a rotation of it has, so that no text shows them.
    pub(super) fn let_key_know(&mut self, rotation: RotationId, key: &KeyName) {
        let beginnings = self.beginnings.get(&rotation).cloned();
        let (Some(entry), Some(beginnings)) = (self.keys.get(key), beginnings) else {
            return;
        };
        entry.post(KeyMessage::Knows {
            rotation,
            beginnings,
        });
        self.known.insert((key.clone(), rotation));
    }

    /// Lets a key forget the keys of a rotation that holds them no more.
    pub(super) fn let_key_forget(&mut self, key: &KeyName, rotation: RotationId) {
        if self.known.remove(&(key.clone(), rotation))
            && let Some(entry) = self.keys.get(key)
        {
            entry.post(KeyMessage::Forgets { rotation });
        }
    }

    /// After the journal was read anew: the keys of some rotations may be gone.
    pub(super) fn let_keys_forget(&mut self) {
        let known = self.known.iter();
        let gone = known.filter(|(_, id)| !self.beginnings.contains_key(id));
        for (key, rotation) in gone.cloned().collect::<Vec<_>>() {
            self.let_key_forget(&key, rotation);
        }
    }

    /// Asks a key what it has, for a rotation that begins.
    fn snapshot(&self, rotation: RotationId, key: &KeyName) {
        let Some(entry) = self.keys.get(key) else {
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
