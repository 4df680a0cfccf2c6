//! Streams of instances, message by message: what the keeper says, takes, and refuses.

mod catching_up;
mod ends;
mod killed;
mod moves;
mod namespaces;
mod older_kernels;
pub mod peer;
mod processes;
mod refused;
mod restarts;
mod unanswered;
