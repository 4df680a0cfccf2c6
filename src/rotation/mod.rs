//! What a change of a key means: ids, the statuses of callbacks and the states of rotations with
//! their one transition table each, the plan, the roster of workers, and the machine that takes
//! every rotation through its plan. Pure: events and the time go in, facts and effects come out.
//!
//! Never in here: a clock, a channel, async, a key's bytes. It imports `secret` and `key`.

mod at_instance;
mod catch_up;
mod catching_up;
pub mod declare;
mod doubt;
pub mod durable;
pub mod effect;
pub mod end;
pub mod engine;
pub mod error;
mod error_code;
pub mod event;
mod fact;
mod given;
pub mod half;
pub mod id;
pub mod instance;
pub mod leave;
pub mod listing;
mod long_waits;
pub mod machine;
mod memory;
pub mod operate;
pub mod outbox;
pub mod outcome;
pub mod plan;
mod prepare;
mod presence;
mod reading;
mod recover;
pub mod replay;
pub mod report;
pub mod retention;
pub mod roster;
pub mod rotations;
pub mod run;
pub mod shared;
mod shown;
pub mod state;
pub mod status;
pub mod steps;
mod told;
mod worker_entry;
