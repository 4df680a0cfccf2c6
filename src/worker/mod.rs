//! The side that uses keys: what a callback is, what it is given, the link between a worker and the
//! coordinator, and the running of one callback inside its guard.
//!
//! Never in here: the journal, an actor, a socket. It imports `secret`, `key`, `rotation` and
//! `guard`.

pub mod call;
pub mod callback;
pub mod caller;
pub mod candidates;
pub mod caught_up;
pub mod change;
pub mod handle;
pub mod join;
pub mod joined;
pub mod lanes;
pub mod link;
pub mod membership;
pub mod names;
pub mod ready;
mod refused;
