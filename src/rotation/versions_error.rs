//! Why a change of a key with versions was refused.

use crate::key::name::KeyName;
use crate::key::versions::id::VersionId;
use crate::rotation::id::RotationId;
use crate::secret::visible::debug_with_code;

/// Why a change of a key with versions was refused. Nothing was journaled.
#[derive(Clone, PartialEq, Eq, thiserror::Error, Hash)]
#[non_exhaustive]
pub enum VersionsError {
    /// A change of a versioned key names its new keys. The caller's fault; nothing was journaled.
    #[error(
        "key {key}: it has versions, so a change of it needs the new keys; give them with Change::new_keys"
    )]
    NeedsNewKeys {
        /// The key.
        key: KeyName,
    },
    /// A version of the key has this value already. The caller's fault; nothing was journaled.
    #[error(
        "key {key}: version {number} ({id}) has this value already; give another one, or say that it is given \
         again on purpose"
    )]
    Known {
        /// The key.
        key: KeyName,
        /// The newest version that has the value.
        id: VersionId,
        /// Its number.
        number: u64,
    },
    /// The last step of the rotation is to put the new key into the key's store, and cannot. The operator's task: mend
    /// that, or say `read_only` on the store; nothing was journaled.
    #[error("key {key}: its store cannot be written: {why}")]
    StoreNotWritable {
        /// The key.
        key: KeyName,
        /// Why.
        why: String,
    },
    /// As many versions of the key as may be are readable. The operator's task: raise the bound in its definition.
    #[error(
        "key {key}: {bound} versions are readable, which is the bound; raise max_readable_versions. What keeps each: {}",
        kept.join(". ")
    )]
    TooMany {
        /// The key.
        key: KeyName,
        /// The bound.
        bound: usize,
        /// What keeps each of them.
        kept: Vec<String>,
    },
    /// Records of the key's versions cannot be read. The operator's task: restore a backup.
    #[error("key {key}: its versions cannot be read: {why}; restore a backup")]
    Unreadable {
        /// The key.
        key: KeyName,
        /// What is wrong with which record.
        why: String,
    },
    /// A rotation of the key has turned, and earlier versions may still be written with. It goes on by itself: ask again
    /// when all write with the new one.
    #[error(
        "key {key}: rotation {id} has turned, and earlier versions may still be written with; ask again when all \
         write with the new one"
    )]
    MixedWriters {
        /// The key.
        key: KeyName,
        /// The rotation.
        id: RotationId,
    },
}

debug_with_code!(VersionsError);

impl VersionsError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeedsNewKeys { .. } => "needs_new_keys",
            Self::Known { .. } => "known_version",
            Self::StoreNotWritable { .. } => "store_not_writable",
            Self::TooMany { .. } => "too_many_versions",
            Self::Unreadable { .. } => "version_unreadable",
            Self::MixedWriters { .. } => "mixed_writers",
        }
    }

    /// Whether the same call may succeed later, without anything being mended first.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::MixedWriters { .. } => true,
            Self::NeedsNewKeys { .. }
            | Self::Known { .. }
            | Self::StoreNotWritable { .. }
            | Self::TooMany { .. }
            | Self::Unreadable { .. } => false,
        }
    }
}
