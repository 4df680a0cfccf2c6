//! The command line, run as a program against a real keeper.

mod nowhere;
mod program;
mod schema;
