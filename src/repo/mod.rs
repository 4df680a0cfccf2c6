//! Ordered bytes that survive: the trait [`state_repo::StateRepo`], its two adapters, and the suite
//! that every adapter must pass, a program's own too ([`conformance`]).
//!
//! Read [`state_repo`] first, then [`batch`] and [`memory`]. [`rocks`] is the durable adapter; it
//! stands on [`folder`] (whose folder is it), `lock` (only one has it open), `holder` (which process that is), `paths` (where it is, also after
//! it was moved), `marker` (what lies in it), `backup` (where a copy of it is put), `rocks_calls` (what
//! RocksDB is told), `failure` (what its errors, and the system's, mean), `threads` (those that RocksDB needs),
//! `program_end` and `file_size` (what must not end the process in the middle of a write), and `files`
//! and `log_check` (the damage that RocksDB does not see).
//!
//! Without `embedded` only [`space`] is here, which names where a record that cannot be read lies.
//!
//! Never in here: what the bytes mean, and anything of the rest of the crate but of `guard`, which
//! knows of `fork()`, and of `secret`, which knows how foreign texts are shown. RocksDB is used nowhere else.

#[cfg(feature = "embedded")]
mod backup;
#[cfg(feature = "embedded")]
pub mod batch;
#[cfg(feature = "embedded")]
pub mod conformance;
#[cfg(feature = "embedded")]
pub mod error;
#[cfg(feature = "embedded")]
mod failure;
#[cfg(feature = "embedded")]
mod file_size;
#[cfg(feature = "embedded")]
mod files;
#[cfg(feature = "embedded")]
pub mod folder;
#[cfg(feature = "embedded")]
mod holder;
#[cfg(feature = "embedded")]
mod lock;
#[cfg(feature = "embedded")]
mod log_check;
#[cfg(feature = "embedded")]
mod marker;
#[cfg(feature = "embedded")]
pub mod memory;
#[cfg(feature = "embedded")]
mod paths;
#[cfg(feature = "embedded")]
mod program_end;
#[cfg(feature = "embedded")]
pub mod rocks;
#[cfg(feature = "embedded")]
mod rocks_calls;
pub mod space;
#[cfg(feature = "embedded")]
pub mod state_repo;
#[cfg(feature = "embedded")]
mod threads;
