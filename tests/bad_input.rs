//! Bad input: each piece of it is answered with a clear error, that has a stable code and names
//! what was wrong and where, and nothing is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "bad_input/bounds.rs"]
mod bounds;
#[path = "bad_input/changes.rs"]
mod changes;
#[path = "bad_input/disk.rs"]
mod disk;
#[path = "bad_input/names.rs"]
mod names;
#[path = "bad_input/records.rs"]
mod records;
#[path = "bad_input/starts.rs"]
mod starts;
#[path = "bad_input/stores.rs"]
mod stores;
mod support;
#[path = "bad_input/texts.rs"]
mod texts;
