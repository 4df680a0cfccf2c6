//! What an operator is told of keys, workers, actors and records.

use crate::key::declared;
use crate::key::facts::KeyFacts;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::operator::actor;
use crate::operator::status;
use crate::repo::space::Space;
use crate::wire::generated::{
    ActorName, ActorState, ActorStatus, CallbackEntry, CallbackKind, Coordinator, Flow, KeyStatus,
    RecoverKeysAnswer, StoreAnswers, UnreadableRecord, actor_name,
};
use crate::wire::instances::callback_of;
use crate::wire::invalid::{InvalidMessage, enumerated, name, needed, unspecified};
use crate::wire::keys::{flow, narrow, wide};
use crate::wire::values::pair;

impl From<declared::StoreAnswers> for StoreAnswers {
    fn from(answers: declared::StoreAnswers) -> Self {
        match answers {
            declared::StoreAnswers::Unknown => Self::Unspecified,
            declared::StoreAnswers::Old => Self::Old,
            declared::StoreAnswers::New => Self::New,
            declared::StoreAnswers::Neither => Self::Neither,
        }
    }
}

fn store_answers(number: i32) -> Result<declared::StoreAnswers, InvalidMessage> {
    Ok(match enumerated("key.store_answers", number)? {
        StoreAnswers::Unspecified => declared::StoreAnswers::Unknown,
        StoreAnswers::Old => declared::StoreAnswers::Old,
        StoreAnswers::New => declared::StoreAnswers::New,
        StoreAnswers::Neither => declared::StoreAnswers::Neither,
    })
}

impl From<&status::KeyStatus> for KeyStatus {
    fn from(key: &status::KeyStatus) -> Self {
        let facts = &key.facts;
        Self {
            name: key.name.as_str().to_owned(),
            behaviour: Some((&key.behaviour).into()),
            last_flow: Flow::from(facts.last_flow).into(),
            holds: facts.holds,
            superseded: facts.superseded,
            waiting: wide(facts.waiting),
            store_calls: facts.store_calls,
            state_reads: facts.state_reads,
            store_answers: StoreAnswers::from(facts.store_answers).into(),
        }
    }
}

impl TryFrom<KeyStatus> for status::KeyStatus {
    type Error = InvalidMessage;

    fn try_from(key: KeyStatus) -> Result<Self, InvalidMessage> {
        Ok(Self {
            name: name("key.name", KeyName::new(&key.name))?,
            behaviour: needed("key.behaviour", key.behaviour)?.try_into()?,
            facts: KeyFacts {
                last_flow: flow("key.last_flow", key.last_flow)?,
                holds: key.holds,
                superseded: key.superseded,
                waiting: narrow(key.waiting),
                store_calls: key.store_calls,
                state_reads: key.state_reads,
                store_answers: store_answers(key.store_answers)?,
            },
        })
    }
}

impl From<&status::RosterCallback> for CallbackEntry {
    fn from(entry: &status::RosterCallback) -> Self {
        Self {
            key: entry.key.as_str().to_owned(),
            callback: entry.callback.as_str().to_owned(),
            registered: entry.registered,
            kind: CallbackKind::from(entry.kind).into(),
        }
    }
}

impl TryFrom<CallbackEntry> for status::RosterCallback {
    type Error = InvalidMessage;

    fn try_from(entry: CallbackEntry) -> Result<Self, InvalidMessage> {
        Ok(Self {
            key: name("callbacks.key", KeyName::new(&entry.key))?,
            callback: name("callbacks.callback", CallbackName::new(&entry.callback))?,
            kind: callback_of(entry.kind)?,
            registered: entry.registered,
        })
    }
}

impl From<&status::UnreadableRecord> for UnreadableRecord {
    fn from(record: &status::UnreadableRecord) -> Self {
        Self {
            space: record.space.name().to_owned(),
            place: record.place.clone(),
            why: record.why.clone(),
        }
    }
}

impl TryFrom<UnreadableRecord> for status::UnreadableRecord {
    type Error = InvalidMessage;

    fn try_from(record: UnreadableRecord) -> Result<Self, InvalidMessage> {
        let space = Space::ALL.into_iter();
        let space = space.into_iter().find(|space| space.name() == record.space);
        let unknown = || InvalidMessage::new("unreadable_record.space", "is no space");
        Ok(Self {
            space: space.ok_or_else(unknown)?,
            place: record.place,
            why: record.why,
        })
    }
}

impl From<&actor::ActorName> for ActorName {
    fn from(actor: &actor::ActorName) -> Self {
        let actor = match actor {
            actor::ActorName::Coordinator => actor_name::Actor::Coordinator(Coordinator {}),
            actor::ActorName::Key(key) => actor_name::Actor::Key(key.as_str().to_owned()),
            actor::ActorName::Worker(worker) => {
                actor_name::Actor::Worker(worker.as_str().to_owned())
            }
        };
        let actor = Some(actor);
        Self { actor }
    }
}

impl TryFrom<ActorName> for actor::ActorName {
    type Error = InvalidMessage;

    fn try_from(actor: ActorName) -> Result<Self, InvalidMessage> {
        Ok(match needed("actor.actor", actor.actor)? {
            actor_name::Actor::Coordinator(Coordinator {}) => Self::Coordinator,
            actor_name::Actor::Key(key) => Self::Key(name("actor.key", KeyName::new(&key))?),
            actor_name::Actor::Worker(worker) => {
                Self::Worker(name("actor.worker", WorkerName::new(&worker))?)
            }
        })
    }
}

impl From<actor::ActorState> for ActorState {
    fn from(state: actor::ActorState) -> Self {
        match state {
            actor::ActorState::Running => Self::Running,
            actor::ActorState::Restarting => Self::Restarting,
            actor::ActorState::Failed => Self::Failed,
        }
    }
}

fn actor_state(number: i32) -> Result<actor::ActorState, InvalidMessage> {
    let field = "actor.state";
    Ok(match enumerated(field, number)? {
        ActorState::Unspecified => return Err(unspecified(field)),
        ActorState::Running => actor::ActorState::Running,
        ActorState::Restarting => actor::ActorState::Restarting,
        ActorState::Failed => actor::ActorState::Failed,
    })
}

impl From<&actor::ActorStatus> for ActorStatus {
    fn from(actor: &actor::ActorStatus) -> Self {
        Self {
            actor: Some((&actor.actor).into()),
            state: ActorState::from(actor.state).into(),
            restarts: actor.restarts,
            last_failure: actor.last_failure.clone(),
        }
    }
}

impl TryFrom<ActorStatus> for actor::ActorStatus {
    type Error = InvalidMessage;

    fn try_from(actor: ActorStatus) -> Result<Self, InvalidMessage> {
        Ok(Self {
            actor: needed("actor", actor.actor)?.try_into()?,
            state: actor_state(actor.state)?,
            restarts: actor.restarts,
            last_failure: actor.last_failure,
        })
    }
}

impl From<&status::RecoveredKeys> for RecoverKeysAnswer {
    fn from(keys: &status::RecoveredKeys) -> Self {
        Self {
            old_keys: keys.old.as_ref().map(Into::into),
            new_keys: keys.new.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<RecoverKeysAnswer> for status::RecoveredKeys {
    type Error = InvalidMessage;

    fn try_from(answer: RecoverKeysAnswer) -> Result<Self, InvalidMessage> {
        Ok(Self {
            old: pair(answer.old_keys)?,
            new: pair(answer.new_keys)?,
        })
    }
}
