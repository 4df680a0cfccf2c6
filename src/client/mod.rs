//! A keeper in another process: the connection, whom it trusts, the calls over it, and a worker's instance.
//!
//! Read [`handle`] first, which a program holds, then `session` (what everything of a client shares: threads,
//! limits, what a child of `fork()` is told), `place` and `trust` (which socket, and whose listener), `connector`
//! and `connection` (the calls over one connection), `failure` (what a keeper's refusal becomes), `operate`, `health` and
//! `event_stream` (the operator's calls), and `instance`: a worker of this process.
//!
//! Never in here: an actor, the journal, a repo, a store; what another process keeps is asked of it. It
//! imports `wire`, `worker`, `operator`, `secret`, `key`, `rotation` and `guard`.

pub mod builder;
mod connection;
mod connector;
pub mod event_stream;
mod failure;
pub mod handle;
mod health;
mod instance;
mod operate;
mod place;
mod session;
mod trust;
