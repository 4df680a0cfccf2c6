//! `keyward worker`: callbacks that are commands.
//!
//! Never in here: how a command is run (the library's `CommandLine` does), a key in an argument or a text.

use std::time::Duration;

pub mod call;
pub mod calls;
pub mod on_change;
#[cfg(test)]
mod tests;

/// How long a process waits with its end, so that what it has said last is written to the keeper.
pub const LAST_WORDS: Duration = Duration::from_millis(200);
