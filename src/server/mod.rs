//! The keeper's socket: other processes ask the keys of this one, and an operator reaches it.
//!
//! Read it from the outside in: [`serving`] is what a program calls, [`socket`] makes the socket's file,
//! [`accept`] takes connections in, [`peer`] is what the kernel says of the process at the other end,
//! [`grants`] says what it may do.
//!
//! Never in here: a rule about keys or rotations, actors, the journal. Nothing that a client says about
//! itself is believed.

mod accept;
mod answer;
pub mod bounds;
mod caller;
mod connection;
mod counts;
mod descriptors;
pub mod error;
pub mod grants;
mod health;
mod incoming;
mod io;
mod keeper;
mod keys;
mod operate;
pub mod options;
pub mod peer;
mod refusal;
pub mod reload;
mod replies;
mod requests;
mod services;
pub mod serving;
pub mod socket;
mod unread;
mod work;
