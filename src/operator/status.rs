//! What an operator is told of a manager.

use crate::key::declared::StoreAnswers;
use crate::key::definition::KeyBehaviour;
use crate::key::facts::KeyFacts;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::operator::actor::ActorStatus;
use crate::repo::space::Space;
use crate::rotation::act::Act;
use crate::rotation::instance::{CallbackOf, Sharing};
use crate::rotation::report::{RotationReport, UnreadableRotation};
use crate::secret::value::SecretKeyPair;

/// A key as an operator sees it. It never holds keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct KeyStatus {
    /// Its name.
    pub name: KeyName,
    /// How it behaves.
    pub behaviour: KeyBehaviour,
    /// What is known of its state in this lifetime.
    pub facts: KeyFacts,
}

/// A worker as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its name.
    pub worker: WorkerName,
    /// Whether it is here in this life of the program.
    pub alive: bool,
    /// How many processes may have its name at once.
    pub sharing: Sharing,
    /// Its callbacks on the roster, in the order of registration.
    pub callbacks: Vec<RosterCallback>,
    /// Its instances in other processes, by number.
    pub instances: Vec<InstanceStatus>,
}

/// A callback on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RosterCallback {
    /// The key.
    pub key: KeyName,
    /// Its name.
    pub callback: CallbackName,
    /// What it changes.
    pub kind: CallbackOf,
    /// Whether it can be called now: its worker is in the keeper's process and has registered it, or an
    /// instance that has registered it is connected and ready.
    pub registered: bool,
}

/// An instance of a worker: a process other than the keeper's that has joined under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct InstanceStatus {
    /// Its number.
    pub instance: u64,
    /// The id of its process, as the keeper sees it.
    pub process: u32,
    /// The user of its process.
    pub user: u32,
    /// Whether it has a connection; else it is absent.
    pub connected: bool,
    /// Whether it has said that it may be called.
    pub ready: bool,
    /// Whether a keeper that starts again may call it twice: only its connection names its process.
    pub may_be_called_twice: bool,
    /// How many calls it was given that have not returned.
    pub calls: usize,
}

/// A record that cannot be read: it was left in place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UnreadableRecord {
    /// In which space it lies.
    pub space: Space,
    /// Which record, in words.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

/// A manager as an operator sees it.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// Every defined key, by name.
    pub keys: Vec<KeyStatus>,
    /// The roster, in the order of joining.
    pub workers: Vec<WorkerStatus>,
    /// Every rotation that has not ended, in the order of the declarations.
    pub rotations: Vec<RotationReport>,
    /// Rotations that had not ended and cannot be read; an operator dismisses them.
    pub unreadable_rotations: Vec<UnreadableRotation>,
    /// Other records that cannot be read: those that the start found, and those that a request met
    /// since. They are left in place, and listed until something takes their place; one that the
    /// start replaced itself is listed all the same.
    pub unreadable_records: Vec<UnreadableRecord>,
    /// Why rotations are paused, if they are.
    pub paused: Option<String>,
    /// The code of the cause (`fenced`, `folder_lost`, `repo_closed`) where this manager writes nothing
    /// more, for good: `paused` says what to do. It still hands out keys.
    pub lost: Option<&'static str>,
    /// What is damaged of the history, with the file and the remedy: it is read once after each start.
    pub damaged_history: Option<String>,
    /// Every actor: whether it runs, how often it was started again, and why it died last.
    pub actors: Vec<ActorStatus>,
}

impl Status {
    /// The keys whose store last answered the old keys of the change that was declared last:
    /// forward gets of these answer the old key still.
    pub fn keys_with_old_store(&self) -> impl Iterator<Item = &KeyName> {
        self.keys_whose_store_answers(StoreAnswers::Old)
    }

    /// The keys whose store last answered neither the old nor the new keys of the change that was
    /// declared last: the store cuts a line end that the declaration has, for example, or has another
    /// value. Data that callbacks re-encrypted is under the new keys as they were declared.
    pub fn keys_with_other_store(&self) -> impl Iterator<Item = &KeyName> {
        self.keys_whose_store_answers(StoreAnswers::Neither)
    }

    fn keys_whose_store_answers(&self, what: StoreAnswers) -> impl Iterator<Item = &KeyName> {
        let keys = self.keys.iter();
        keys.filter(move |key| key.facts.store_answers == what)
            .map(|key| &key.name)
    }
}

/// A page of the rotations that have ended.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HistoryListing {
    /// Their reports, the latest declaration first.
    pub rotations: Vec<RotationReport>,
    /// Those that cannot be read.
    pub unreadable: Vec<UnreadableRotation>,
    /// On the first page: the 256 latest acts that stand with no rotation, the earliest first: removals and
    /// dismissals.
    pub acts: Vec<Act>,
    /// Where the next page begins: give it to `history_before`. None on the last page.
    pub next: Option<u64>,
}

/// The keys of a rotation that still holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveredKeys {
    /// The old keys, if any were declared or held.
    pub old: Option<SecretKeyPair>,
    /// The new keys, if they were declared.
    pub new: Option<SecretKeyPair>,
}
