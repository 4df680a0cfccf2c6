//! keyward: secret keys that many workers share and that change while everything runs.

pub mod guard;
pub mod secret;
