//! What needs real processes: kills, limits, forks, full disks, commands, programs, and faults and load that may
//! take a process with them. A test that changes its process runs in one of its own (`support::alone`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod completions;
mod configuration;
mod crash;
mod demo;
mod events;
mod examples;
mod faults;
mod folder;
mod limits;
mod load;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod versions;
mod wall_clock;
