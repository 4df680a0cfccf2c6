//! What an operator may know of a key, kept where it is read without the key's actor: a listing of many
//! keys costs their actors nothing.

use std::sync::{Arc, Mutex, PoisonError};

use crate::key::facts::KeyFacts;

/// What is known of a key, as its actor knew it last.
#[derive(Debug, Default)]
pub struct SeenFacts(Mutex<KeyFacts>);

impl SeenFacts {
    /// What is known.
    pub fn get(&self) -> KeyFacts {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, facts: KeyFacts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }
}

/// The side of the actor, which shows what it knows before it answers a request.
pub(super) struct Shown {
    seen: Arc<SeenFacts>,
    last: KeyFacts,
}

impl Shown {
    pub(super) fn new(seen: Arc<SeenFacts>) -> Self {
        let last = seen.get();
        Self { seen, last }
    }

    /// Shows this, if it is new.
    pub(super) fn show(&mut self, facts: KeyFacts) {
        if facts != self.last {
            self.last = facts;
            self.seen.set(facts);
        }
    }
}
