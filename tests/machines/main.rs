//! The pure machines: one key, all rotations, and the engine around them; in tables, with every state of
//! small worlds, and on a virtual clock. Nothing here starts a thread of keyward or opens a repo on disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod durable;
mod instances;
mod key_machine;
mod listed;
mod model;
mod rotation_engine;
mod rotation_machine;
mod simulation;
