//! The side that uses keys: what a callback is, what it is given, and the running of one callback
//! inside its guard.
//!
//! Never in here: the journal, an actor, a socket. It imports `secret`, `key`, `rotation` and
//! `guard`.

pub mod callback;
pub mod change;
pub mod handle;
mod refused;
pub mod run;
pub mod running;
