//! The data folder under a running manager: moved away, forked, and copied while it is in use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "folder/backup.rs"]
mod backup;
#[path = "folder/calls.rs"]
mod calls;
#[path = "folder/forked.rs"]
mod forked;
#[path = "folder/moved.rs"]
mod moved;
mod support;
