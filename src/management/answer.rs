//! What a get answers, and how a key is asked and found: for the manager, workers and handles alike.

use std::sync::Arc;

use crate::actors::declare::refused;
use crate::actors::directory::KeyEntry;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::flow::SecretKeyFlow;
use crate::management::inner::Inner;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyValue;

/// What a request for a key answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyAnswer {
    /// The value; `Debug` and `Display` do not show it.
    pub value: SecretKeyValue,
    /// The flow that it was answered on, which the key may have found by itself.
    pub flow: SecretKeyFlow,
}

impl KeyAnswer {
    /// The plain bytes of the value.
    pub fn expose(&self) -> &[u8] {
        self.value.expose()
    }

    /// The plain text of the value, if it is UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        self.value.expose_str()
    }
}

/// An error of a call about a rotation, which names the rotation.
pub(crate) fn about(id: RotationId, error: RotationError) -> RotationError {
    let id = Some(id);
    match error {
        RotationError::ShutDown { id: None } => RotationError::ShutDown { id },
        RotationError::Unavailable { id: None } => RotationError::Unavailable { id },
        RotationError::Unwritten { id: None, why } => RotationError::Unwritten { id, why },
        error => error,
    }
}

/// Asks a key.
pub(crate) async fn get(
    entry: &KeyEntry,
    flow: Option<SecretKeyFlow>,
) -> Result<KeyAnswer, KeyError> {
    match entry.ask(Request::Get { flow }).await? {
        Answer::Key { value, flow } => Ok(KeyAnswer { value, flow }),
        Answer::Candidates(_) | Answer::OfStore(_) | Answer::Saved | Answer::Staged { .. } => {
            Err(KeyError::Unavailable {
                key: entry.name().clone(),
            })
        }
    }
}

/// Looks a key up for a call that answers the coordinator's errors.
pub(crate) fn find(inner: &Inner, key: &str) -> Result<Arc<KeyEntry>, RotationError> {
    inner.declarer.directory.find(key).map_err(refused)
}
