//! The repository itself: who may import whom, and that each promise has its test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod circles;
mod errors;
mod generated;
mod layers;
mod operator_page;
mod promises;
