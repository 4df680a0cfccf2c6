//! Errors of calls about keys and rotations, for the manager, workers and handles alike.

use std::sync::Arc;

use crate::actors::declarer::refused;
use crate::actors::directory::KeyEntry;
use crate::management::inner::Inner;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;

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

/// Looks a key up for a call that answers the coordinator's errors.
pub(crate) fn find(inner: &Inner, key: &str) -> Result<Arc<KeyEntry>, RotationError> {
    inner.declarer.directory.find(key).map_err(refused)
}
