//! A change as a program declares it.

use uuid::Uuid;

use crate::secret::value::SecretKeys;

/// A change of a key, to be declared before its store answers the new keys.
///
/// ```
/// use keyward::Change;
/// let change = Change::of("documents").old("value_1").new_keys("value_2");
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "embedded"),
    expect(dead_code, reason = "only what declares a change reads it")
)]
#[must_use = "a change that is not declared changes nothing"]
pub struct Change {
    pub(crate) key: String,
    pub(crate) old: Option<SecretKeys>,
    pub(crate) new: Option<SecretKeys>,
    pub(crate) id: Option<Uuid>,
}

impl Change {
    /// A change of this key. Without old keys, they are what the key holds when it is declared;
    /// without new keys, its callbacks get none.
    pub fn of(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            old: None,
            new: None,
            id: None,
        }
    }

    /// The keys that were in use until now.
    pub fn old(mut self, keys: impl Into<SecretKeys>) -> Self {
        self.old = Some(keys.into());
        self
    }

    /// The keys that the store will answer.
    pub fn new_keys(mut self, keys: impl Into<SecretKeys>) -> Self {
        self.new = Some(keys.into());
        self
    }

    /// An id of the caller's own, a UUID or the id of a rotation. Declaring the same change under the same id again starts
    /// nothing: it answers the same rotation.
    pub fn id(mut self, id: impl Into<Uuid>) -> Self {
        self.id = Some(id.into());
        self
    }
}
