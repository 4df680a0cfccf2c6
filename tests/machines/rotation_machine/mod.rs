//! The coordinator's machine, by tables of exact effects: what happens, and what it wants made
//! durable and done. Effects are compared as lines of text that name everything they say.
mod ahead;
mod clock;
mod crashes;
mod declare;
pub mod elsewhere;
mod given_calls;
pub mod lines;
mod listing;
mod lost_calls;
mod memory;
mod missing;
mod old_keys;
mod operate;
mod random;
mod roster;
mod run;
pub mod script;
mod tables;
mod versions;
mod words;
mod world;
