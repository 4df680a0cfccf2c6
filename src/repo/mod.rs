//! Ordered bytes that survive: the trait [`state_repo::StateRepo`], its two adapters, and the suite
//! that every adapter must pass, a program's own too ([`conformance`]).
//!
//! Read [`state_repo`] first, then [`batch`] and [`memory`]. [`rocks`] is the durable adapter, and
//! `rocks_reader` only reads what that one wrote; it stands on [`folder`] (its owner and its path), `lock` (only one has it open), `holder` (which process that is), `paths` (where it is, also after
//! it was moved), `marker` (what lies in it), `backup_target` (where a copy of it is put), `rocks_calls` (what
//! RocksDB is told), `failure` (what its errors, and the system's, mean), `rocks_threads` (those that RocksDB needs),
//! `program_end` and `file_size` (what must not end the process in the middle of a write), and `files`
//! and `log_check` (the damage that RocksDB does not see).
//!
//! Never in here: what the bytes mean, and anything of the rest of the crate but of `guard`, which
//! knows of `fork()`, and of `secret`, which knows how foreign texts are shown. RocksDB is used nowhere else.

mod backup_target;
pub mod batch;
pub mod conformance;
pub mod error;
mod failure;
mod file_size;
mod files;
pub mod folder;
mod holder;
mod lock;
mod log_check;
mod marker;
pub mod memory;
mod paths;
mod program_end;
pub mod rocks;
mod rocks_calls;
pub mod rocks_reader;
mod rocks_threads;
pub mod space;
pub mod state_repo;
