//! `keyward run`: a program that knows nothing of keyward is given its keys, and the changed ones.
//!
//! Reading order: `supervisor` is what happens to the program, `program` how it is started, `keys` where it
//! finds its keys, `signals` and `children` what the system tells of it.
//!
//! Never in here: a key in an argument, a text or the log.

mod children;
pub mod error;
pub mod keys;
pub mod program;
pub mod signals;
pub mod supervisor;
#[cfg(test)]
mod tests;
