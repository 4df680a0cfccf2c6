//! Faults of the repo under a running manager: it fails, is slow, half-writes, panics, has no room.
//! Writes are never answered as what they were not, nothing that was accepted is lost, and what
//! needs no repo goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "faults/ground.rs"]
mod ground;
#[path = "faults/history.rs"]
mod history;
#[path = "faults/often.rs"]
mod often;
#[path = "faults/reads.rs"]
mod reads;
#[path = "faults/reopening.rs"]
mod reopening;
#[path = "faults/room.rs"]
mod room;
#[path = "faults/slow.rs"]
mod slow;
mod support;
#[path = "faults/unknown.rs"]
mod unknown;
#[path = "faults/waiting_keys.rs"]
mod waiting_keys;
