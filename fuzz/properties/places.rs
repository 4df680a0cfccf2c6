//! Any bytes as the place of a record: none, or the place whose bytes these are.

use keyward::Space;
use keyward::journal::any_bytes::{order_again, place_again, rotation_at};

use crate::allocated;

/// A place is its bytes and three names, once in the place and once on the way there.
const MEMORY: (usize, usize) = (16, 4096);

/// In each space.
pub fn check(bytes: &[u8]) {
    for space in Space::ALL {
        if let Some(again) = allocated::within(MEMORY, bytes, || place_again(space, bytes)) {
            assert_eq!(again, bytes, "a place in {space}");
        }
        allocated::within(MEMORY, bytes, || drop(rotation_at(space, bytes)));
    }
    if let Some(again) = allocated::within(MEMORY, bytes, || order_again(bytes)) {
        assert_eq!(again, bytes, "a place in the order of the history");
    }
}
