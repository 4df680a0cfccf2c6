//! Load: a flood of requests is told `busy` at once, memory stays within a bound, no other request is
//! held up, and what was admitted is answered.

mod bounds;
mod callbacks;
mod clients;
mod definitions;
mod gets;
mod gone;
mod history;
mod memory;
mod roster;
mod rotations;
mod saves;
mod source;
mod stores;
