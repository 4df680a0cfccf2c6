//! Foreign values that keyward keeps: they are dropped where their drop may block or panic.

use std::thread;

use super::fault::dispose;
use super::place::may_block;

/// A foreign value, a closure for example, whose drop never runs on the thread of an actor or of
/// an async plug-in, and never panics into keyward.
pub struct Foreign<T: Send + 'static> {
    value: Option<T>,
}

impl<T: Send + 'static> Foreign<T> {
    /// Keeps a value.
    pub fn new(value: T) -> Self {
        Self { value: Some(value) }
    }

    /// The value; it is there until it is dropped.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }
}

impl<T: Send + 'static> Drop for Foreign<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else {
            return;
        };
        if may_block() {
            dispose(value);
            return;
        }
        let elsewhere = thread::Builder::new().name("keyward-drop".to_owned());
        // Without a thread the closure that owns the value is dropped here, inside the guard.
        dispose(elsewhere.spawn(move || dispose(value)));
    }
}
