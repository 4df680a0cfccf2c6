//! Callbacks that call keyward, and callbacks and stores that block for ever: nothing deadlocks,
//! and everything else goes on.

mod callbacks;
mod calls;
mod places;
mod stores;

use std::time::Duration;

use keyward::SecretKeyDefinition;

const LATER: Duration = Duration::from_secs(600);

fn other() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("other", || "other_1").stateless(false)
}
