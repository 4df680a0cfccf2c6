//! What a child of `fork()` is told, as an error of keys and as one of rotations.

use crate::guard::fork::Forked;
use crate::key::error::KeyError;
use crate::rotation::error::RotationError;

impl From<Forked> for KeyError {
    fn from(Forked: Forked) -> Self {
        Self::Forked
    }
}

impl From<Forked> for RotationError {
    fn from(Forked: Forked) -> Self {
        Self::Forked
    }
}
