//! The keeper's socket: other processes ask the keys of this one, and an operator reaches it.
//!
//! Read it from the outside in: [`serving`] is what a program calls, [`socket`] makes the socket's file,
//! [`accept`] takes connections in, [`peer`] is what the kernel says of the process at the other end,
//! [`grants`] says what it may do.
//!
//! Never in here: a rule about keys or rotations, actors, the journal. Nothing that a client says about
//! itself is believed.

pub mod error;
pub mod grants;
pub mod peer;
pub mod socket;
