//! What an operator is told, in the keeper's process and in another: status, workers, a page of the
//! history, actors, and each in words for people.
//!
//! Never in here: how any of it is found out, and a value of a key but in
//! [`RecoveredKeys`](status::RecoveredKeys). It imports `secret`, `key`, `rotation`, and of `repo` the names of
//! its spaces.

pub mod actor;
pub mod event;
pub mod plan;
mod shown;
pub mod status;
pub mod verified;
