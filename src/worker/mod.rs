//! The side that uses keys: what a callback is, what it is given, the link between a worker and the
//! coordinator, and the running of one callback inside its guard.
//!
//! Never in here: the journal, an actor, a socket. It imports `secret`, `key`, `rotation` and
//! `guard`.

#[cfg(any(feature = "client", feature = "embedded"))]
pub mod call;
pub mod call_versions;
pub mod callback;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod caller;
pub mod candidates;
pub mod caught_up;
pub mod change;
pub mod handle;
pub mod join;
pub mod joined;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod lanes;
#[cfg(feature = "embedded")]
pub mod link;
pub mod membership;
#[cfg(feature = "embedded")]
pub mod names;
#[cfg(feature = "embedded")]
pub mod process_lanes;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod ready;
mod refused;
