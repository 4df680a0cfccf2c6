//! What a change of a key means: ids, the statuses of callbacks and the states of rotations with
//! their one transition table each, the plan, the roster of workers, and the machine that takes
//! every rotation through its plan. Pure: events and the time go in, facts and effects come out.
//!
//! Never in here: a clock, a channel, async, a key's bytes. It imports `secret` and `key`.

pub mod act;
#[cfg(feature = "embedded")]
mod at_instance;
#[cfg(feature = "embedded")]
mod begin_versions;
#[cfg(feature = "embedded")]
mod catch_up;
#[cfg(feature = "embedded")]
mod catching_up;
#[cfg(feature = "embedded")]
mod counting;
#[cfg(feature = "embedded")]
pub mod declaration;
#[cfg(feature = "embedded")]
pub mod declare;
#[cfg(feature = "embedded")]
mod doubt;
#[cfg(feature = "embedded")]
pub mod durable;
#[cfg(feature = "embedded")]
pub mod effect;
#[cfg(feature = "embedded")]
pub mod end;
#[cfg(feature = "embedded")]
pub mod engine;
pub mod error;
mod error_code;
#[cfg(feature = "embedded")]
pub mod event;
#[cfg(feature = "embedded")]
mod fact;
#[cfg(feature = "embedded")]
mod given;
#[cfg(feature = "embedded")]
pub mod half;
pub mod id;
pub mod instance;
#[cfg(feature = "embedded")]
pub mod leave;
#[cfg(feature = "embedded")]
mod lifetimes;
#[cfg(feature = "embedded")]
pub mod listing;
#[cfg(feature = "embedded")]
mod long_waits;
#[cfg(feature = "embedded")]
pub mod machine;
#[cfg(feature = "embedded")]
mod memory;
#[cfg(feature = "embedded")]
mod memory_set;
#[cfg(feature = "embedded")]
pub mod operate;
#[cfg(feature = "embedded")]
pub mod outbox;
pub mod outcome;
#[cfg(feature = "embedded")]
mod phase;
pub mod plan;
#[cfg(feature = "embedded")]
mod prepare;
#[cfg(feature = "embedded")]
mod presence;
#[cfg(feature = "embedded")]
mod reading;
#[cfg(feature = "embedded")]
mod recover;
#[cfg(feature = "embedded")]
pub mod replay;
#[cfg(feature = "embedded")]
pub mod reply;
pub mod report;
#[cfg(feature = "embedded")]
pub mod retention;
#[cfg(feature = "embedded")]
pub mod roster;
#[cfg(feature = "embedded")]
pub mod rotations;
#[cfg(feature = "embedded")]
pub mod run;
#[cfg(feature = "embedded")]
pub mod shared;
mod shown;
pub mod state;
pub mod status;
#[cfg(feature = "embedded")]
pub mod steps;
#[cfg(feature = "embedded")]
mod timers;
#[cfg(feature = "embedded")]
mod told;
#[cfg(feature = "embedded")]
mod turning;
pub mod versions_error;
#[cfg(feature = "embedded")]
mod worker_entry;
