//! What needs a keeper's socket: real sockets, real processes and users at their other ends, real limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod command_line;
mod ground;
mod keeper;
mod programs;
mod rotations;
mod server;
mod versions;
mod work;
