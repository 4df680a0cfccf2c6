//! Plain keys are nowhere: not in the database folder, not in the log at trace level, not in any
//! error text, report, listing or `Debug`, not in what a panic or a failing command prints; neither
//! raw nor in hex nor in base64. A core is not dumped, and after use none is left in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod canary;
mod child;
#[path = "../../src/bin/keyward/colour.rs"]
mod colour;
mod commands;
mod core_dump;
mod errors;
mod folder;
#[path = "../../src/bin/keyward/hardening.rs"]
mod hardening;
mod heard;
#[path = "../../src/bin/keyward/log.rs"]
mod log;
mod memory;
mod panics;
mod sources;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod types;
