//! The engine around the coordinator's machine, by tables of exact actions: what it writes, what it
//! performs, and what it does when a write fails or the actor that has it dies. The machine alone is
//! in `rotation_machine`, whose names for things are used here.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on should say so"
)]

#[allow(dead_code, reason = "the machine's tests use the rest")]
#[path = "../rotation_machine/durable.rs"]
mod durable;
#[allow(dead_code, reason = "the machine's tests use the rest")]
#[path = "../rotation_machine/lines.rs"]
mod lines;
#[allow(dead_code, reason = "the machine's tests use the rest")]
#[path = "../rotation_machine/script.rs"]
mod script;

mod driver;
mod effects;
mod found;
mod halves;
mod presence;
mod reading;
mod results;
mod told;
