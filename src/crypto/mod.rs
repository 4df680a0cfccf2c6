//! Sealing: bytes that only the holder of the master key can open, and that tell when they were
//! changed or put in another place; keyed fingerprints; random bytes.
//!
//! [`aead::AeadCryptoTool`] is the default tool. A program may use it for its own documents too:
//! derive one from a key of at least 32 bytes and a salt of the program's own.
//!
//! Never in here: what is sealed and where it lies (that is the journal's), where a master key
//! comes from (that is a store's). May import `secret` only.

pub mod aead;
pub mod crypto_tool;
pub mod error;
pub mod fingerprint;
pub mod random;
