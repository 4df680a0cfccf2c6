//! The command line, run as a program against a real keeper.

mod bad_input;
mod completing;
mod events;
mod exit_status;
mod get;
mod ground;
mod live;
mod nowhere;
mod objects;
mod operate;
mod permitted;
pub mod program;
mod recover;
mod rotate;
mod schema;
mod secret;
mod terminal;
mod transcripts;
mod versions;
