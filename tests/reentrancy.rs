//! Callbacks that call keyward, and callbacks and stores that block for ever: nothing deadlocks,
//! and everything else goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[path = "reentrancy/callbacks.rs"]
mod callbacks;
#[path = "reentrancy/calls.rs"]
mod calls;
#[path = "reentrancy/places.rs"]
mod places;
#[path = "reentrancy/stores.rs"]
mod stores;
mod support;

use std::time::Duration;

use keyward::{Change, SecretKeyDefinition};

const LATER: Duration = Duration::from_secs(600);

fn other() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("other", || "other_1").stateless(false)
}

fn change() -> Change {
    Change::of("documents").old("value_1").new_keys("value_2")
}
