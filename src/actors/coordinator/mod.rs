//! The coordinator: the actor that takes every rotation through its plan, and the way to it.
//!
//! `part` is the actor, `work` what it has under way, `message` what it is told, and `door` how others
//! ask it. Each other file is a piece of the actor: what it does about one thing.
//!
//! Never in here: a rule about rotations, which are the machine's, or a record's form.

mod answers;
mod batch;
mod closing;
mod deferred;
pub mod door;
mod instances;
pub mod message;
mod old_keys;
mod operator_events;
pub mod part;
mod perform;
mod presence;
mod recovery;
mod reports;
mod requests;
mod rotation_keys;
mod versions;
mod work;
