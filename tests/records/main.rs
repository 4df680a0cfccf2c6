//! What lies in a repo: the journal's records, and the repos themselves, in memory and on RocksDB.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod journal;
mod repo;
#[path = "../support/mod.rs"]
mod support;
