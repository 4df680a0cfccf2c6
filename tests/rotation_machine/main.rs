//! The coordinator's machine, by tables of exact effects: what happens, and what it wants made
//! durable and done. Effects are compared as lines of text that name everything they say.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on should say so"
)]

mod ahead;
mod clock;
mod crashes;
mod declare;
mod durable;
mod lines;
mod listing;
mod missing;
mod old_keys;
mod operate;
mod random;
mod roster;
mod run;
mod script;
mod tables;
mod words;
mod world;
