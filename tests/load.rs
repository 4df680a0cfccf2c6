//! Load: whoever floods keyward is told `busy` at once, memory stays within a bound, nobody else is
//! held up, and what was admitted is answered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "load/callbacks.rs"]
mod callbacks;
#[path = "load/clients.rs"]
mod clients;
#[path = "load/definitions.rs"]
mod definitions;
#[path = "load/gets.rs"]
mod gets;
#[path = "load/gone.rs"]
mod gone;
#[path = "load/history.rs"]
mod history;
#[path = "load/memory.rs"]
mod memory;
#[path = "load/roster.rs"]
mod roster;
#[path = "load/rotations.rs"]
mod rotations;
#[path = "load/saves.rs"]
mod saves;
#[path = "load/source.rs"]
mod source;
#[path = "load/stores.rs"]
mod stores;
mod support;
