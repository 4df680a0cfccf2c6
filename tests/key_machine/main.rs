//! The machine of one key, by tables of exact effects: what happens to it, and what it wants done.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on should say so"
)]

mod bounds;
mod overtaking;
mod owed;
mod proposals;
mod random;
mod requests;
mod saves;
mod script;
mod sharing;
mod words;

use keyward::key::effect::KeyEffect as Effect;
