//! A change as it is declared, and where what it does not name comes from.

use crate::key::declared::Declared;
use crate::key::name::KeyName;
use crate::key::versions::id::VersionId;
use crate::rotation::act::By;
use crate::rotation::id::RotationId;

/// A change as it is declared; its keys stay with the shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Declaration {
    /// The id, the caller's or a new one.
    pub id: RotationId,
    /// Whether the caller chose the id: then it may have been used before.
    pub chosen: bool,
    /// The key that changes.
    pub key: KeyName,
    /// The fingerprints of what was declared. What a store is still to be asked for is none.
    pub declared: Declared,
    /// Where its old keys come from.
    pub old: OldKeys,
    /// Whether a store is still to be asked for its new keys.
    pub new_unasked: bool,
    /// A random id for the record of the old keys, if there are any.
    pub old_keys: Option<u128>,
    /// A random id for the record of the new keys, if there are any.
    pub new_keys: Option<u128>,
    /// By whom it is declared, and why.
    pub by: By,
    /// What the new keys are to be of a key with versions.
    pub version: DeclaredVersion,
}

/// What the new keys of a declaration are to be, if the key has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeclaredVersion {
    /// The id of the version that they become, which nobody has heard of.
    pub id: VersionId,
    /// Whether an earlier version may have the same value.
    pub again: bool,
    /// Whether the key's store is to be written; none before that was asked.
    pub switch: Option<bool>,
}

impl Default for DeclaredVersion {
    /// For a key without versions.
    fn default() -> Self {
        Self {
            id: VersionId::new(uuid::Uuid::nil()),
            again: false,
            switch: None,
        }
    }
}

/// Where the old keys of a declaration come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OldKeys {
    /// The caller gave them.
    #[default]
    Given,
    /// The caller said nothing: they are the new keys of the rotation of the key that was declared
    /// last, if it waits or runs and has some, else what the key holds.
    Undeclared,
    /// Of the key's store, which has not been asked; while a rotation of the key waits or runs, they
    /// are the new keys of that one.
    OfStore,
    /// Of the key's store, which has answered them.
    Asked,
}

/// An ended rotation's identity, as the history has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndedRotation {
    /// Its key.
    pub key: KeyName,
    /// What was declared.
    pub declared: Declared,
}
