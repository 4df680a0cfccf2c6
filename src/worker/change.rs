//! A change as a program declares it.

use std::fmt;
#[cfg(feature = "embedded")]
use std::sync::Arc;

use uuid::Uuid;

use crate::secret::value::SecretKeys;
#[cfg(feature = "embedded")]
use crate::store::closure::IntoStore;
#[cfg(feature = "embedded")]
use crate::store::keys_store::KeysStore;

/// A change of a key, to be declared before its store answers the new keys.
///
/// ```
/// use keyward::Change;
/// let change = Change::of("documents").old("value_1").new_keys("value_2");
/// ```
#[cfg_attr(
    not(any(feature = "client", feature = "embedded")),
    allow(dead_code, reason = "what declares it is not in this build")
)]
#[derive(Debug, Clone)]
#[must_use = "a change that is not declared changes nothing"]
pub struct Change {
    pub(crate) key: String,
    pub(crate) old: Old,
    pub(crate) new: New,
    pub(crate) id: Option<Uuid>,
    pub(crate) reason: Option<String>,
    pub(crate) again: bool,
}

/// Where the old keys of a change come from.
#[cfg_attr(
    not(any(feature = "client", feature = "embedded")),
    allow(dead_code, reason = "what declares it is not in this build")
)]
#[derive(Debug, Clone)]
pub(crate) enum Old {
    Undeclared,
    Given(SecretKeys),
    OfStore,
}

/// Where the new keys of a change come from.
#[derive(Clone)]
pub(crate) enum New {
    Undeclared,
    Given(SecretKeys),
    Generated(usize),
    #[cfg(feature = "embedded")]
    From(Arc<dyn KeysStore>),
}

impl fmt::Debug for New {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared => f.write_str("Undeclared"),
            Self::Given(keys) => f.debug_tuple("Given").field(keys).finish(),
            Self::Generated(bytes) => f.debug_tuple("Generated").field(bytes).finish(),
            #[cfg(feature = "embedded")]
            Self::From(_) => f.debug_tuple("From").finish_non_exhaustive(),
        }
    }
}

impl Change {
    /// A change of this key. Without new keys, its callbacks get none. Without old keys, they are the
    /// new keys of the change of this key that was declared last, while that one waits or runs and
    /// has some; else what the key holds; else none, and a warning is traced.
    pub fn of(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            old: Old::Undeclared,
            new: New::Undeclared,
            id: None,
            reason: None,
            again: false,
        }
    }

    /// The keys that were in use until now.
    pub fn old(mut self, keys: impl Into<SecretKeys>) -> Self {
        self.old = Old::Given(keys.into());
        self
    }

    /// The keys that were in use until now are those that the key's store answers when the change is
    /// declared, which is why it must not have switched yet. While another change of the key waits or
    /// runs they are the new keys of that one; if it has none, the declaration is refused,
    /// `rotation_unfinished`.
    pub fn old_from_store(mut self) -> Self {
        self.old = Old::OfStore;
        self
    }

    /// The keys that the store will answer. If the key's store is a file or a command, mind that it
    /// cuts one final line end, and the bytes given here do not: better give `new_from` the file.
    pub fn new_keys(mut self, keys: impl Into<SecretKeys>) -> Self {
        self.new = New::Given(keys.into());
        self
    }

    /// The keys that the key's store will answer, from another store, which is read in the same way
    /// and within the same limit when the change is declared: a file beside the present one, for
    /// example.
    ///
    /// ```
    /// use keyward::{Change, FileStore};
    /// let next = FileStore::new("documents.key.next");
    /// let change = Change::of("documents").old_from_store().new_from(next);
    /// ```
    #[cfg(feature = "embedded")]
    pub fn new_from<M>(mut self, store: impl IntoStore<M>) -> Self {
        self.new = New::From(store.into_store());
        self
    }

    /// New keys that keyward makes: so many random bytes. For keys with versions: what the store of another key is to
    /// answer has to be known to whoever puts it there.
    pub fn generate(mut self, bytes: usize) -> Self {
        self.new = New::Generated(bytes);
        self
    }

    /// An earlier version of the key may have had the new keys: they are given again on purpose, and become a version
    /// of their own. Without this such a change is `known_version`. For keys with versions.
    pub fn again(mut self) -> Self {
        self.again = true;
        self
    }

    /// An id of the caller's own, a UUID or the id of a rotation. Declaring the same change under the same id again starts
    /// nothing: it answers the same rotation, and asks no store.
    pub fn id(mut self, id: impl Into<Uuid>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Why it is changed, for the listing and the history: at most 1,024 bytes without control characters, else the
    /// declaration is refused, `invalid_reason`.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}
