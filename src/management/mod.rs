//! What a program holds: the builder, the manager, a worker of this process, a handle on one key, and the
//! operator's calls. Every default is picked here.
//!
//! Never in here: a rule about keys or rotations, or anything that only a remote client needs.

pub mod answer;
#[cfg(feature = "cli")]
pub mod as_found;
pub mod backup;
mod begin_versions;
pub mod builder;
pub mod candidates;
mod define;
pub mod definition;
pub mod error;
mod inner;
#[cfg(feature = "server")]
pub(crate) mod instances;
mod kept;
pub mod keys_management;
mod local_membership;
mod looking;
mod opening;
pub mod operator;
pub(crate) mod phase;
mod removing;
pub mod settings;
pub mod single;
mod start;
#[cfg(feature = "testing")]
pub mod testing;
mod verify;
pub mod versions;
mod waiting;
