//! Any bytes as tagged data, as a `kid` and as the text of an id: none, or what is made of it again is the same.

use keyward::{VersionId, split, tag};

use crate::allocated;

/// A payload is not copied; an error has a text.
const MEMORY: (usize, usize) = (0, 1024);

/// As each of them.
pub fn check(bytes: &[u8]) {
    if let Ok((id, payload)) = allocated::within(MEMORY, bytes, || split(bytes)) {
        assert_eq!(tag(id, payload), bytes, "a tag");
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(id) = allocated::within(MEMORY, bytes, || VersionId::from_kid(text)) {
        assert_eq!(id.kid(), text, "a kid has one spelling");
    }
    if let Ok(id) = allocated::within(MEMORY, bytes, || text.parse::<VersionId>()) {
        assert_eq!(Ok(id), id.to_string().parse(), "an id");
    }
}
