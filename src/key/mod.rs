//! What one key means: its name, flows, definition and state, and the machine that decides what
//! every request gets. The machine is pure: events and the time go in, effects come out.
//!
//! Never in here: a clock, a channel, async, a store or a repo. It imports `secret` only.

pub mod answer;
pub mod attempt;
pub mod declared;
pub mod definition;
pub mod effect;
pub mod error;
pub mod event;
pub mod flow;
pub mod journal_down;
pub mod keeper_error;
pub mod machine;
pub mod name;
pub mod proposal;
pub mod state;
pub mod time;
pub mod waiting;
mod writes;
