//! The engine around the coordinator's machine, by tables of exact actions: what it writes, what it
//! performs, and what it does when a write fails or the actor that has it dies. The machine alone is
//! in `rotation_machine`, whose names for things are used here.

mod driver;
mod effects;
mod found;
mod halves;
mod left;
mod lost;
mod presence;
mod reading;
mod results;
mod told;
