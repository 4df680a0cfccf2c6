//! What processes say to a keeper over its socket: the messages, generated from `keyward/v1/keyward.proto`,
//! and their translation from and to the types of the library, one file a subject.
//!
//! Whatever comes in may be anything: each translation is total, names the field that it refuses, and
//! allocates no more than the message has.
//!
//! Never in here: a socket, an actor, the journal. It imports `secret`, `key`, `rotation`, `operator`, `worker`, and of `repo` the names of
//! its spaces.

pub mod acts;
pub mod calls;
pub mod changes;
pub mod counted;
#[cfg(feature = "server")]
pub mod ends;
pub mod errors;
pub mod events;
#[rustfmt::skip]
#[allow(
    missing_docs,
    unnameable_types,
    clippy::all,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "generated"
)]
pub mod generated;
pub mod instances;
pub mod invalid;
pub mod keys;
#[cfg(feature = "client")]
pub mod listing;
pub mod operator;
#[cfg(feature = "server")]
pub mod parts;
pub mod plan;
pub mod reports;
pub mod values;
pub mod versions;

#[cfg(test)]
mod tests;
