//! What happens in this process, and its instance has to know.

use tokio::sync::mpsc;

use crate::client::instance::duties::{Asking, CallKey, ReplyTo};
use crate::key::name::{CallbackName, KeyName};
use crate::wire::generated::Ended;
use crate::worker::callback::Callback;

/// What happens in this process.
pub(super) enum Here {
    /// A callback is to be registered.
    Register(KeyName, CallbackName, Callback, ReplyTo),
    /// The keeper is to be asked something.
    Ask(Asking, ReplyTo),
    /// A call has ended, or has passed its limit and still runs.
    Ended(CallKey, Option<Ended>, bool),
    /// A call that had passed its limit has returned.
    Returned(CallKey),
    /// The handle was dropped.
    Dropped,
}

/// How what is asked of a life gets to it.
pub(super) type ToLife = mpsc::UnboundedSender<Here>;
