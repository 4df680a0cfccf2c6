//! Thin shells around the machines: the actors with their messages, what starts them again when they
//! die, the thread of the journal, the arbiters that they run on, admission, and the one clock.
//!
//! Never in here: a rule about keys or rotations, a record's form, RocksDB, a cipher. A handler
//! steps its machine and starts what the effects ask for; it never waits.

pub mod admission;
mod call_limit;
pub mod callback_link;
pub mod candidate_keys;
pub mod clock;
pub mod coordinator;
pub mod declarer;
pub mod directory;
pub mod fetch;
pub mod history_thread;
pub mod journal_thread;
pub mod key_actor;
mod key_gets;
pub mod key_message;
mod key_perform;
mod local_worker;
mod new_keys;
pub mod overview;
mod post;
pub mod seen;
mod store_writer;
pub mod supervision;
mod tell_once;
pub mod worker_actor;
