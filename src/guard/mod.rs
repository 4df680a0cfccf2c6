//! How foreign code is run: stores, callbacks, state repos, crypto tools, the log's subscriber.
//!
//! Every call of it goes through this room, so that a panic becomes an error, a time limit holds,
//! and blocking code stands on a thread set apart:
//!
//! - [`plugins`]: all that runs plug-ins and keyward's own stores, which share no thread;
//! - [`threads`]: one bounded kind of blocking threads, one [`threads::Slot`] a call;
//! - `async_threads`, `executor`: async plug-ins, and the threads that they share;
//! - `background`: a tokio runtime and the thread that drives it;
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

mod async_threads;
mod background;
mod clock;
mod desk;
pub mod events;
mod executor;
pub mod fault;
pub mod foreign;
pub mod fork;
pub mod place;
pub mod plugins;
pub mod run;
pub mod threads;

#[cfg(test)]
mod tests;
