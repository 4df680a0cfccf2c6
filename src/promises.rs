//! What keyward promises to the programs that use it.
#![doc = include_str!("promises.md")]
