//! What one key means: its name, flows, definition and state, and the machine that decides what
//! every request gets. The machine is pure: events and the time go in, effects come out.
//!
//! Never in here: a clock, a channel, async, a store or a repo. It imports `secret` only.

pub mod answer;
#[cfg(feature = "embedded")]
pub mod attempt;
#[cfg(feature = "embedded")]
mod by_version;
pub mod declared;
pub mod definition;
#[cfg(feature = "embedded")]
pub mod effect;
pub mod error;
pub mod event;
pub mod facts;
pub mod flow;
pub mod journal_down;
pub mod keeper_error;
#[cfg(feature = "embedded")]
mod late;
#[cfg(feature = "embedded")]
pub mod machine;
pub mod name;
#[cfg(feature = "embedded")]
pub mod proposal;
pub mod state;
pub mod time;
pub mod versions;
#[cfg(feature = "embedded")]
pub mod waiting;
#[cfg(feature = "embedded")]
mod writes;
