//! What the guard refuses, as an error of keys and as one of rotations: calls in a child of `fork()`, and
//! waits where none may be.

use crate::guard::forked::Forked;
use crate::guard::this_thread::MustNotBlock;
use crate::key::error::KeyError;
use crate::key::keeper_error::KeeperError;
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

impl From<MustNotBlock> for KeyError {
    fn from(MustNotBlock: MustNotBlock) -> Self {
        Self::MustNotBlock
    }
}

impl From<MustNotBlock> for RotationError {
    fn from(MustNotBlock: MustNotBlock) -> Self {
        Self::MustNotBlock
    }
}

impl From<MustNotBlock> for KeeperError {
    fn from(refused: MustNotBlock) -> Self {
        Self::new(refused.code(), false, refused.to_string())
    }
}
