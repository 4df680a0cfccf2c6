//! A running manager in the process of the tests, through its public calls.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod bad_input;
mod contract;
mod linearizability;
mod operator;
mod reentrancy;
mod shutdown;
mod supervision;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
mod versions;
mod world;
