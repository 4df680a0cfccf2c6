//! What the system refuses (threads, descriptors, the size of a file) and the program's end, whenever
//! it comes: an error or a clean end, never the end of the process, and nothing is left behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "../support/mod.rs"]
mod support;

mod alive;
mod child;
mod ends;
mod file_size;
mod rlimit;
mod walks;
