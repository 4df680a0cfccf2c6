//! How what keyward promises was proved, and with which numbers.
#![doc = include_str!("proofs.md")]
