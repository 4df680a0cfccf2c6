//! Thin shells around the machines: the actors with their messages, what starts them again when they
//! die, the thread of the journal, the arbiters that they run on, admission, and the one clock.
//!
//! Never in here: a rule about keys or rotations, a record's form, RocksDB, a cipher. A handler
//! steps its machine and starts what the effects ask for; it never waits.

pub mod admission;
mod asked;
mod askers;
mod batch;
mod call_limit;
mod callback_link;
pub mod candidates;
pub mod clock;
pub mod closing;
pub mod coordinator;
pub mod coordinator_message;
pub mod declare;
pub mod directory;
pub mod fetch;
mod group;
pub mod journal_thread;
pub mod keeper;
pub mod key_actor;
pub mod key_message;
mod key_perform;
mod local_worker;
mod old_keys;
mod operator_events;
pub mod overview;
mod perform;
mod presence;
pub mod rotation_keys;
pub mod seen;
pub mod supervision;
mod take_up;
mod tell_once;
mod told;
pub mod worker_actor;
