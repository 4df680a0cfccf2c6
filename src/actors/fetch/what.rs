//! What a store is asked to do.

use crate::store::keys_store::Swap;

/// What a store is asked to do.
pub enum What {
    /// To answer its keys.
    Fetch,
    /// To answer them, if it can be written.
    Look,
    /// To put new keys in the place of these.
    Replace(Swap),
}
