//! A batch: writes that are done all together or not at all, if a precondition still holds.

use std::fmt;

use crate::repo::space::Space;

/// One write of a [`Batch`].
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Puts a value under a key, in place of one that may be there.
    Put {
        /// Where.
        space: Space,
        /// Under which key.
        key: Vec<u8>,
        /// What.
        value: Vec<u8>,
    },
    /// Deletes what is under a key; nothing there is no error.
    Delete {
        /// Where.
        space: Space,
        /// Under which key.
        key: Vec<u8>,
    },
}

/// What must be found under a key when a batch is written.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Precondition {
    /// Where.
    pub space: Space,
    /// Under which key.
    pub key: Vec<u8>,
    /// Exactly this value, or with `None` no value.
    pub expected: Option<Vec<u8>>,
}

/// Writes that are done all together or not at all, in their order: of two writes of one key the
/// later one counts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<Operation>,
    precondition: Option<Precondition>,
}

impl Batch {
    /// A batch of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a put.
    #[must_use]
    pub fn put(mut self, space: Space, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.operations.push(Operation::Put { space, key, value });
        self
    }

    /// Adds a delete.
    #[must_use]
    pub fn delete(mut self, space: Space, key: impl Into<Vec<u8>>) -> Self {
        let key = key.into();
        self.operations.push(Operation::Delete { space, key });
        self
    }

    /// Sets what must be found under a key, `None` for nothing; else nothing of the batch is
    /// written. It is looked at before the batch's own writes. A later call replaces it.
    ///
    /// This is how a coordinator that was overtaken is kept from writing: the one that overtook it
    /// has changed the value.
    #[must_use]
    pub fn expect(
        mut self,
        space: Space,
        key: impl Into<Vec<u8>>,
        expected: Option<Vec<u8>>,
    ) -> Self {
        let key = key.into();
        self.precondition = Some(Precondition {
            space,
            key,
            expected,
        });
        self
    }

    /// How many writes it holds.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it holds no write. With a precondition it is still a question worth asking.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The writes, in their order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What must be found.
    pub fn precondition(&self) -> Option<&Precondition> {
        self.precondition.as_ref()
    }
}

impl fmt::Debug for Operation {
    /// The place and the size, never the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { space, key, value } => {
                let (key, value) = (key.escape_ascii(), value.len());
                write!(f, "put {space}/{key} ({value} bytes)")
            }
            Self::Delete { space, key } => write!(f, "delete {space}/{}", key.escape_ascii()),
        }
    }
}

impl fmt::Debug for Precondition {
    /// The place, never the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expect {}/{}", self.space, self.key.escape_ascii())
    }
}

impl fmt::Debug for Batch {
    /// How much it writes where, never the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("precondition", &self.precondition)
            .field("operations", &self.operations)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_keeps_its_order_and_shows_places_but_no_values() {
        let batch = Batch::new()
            .expect(Space::Meta, "fence", Some(b"canary".to_vec()))
            .put(Space::States, "key", "canary")
            .delete(Space::Keys, "old");
        assert_eq!((batch.len(), batch.is_empty()), (2, false));
        let shown = format!("{batch:?}");
        assert!(
            shown.contains("put states/key (6 bytes), delete keys/old"),
            "{shown}"
        );
        assert!(shown.contains("expect meta/fence") && !shown.contains("canary"));
    }
}
