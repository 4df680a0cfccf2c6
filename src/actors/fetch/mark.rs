//! The warning that a key begins with a byte order mark.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::guard::events::Events;
use crate::secret::value::SecretKeys;
use crate::store::byte_order_mark::is_marked;

/// Whether the last keys of a store had a byte order mark. It stays part of the key, for no key is
/// changed unseen.
#[derive(Default)]
pub struct Mark {
    seen: AtomicBool,
}

impl Mark {
    /// Tells when the keys begin to have one.
    pub fn look(
        &self,
        keys: &SecretKeys,
        events: &Events,
        key: &str,
        source: impl FnOnce() -> String,
    ) {
        let marked = is_marked(keys);
        let before = self.seen.swap(marked, Ordering::Relaxed);
        if !marked || before {
            return;
        }
        let (key, source) = (key.to_owned(), source());
        events.tell(move || {
            tracing::warn!(
                %key,
                source,
                "the key begins with a byte order mark, which editors and shells add unseen; it is \
                 part of the key: take it away at the source if it is not meant"
            );
        });
    }
}
