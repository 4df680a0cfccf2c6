//! A key's state: in memory, and what of it is durable.

use crate::key::flow::SecretKeyFlow;
use crate::key::journal_down::JournalDown;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};

/// The durable record of a stated key: the last flow, and the back half that is still owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRecord {
    /// The last flow that succeeded.
    pub flow: SecretKeyFlow,
    /// The back half that is still to be answered on the back path, after the forward path.
    pub key: Option<SecretKeyValue>,
}

/// What a batch does to a key's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordChange {
    /// The record becomes this.
    Put(StateRecord),
    /// There is no record any more.
    Delete,
}

impl RecordChange {
    /// The record that is there after the change.
    pub fn record(&self) -> Option<&StateRecord> {
        match self {
            Self::Put(record) => Some(record),
            Self::Delete => None,
        }
    }
}

/// What a load found in the state repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded {
    /// No record.
    Absent,
    /// A record.
    Record(StateRecord),
    /// A record that cannot be read.
    Unreadable {
        /// Why, without any of its content.
        why: String,
    },
    /// The repo did not answer.
    Unavailable {
        /// Why.
        why: JournalDown,
    },
}

impl From<&RecordChange> for Loaded {
    /// What a load finds after this change of the record.
    fn from(change: &RecordChange) -> Self {
        match change.record() {
            Some(record) => Self::Record(record.clone()),
            None => Self::Absent,
        }
    }
}

/// The pair that is still to be answered on the back path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The pair.
    pub pair: SecretKeyPair,
    /// Whether a change has been declared over it.
    pub superseded: bool,
}

impl Held {
    /// A pair over which no change has been declared.
    pub fn fresh(pair: SecretKeyPair) -> Self {
        Self {
            pair,
            superseded: false,
        }
    }
}

/// The state of a round-trip key in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyState {
    /// The last flow that succeeded in this lifetime.
    pub flow: Option<SecretKeyFlow>,
    /// What is held for the back path.
    pub held: Option<Held>,
}

impl KeyState {
    /// The state after loading a record: its key becomes held, as both halves, not superseded.
    pub fn load(&mut self, record: &StateRecord) {
        self.flow = Some(record.flow);
        if let Some(key) = &record.key {
            self.held = Some(Held::fresh(SecretKeyPair::of(key.clone())));
        }
    }

    /// The back half that a record of this state names: only after the forward path is one owed.
    fn owed(&self) -> Option<SecretKeyValue> {
        match self.flow {
            Some(SecretKeyFlow::ForwardPath) => {
                self.held.as_ref().map(|held| held.pair.back().clone())
            }
            Some(SecretKeyFlow::BackPath | SecretKeyFlow::Default) | None => None,
        }
    }

    /// The record of this state, if a flow is known.
    pub fn record(&self) -> Option<StateRecord> {
        let key = self.owed();
        self.flow.map(|flow| StateRecord { flow, key })
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::Known {
            flow: None,
            previous: None,
        }
    }
}

/// What a key had when a rotation of it first began to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// The last flow and the previous keys.
    Known {
        /// The last flow, if one was known.
        flow: Option<SecretKeyFlow>,
        /// What was held.
        previous: Option<SecretKeyPair>,
    },
    /// No flow was known and the key's record cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
}

/// What a callback says that it did to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing that the key's state should know.
    #[default]
    Nothing,
    /// The data is plain now: the last flow becomes BackPath, nothing is held.
    Decrypted,
    /// The data is under the new keys: the last flow becomes ForwardPath, the new pair is held.
    Reencrypted,
}

/// A change of state that a callback staged through its handle; it takes effect with the step's
/// Succeeded, in the order of the calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staged {
    /// `set_last_flow`.
    LastFlow(SecretKeyFlow),
    /// `set_previous_keys`.
    PreviousKeys(SecretKeyPair),
    /// `clean_state`.
    Clean,
    /// `save_state`, with the back half that the store was asked for where none was held.
    Save {
        /// The half from the store.
        asked: Option<SecretKeyValue>,
    },
}

/// All that one succeeded step does to a key's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// What the handle staged, in order.
    pub staged: Vec<Staged>,
    /// What the callback answered.
    pub effect: Effect,
    /// The rotation's new keys.
    pub new_keys: Option<SecretKeyPair>,
    /// Whether a rotation declared later has had an effect already.
    pub overtaken: bool,
    /// For a step of a resumed rotation: the rotation's id.
    pub resumed: Option<u128>,
}

impl StateChange {
    /// Whether the change needs to know what the record holds where no flow is known yet.
    pub fn builds_on_record(&self) -> bool {
        for staged in &self.staged {
            match staged {
                Staged::LastFlow(_) | Staged::PreviousKeys(_) => return true,
                Staged::Clean => return false,
                Staged::Save { .. } => {}
            }
        }
        false
    }

    /// Whether the change is more than saves: an effect or what a setter staged.
    pub fn changes_state(&self) -> bool {
        let saves = |staged: &Staged| matches!(staged, Staged::Save { .. });
        self.effect != Effect::Nothing || !self.staged.iter().all(saves)
    }

    /// Applies the change to a state; answers what becomes of the record. `allowed` is false where
    /// the change has been overtaken: then only saves are left of it.
    pub fn apply(&self, allowed: bool, state: &mut KeyState) -> Option<RecordChange> {
        let mut record = None;
        for staged in &self.staged {
            if !allowed && !matches!(staged, Staged::Save { .. }) {
                continue;
            }
            let change = match staged {
                Staged::Save { asked } => saved(state, asked.as_ref()),
                Staged::LastFlow(flow) => {
                    state.flow = Some(*flow);
                    state.record().map(RecordChange::Put)
                }
                Staged::PreviousKeys(pair) => {
                    state.held = Some(Held::fresh(pair.clone()));
                    state.record().map(RecordChange::Put)
                }
                Staged::Clean => {
                    *state = KeyState::default();
                    Some(RecordChange::Delete)
                }
            };
            record = change.or(record);
        }
        if allowed {
            record = self.apply_effect(state).or(record);
        }
        record
    }

    fn apply_effect(&self, state: &mut KeyState) -> Option<RecordChange> {
        let (flow, held) = match (self.effect, &self.new_keys) {
            (Effect::Nothing, _) | (Effect::Reencrypted, None) => return None,
            (Effect::Decrypted, _) => (SecretKeyFlow::BackPath, None),
            (Effect::Reencrypted, Some(new)) => {
                (SecretKeyFlow::ForwardPath, Some(Held::fresh(new.clone())))
            }
        };
        *state = KeyState {
            flow: Some(flow),
            held,
        };
        state.record().map(RecordChange::Put)
    }
}

fn saved(state: &KeyState, asked: Option<&SecretKeyValue>) -> Option<RecordChange> {
    let mut record = state.record()?;
    if record.flow == SecretKeyFlow::ForwardPath && record.key.is_none() {
        record.key = Some(asked?.clone());
    }
    Some(RecordChange::Put(record))
}
