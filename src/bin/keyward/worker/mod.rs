//! `keyward worker`: callbacks that are commands.
//!
//! Never in here: how a command is run (the library's `CommandLine` does), a key in an argument or a text.

pub mod call;
pub mod calls;
pub mod keeper;
pub mod on_change;
#[cfg(test)]
mod tests;
