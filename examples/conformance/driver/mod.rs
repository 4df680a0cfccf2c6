//! The driver of the vectors, which the example and the test of the vectors share.
//!
//! Reading order: `scenario` is what a file says, `replay` takes one scenario through its steps,
//! `life` is one life of the program in it, `plant` the record that is there at the start,
//! `namespace` the part of the shared database that a scenario has for itself, `all` replays many
//! side by side, and `compare` says what differs from what a file expects.

pub mod all;
pub mod compare;
mod life;
mod namespace;
mod outside;
mod plant;
pub mod replay;
pub mod scenario;
