//! The command line, run as a program against a real keeper.

mod bad_input;
mod get;
mod ground;
mod live;
mod nowhere;
mod operate;
mod permitted;
pub mod program;
mod rotate;
mod schema;
mod secret;
mod terminal;
mod transcripts;
