//! What waits for the name of a worker of this process's managers, and is woken instead of looking again and again.

use std::pin::Pin;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

static FREED: Notify = Notify::const_new();

/// A worker has left, died or ended, or a callback has returned: a name that was taken may be free.
pub fn may_be_free() {
    FREED.notify_waiters();
}

/// Ends when a name may be free that was taken when this was called. What looks in between misses nothing.
pub fn freed() -> Pin<Box<Notified<'static>>> {
    let mut freed = Box::pin(FREED.notified());
    freed.as_mut().enable();
    freed
}
