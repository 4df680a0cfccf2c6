//! The tag before a payload: a format byte and the id of the version that the payload is under.

use crate::key::versions::id::VersionId;
use crate::secret::visible::debug_with_code;

/// The first byte of a tagged payload. Another one would mean another form of the tag.
const FORMAT: u8 = 1;

/// How many bytes a tag has: the format byte and the 16 of the id.
pub const TAG_BYTES: usize = 17;

/// Why bytes have no tag, code `no_tag`. They came from outside, or were written before the key had versions:
/// try [`candidates`](crate::KeysManagement::candidates) for such data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NoTag {
    /// They are fewer than a tag has.
    #[error("the data has {bytes} bytes and a tag has {TAG_BYTES}: it carries no id of a version")]
    TooShort {
        /// How many there are.
        bytes: usize,
    },
    /// Their first byte is not that of a tag.
    #[error("the data begins with byte {format}, which no tag of this keyward does")]
    Format {
        /// The first byte.
        format: u8,
    },
}

debug_with_code!(NoTag);

impl NoTag {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "no_tag"
    }
}

/// The payload with the id of its version before it: 17 bytes more.
///
/// keyward encrypts nobody's data. The tag belongs under the signature or into the associated data, so that it
/// cannot be exchanged; it picks a version of the key that the program names, never a key or an algorithm.
///
/// ```
/// use keyward::{VersionId, split, tag};
///
/// let id = VersionId::from_random([7; 16]);
/// let stored = tag(id, b"ciphertext");
/// assert_eq!(split(&stored), Ok((id, &b"ciphertext"[..])));
/// ```
pub fn tag(id: VersionId, payload: &[u8]) -> Vec<u8> {
    [&[FORMAT], id.as_bytes().as_slice(), payload].concat()
}

/// The id that a tagged payload carries, and the payload.
///
/// Whether the key has such a version is found out by the look-up: a tag of another key is `version_unknown`.
///
/// # Errors
/// [`NoTag`], code `no_tag`: the data carries no id.
pub fn split(tagged: &[u8]) -> Result<(VersionId, &[u8]), NoTag> {
    let bytes = tagged.len();
    let Some((tag, payload)) = tagged.split_first_chunk::<TAG_BYTES>() else {
        return Err(NoTag::TooShort { bytes });
    };
    let [format, id @ ..] = *tag;
    if format != FORMAT {
        return Err(NoTag::Format { format });
    }
    Ok((VersionId::new(uuid::Uuid::from_bytes(id)), payload))
}

/// The id as the `kid` of a JSON web token: 22 characters of base64url.
/// [`VersionId::from_kid`] reads it.
pub fn kid(id: VersionId) -> String {
    id.kid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_payload_too_short_for_a_tag_or_of_another_form_has_none() {
        for bytes in 0..TAG_BYTES {
            let short = vec![FORMAT; bytes];
            assert_eq!(split(&short), Err(NoTag::TooShort { bytes }));
        }
        let mut other = tag(VersionId::from_random([1; 16]), b"x");
        for format in (0..=u8::MAX).filter(|format| *format != FORMAT) {
            other[0] = format;
            assert_eq!(split(&other), Err(NoTag::Format { format }));
        }
        assert_eq!(NoTag::Format { format: 0 }.code(), "no_tag");
    }

    #[test]
    fn the_form_of_a_tag_has_not_changed() {
        let id = VersionId::new(uuid::Uuid::from_u128(
            0x0102_0304_0506_4708_890a_0b0c_0d0e_0f10,
        ));
        let expected = [
            1, 1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16, 0xaa,
        ];
        assert_eq!(tag(id, &[0xaa]), expected);
        assert_eq!(kid(id), "AQIDBAUGRwiJCgsMDQ4PEA");
    }

    proptest! {
        #[test]
        fn a_tagged_payload_splits_into_what_it_was_made_of(id: [u8; 16], payload: Vec<u8>) {
            let id = VersionId::from_random(id);
            let tagged = tag(id, &payload);
            prop_assert_eq!(tagged.len(), payload.len() + TAG_BYTES);
            prop_assert_eq!(split(&tagged), Ok((id, payload.as_slice())));
        }

        #[test]
        fn any_bytes_split_or_are_refused(bytes: Vec<u8>) {
            let _ = split(&bytes);
        }
    }
}
