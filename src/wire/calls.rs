//! Calls of callbacks, and how they ended.

use std::sync::Arc;

use crate::key::definition::KeyBehaviour;
use crate::key::name::{CallbackName, KeyName};
use crate::key::state;
#[cfg(feature = "client")]
use crate::rotation::outcome::StepOutcome;
use crate::rotation::outcome::StepRef;
use crate::wire::generated::{Call, CallRef, Clean, Effect, Flow, Save, Snapshot, Staged, staged};
#[cfg(feature = "client")]
use crate::wire::generated::{Ended, Failed, Succeeded, ended};
use crate::wire::invalid::{InvalidMessage, enumerated, id, name, needed};
use crate::wire::keys::flow;
use crate::wire::values::pair;
use crate::worker::call;
#[cfg(feature = "client")]
use crate::worker::call::CallEnd;

impl CallRef {
    /// This attempt of this step.
    pub fn new(step: StepRef, attempt: u32) -> Self {
        Self {
            rotation: step.rotation.to_string(),
            step: step.step,
            attempt,
        }
    }

    /// Which attempt of which step it is.
    ///
    /// # Errors
    /// Where the rotation's id is none.
    pub fn named(&self) -> Result<(StepRef, u32), InvalidMessage> {
        let rotation = id("call.rotation", &self.rotation)?;
        let step = self.step;
        Ok((StepRef { rotation, step }, self.attempt))
    }
}

impl From<&call::Call> for Call {
    fn from(call: &call::Call) -> Self {
        Self {
            call: Some(CallRef::new(call.step, call.attempt)),
            key: call.key.as_str().to_owned(),
            callback: call.callback.as_str().to_owned(),
            behaviour: Some((&*call.behaviour).into()),
            old_keys: call.old_keys.as_ref().map(Into::into),
            new_keys: call.new_keys.as_ref().map(Into::into),
            snapshot: Some((&call.snapshot).into()),
            versions: call.versions.map(Into::into),
        }
    }
}

impl TryFrom<Call> for call::Call {
    type Error = InvalidMessage;

    fn try_from(call: Call) -> Result<Self, InvalidMessage> {
        let (step, attempt) = needed("call", call.call)?.named()?;
        let behaviour: KeyBehaviour = needed("behaviour", call.behaviour)?.try_into()?;
        Ok(Self {
            step,
            attempt,
            callback: name("callback", CallbackName::new(&call.callback))?,
            key: name("key", KeyName::new(&call.key))?,
            behaviour: Arc::new(behaviour),
            old_keys: pair(call.old_keys)?,
            new_keys: pair(call.new_keys)?,
            snapshot: needed("snapshot", call.snapshot)?.try_into()?,
            versions: call.versions.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&state::Snapshot> for Snapshot {
    fn from(snapshot: &state::Snapshot) -> Self {
        match snapshot {
            state::Snapshot::Known { flow, previous } => Self {
                last_flow: Flow::from(*flow).into(),
                previous_keys: previous.as_ref().map(Into::into),
                unreadable: String::new(),
            },
            state::Snapshot::Unreadable { why } => Self {
                last_flow: Flow::Unspecified.into(),
                previous_keys: None,
                unreadable: why.clone(),
            },
        }
    }
}

impl TryFrom<Snapshot> for state::Snapshot {
    type Error = InvalidMessage;

    fn try_from(snapshot: Snapshot) -> Result<Self, InvalidMessage> {
        if !snapshot.unreadable.is_empty() {
            let why = snapshot.unreadable;
            return Ok(Self::Unreadable { why });
        }
        Ok(Self::Known {
            flow: flow("snapshot.last_flow", snapshot.last_flow)?,
            previous: pair(snapshot.previous_keys)?,
        })
    }
}

impl From<state::Effect> for Effect {
    fn from(effect: state::Effect) -> Self {
        match effect {
            state::Effect::Nothing => Self::Nothing,
            state::Effect::Decrypted => Self::Decrypted,
            state::Effect::Reencrypted => Self::Reencrypted,
        }
    }
}

/// What a callback did to the data.
pub fn effect(field: &'static str, number: i32) -> Result<state::Effect, InvalidMessage> {
    Ok(match enumerated(field, number)? {
        Effect::Unspecified | Effect::Nothing => state::Effect::Nothing,
        Effect::Decrypted => state::Effect::Decrypted,
        Effect::Reencrypted => state::Effect::Reencrypted,
    })
}

impl From<&state::Staged> for Staged {
    fn from(staged: &state::Staged) -> Self {
        let change = match staged {
            state::Staged::LastFlow(flow) => {
                staged::Change::LastFlow(Flow::from(Some(*flow)).into())
            }
            state::Staged::PreviousKeys(pair) => staged::Change::PreviousKeys(pair.into()),
            state::Staged::Clean => staged::Change::Clean(Clean {}),
            state::Staged::Save { asked } => staged::Change::Save(Save {
                asked: asked.as_ref().map(Into::into),
            }),
        };
        let change = Some(change);
        Self { change }
    }
}

#[cfg(feature = "client")]
impl Ended {
    /// How a call ended; `None` where it is not known how.
    pub fn new(call: CallRef, end: &CallEnd, still_runs: bool) -> Option<Self> {
        let outcome = match &end.outcome {
            StepOutcome::Done { effect, .. } => ended::Outcome::Succeeded(Succeeded {
                effect: Effect::from(*effect).into(),
                staged: end.staged.iter().map(Into::into).collect(),
            }),
            StepOutcome::Failed { error } => ended::Outcome::Failed(Failed {
                error: error.clone(),
                still_runs,
            }),
            StepOutcome::Lost => return None,
        };
        Some(Self {
            call: Some(call),
            outcome: Some(outcome),
        })
    }
}
