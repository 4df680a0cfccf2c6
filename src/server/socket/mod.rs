//! The socket's file: made so that no connection comes too early, that a stale one is replaced and a living
//! one is left alone; or the listening socket that systemd passes.
//!
//! Never in here: what is said over the socket.

pub mod file;
pub mod listening;
pub mod lock;
pub mod passed;
