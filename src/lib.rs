//! keyward: secret keys that many workers share and that change while everything runs.

pub mod crypto;
pub mod guard;
pub mod journal;
pub mod key;
pub mod repo;
pub mod rotation;
pub mod secret;
pub mod store;
