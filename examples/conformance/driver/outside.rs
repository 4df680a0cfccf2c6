//! What lives on while the program's lives end: the store, and what was seen of the callbacks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyward::SecretKeys;

/// What lives on while the program's lives end.
#[derive(Debug)]
pub struct Outside {
    store: Mutex<Option<SecretKeys>>,
    calls: AtomicU64,
    ran: Mutex<Vec<String>>,
}

impl Outside {
    /// A store that answers these keys, or fails.
    pub fn new(keys: Option<SecretKeys>) -> Self {
        Self {
            store: Mutex::new(keys),
            calls: AtomicU64::new(0),
            ran: Mutex::new(Vec::new()),
        }
    }

    /// Changes what the store answers.
    pub fn set_store(&self, keys: Option<SecretKeys>) {
        *lock(&self.store) = keys;
    }

    /// One call of the store.
    ///
    /// # Errors
    /// The store is to fail.
    pub fn ask_store(&self) -> Result<SecretKeys, &'static str> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        lock(&self.store)
            .clone()
            .ok_or("the scenario's store fails")
    }

    /// How often the store was called.
    pub fn store_calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// A callback is being called.
    pub fn note(&self, callback: &str) {
        lock(&self.ran).push(callback.to_owned());
    }

    /// The callbacks that were called since this was last asked, in order.
    pub fn take_ran(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.ran))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
