//! How foreign code is run: stores, callbacks, state repos, crypto tools, the log's subscriber.
//!
//! Every call of it goes through this folder, so that a panic becomes an error, a time limit holds,
//! and blocking code runs on a thread set apart. Begin with [`plugins`], which has all the rest:
//!
//! | code | how it is run | where |
//! | --- | --- | --- |
//! | a blocking store or callback, a key file | [`Slot::run`](thread_pool::Slot::run) | [`thread_pool`]: threads of one kind, bounded, one a call |
//! | an async store or callback | [`Plugins::run_async`](plugins::Plugins::run_async) | `async_pool`: threads that all of them share; `async_plugin`: one of them; `executor`: the queue of those that are ready; `runtime`: a tokio runtime for their timers and sockets |
//! | a command | [`Plugins::run_command`](plugins::Plugins::run_command) | a thread of [`thread_pool`], and keyward's own `runtime` |
//! | a state repo, a crypto tool: short calls in place | [`fault::catch`] | the caller's thread |
//! | the log's subscriber | [`events::Events::tell`] | a thread of its own |
//!
//! Shared by these:
//!
//! - [`foreign_call`]: one call under way, with its one outcome, and when the code has really come back;
//! - `timer`: the thread that keeps all time limits;
//! - [`fault`]: what may go wrong besides what the foreign code itself answers;
//! - [`this_thread`]: what runs on this thread, whether it may block, and how it waits;
//! - [`foreign`]: foreign values that are kept, and dropped where that may take its time;
//! - [`fork`]: what a child after `fork()` may not do.
//!
//! Never in here: what is run and why (stores and callbacks have rooms of their own), keys, and any
//! import from the crate but of `secret`.

#[cfg(any(feature = "client", feature = "embedded"))]
mod async_plugin;
#[cfg(any(feature = "client", feature = "embedded"))]
mod async_pool;
#[cfg(feature = "server")]
pub mod event_watch;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod events;
#[cfg(any(feature = "client", feature = "embedded"))]
mod executor;
pub mod fault;
pub mod foreign;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod foreign_call;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod fork;
pub mod forked;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod plugins;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod runtime;
#[cfg(feature = "embedded")]
mod store_plugins;
pub mod this_thread;
#[cfg(any(feature = "client", feature = "embedded"))]
pub mod thread_pool;
#[cfg(any(feature = "client", feature = "embedded"))]
mod timer;

#[cfg(test)]
mod tests;
