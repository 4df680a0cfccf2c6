//! How foreign code is run: stores, callbacks, state repos, crypto tools, the log's subscriber.
//!
//! Every call of it goes through this room, so that a panic becomes an error, a time limit holds,
//! and blocking code stands on a thread set apart:
//!
//! - [`plugins`]: keyward's own runtime for async stores and callbacks, and the two bounded kinds
//!   of blocking threads;
//! - [`threads`]: such a kind of threads, one [`threads::Slot`] a call;
//! - [`run`]: one call under way, with what it answered and when it has really come back;
//! - `clock`: what ends a call's time;
//! - [`events`]: what is told to the log, on a thread of its own;
//! - `desk`: one thread for blocking code, and how it is given its jobs;
//! - [`fault`]: what may go wrong besides what the foreign code itself answers, and
//!   [`fault::catch`] for short calls in place;
//! - [`foreign`]: foreign values that are kept, and dropped where that may take its time;
//! - [`fork`]: what a child after `fork()` has to know;
//! - [`place`]: which kind of code runs on this thread, whether it may block, and how it does.
//!
//! Never in here: what is run and why (stores and callbacks have rooms of their own), keys, and any
//! import from the crate but of `secret`.

mod clock;
mod desk;
pub mod events;
pub mod fault;
pub mod foreign;
pub mod fork;
pub mod place;
pub mod plugins;
pub mod run;
pub mod threads;

#[cfg(test)]
mod tests;
