//! Key values, pairs of them, and what a store or a declaration gives: one value or a pair.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secret::visible::debug_with_code;

/// The largest value that keyward takes, in bytes: 1 MiB.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// How long the beginning of a value is at most by which texts that quote it are found.
pub const MAX_BEGINNING_BYTES: usize = 64;

/// What [`SecretKeyValue::censored`] shows, whatever the value.
pub const CENSORED: &str = "***";

/// Why keys were refused, code `invalid_key`. The keys themselves are never quoted.
///
/// The giver of the keys is at fault: the store, or the caller that declared them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// A value of no bytes.
    #[error("the key is empty; a key has 1 byte to 1 MiB")]
    Empty,
    /// A value of more than 1 MiB.
    #[error("the key has {bytes} bytes; a key has 1 byte to 1 MiB (1,048,576 bytes)")]
    TooLong {
        /// How many bytes were given.
        bytes: usize,
    },
    /// A value of more than 64 KiB for a key with versions, all of which are kept in memory.
    #[error("the key has {bytes} bytes; a key with versions has 1 byte to 64 KiB (65,536 bytes)")]
    TooLongForVersions {
        /// How many bytes were given.
        bytes: usize,
    },
    /// A pair where the key has one flow only.
    #[error("a pair was given for a one-way key; give one value")]
    PairForOneWay,
}

debug_with_code!(InvalidKey);

impl InvalidKey {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "invalid_key"
    }
}

/// One secret value: any bytes, zeroized when the last clone is dropped, compared in constant time.
///
/// A clone shares the bytes. Neither `Debug` nor `Display` shows them.
#[derive(Clone)]
pub struct SecretKeyValue {
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

impl SecretKeyValue {
    /// Takes over a buffer; no copy of it is made.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self::from_zeroizing(Zeroizing::new(bytes))
    }

    /// Takes over a buffer that zeroizes itself already.
    pub fn from_zeroizing(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self {
            bytes: Arc::new(bytes),
        }
    }

    /// The plain bytes. What the caller copies out of here is the caller's to wipe.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The plain text, if the bytes are UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// The first bytes of the value, 64 at most: a text that quotes the value
    /// quotes these, and they take little memory. Of text, whole characters.
    pub fn beginning(&self) -> Self {
        let bytes = self.expose();
        if bytes.len() <= MAX_BEGINNING_BYTES {
            return self.clone();
        }
        // Not in the middle of a character, which would look another way in a text.
        let is_end = |end: &usize| bytes.get(*end).is_some_and(|next| next & 0xc0 != 0x80);
        let shortest = MAX_BEGINNING_BYTES.saturating_sub(4);
        let end = (shortest..=MAX_BEGINNING_BYTES).rev().find(is_end);
        let end = end.unwrap_or(MAX_BEGINNING_BYTES);
        Self::new(bytes.get(..end).unwrap_or_default().to_vec())
    }

    /// What may be shown of the value: `***`.
    pub fn censored(&self) -> &'static str {
        CENSORED
    }

    /// Whether the value is one that keyward takes.
    ///
    /// # Errors
    /// [`InvalidKey::Empty`] or [`InvalidKey::TooLong`].
    pub fn check(&self) -> Result<(), InvalidKey> {
        match self.bytes.len() {
            0 => Err(InvalidKey::Empty),
            bytes if bytes > MAX_VALUE_BYTES => Err(InvalidKey::TooLong { bytes }),
            _ => Ok(()),
        }
    }
}

impl PartialEq for SecretKeyValue {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for SecretKeyValue {}

impl fmt::Debug for SecretKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CENSORED)
    }
}

impl fmt::Display for SecretKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CENSORED)
    }
}

impl From<&str> for SecretKeyValue {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl From<String> for SecretKeyValue {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl From<&[u8]> for SecretKeyValue {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for SecretKeyValue {
    fn from(bytes: [u8; N]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self::new(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for SecretKeyValue {
    fn from(bytes: &[u8; N]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl From<Vec<u8>> for SecretKeyValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretKeyValue {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::from_zeroizing(bytes)
    }
}

/// The two halves of a key: the forward path's and the back path's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKeyPair {
    forward: SecretKeyValue,
    back: SecretKeyValue,
}

impl SecretKeyPair {
    /// A pair of a forward half (encryption) and a back half (decryption).
    pub fn new(forward: impl Into<SecretKeyValue>, back: impl Into<SecretKeyValue>) -> Self {
        Self {
            forward: forward.into(),
            back: back.into(),
        }
    }

    /// A single value as the pair of itself.
    pub fn of(value: impl Into<SecretKeyValue>) -> Self {
        let value = value.into();
        Self {
            forward: value.clone(),
            back: value,
        }
    }

    /// The half that the forward path gets.
    pub fn forward(&self) -> &SecretKeyValue {
        &self.forward
    }

    /// The half that the back path gets.
    pub fn back(&self) -> &SecretKeyValue {
        &self.back
    }

    /// Whether both halves are equal, compared in constant time.
    pub fn is_symmetric(&self) -> bool {
        self.forward == self.back
    }
}

/// What a store answers or a declaration names: one value, or a pair.
///
/// Which of the two was *given* is kept: a one-way key refuses a pair even of equal halves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretKeys {
    /// One value, which is the pair of itself where a pair is wanted.
    Single(SecretKeyValue),
    /// A pair.
    Pair(SecretKeyPair),
}

impl SecretKeys {
    /// The keys as a pair.
    pub fn to_pair(&self) -> SecretKeyPair {
        match self {
            Self::Single(value) => SecretKeyPair::of(value.clone()),
            Self::Pair(pair) => pair.clone(),
        }
    }

    /// Whether a pair was given.
    pub fn is_pair(&self) -> bool {
        matches!(self, Self::Pair(_))
    }

    /// Checks the size of every value in it.
    ///
    /// # Errors
    /// [`InvalidKey::Empty`] or [`InvalidKey::TooLong`].
    pub fn check(&self) -> Result<(), InvalidKey> {
        match self {
            Self::Single(value) => value.check(),
            Self::Pair(pair) => pair.forward.check().and_then(|()| pair.back.check()),
        }
    }
}

impl From<SecretKeyPair> for SecretKeys {
    fn from(pair: SecretKeyPair) -> Self {
        Self::Pair(pair)
    }
}

impl<A: Into<SecretKeyValue>, B: Into<SecretKeyValue>> From<(A, B)> for SecretKeys {
    fn from((forward, back): (A, B)) -> Self {
        Self::Pair(SecretKeyPair::new(forward, back))
    }
}

macro_rules! single_from {
    ($($kind:ty),*) => {$(
        impl From<$kind> for SecretKeys {
            fn from(value: $kind) -> Self {
                Self::Single(value.into())
            }
        }
    )*};
}

single_from!(&str, String, &[u8], Vec<u8>, Zeroizing<Vec<u8>>);

impl From<SecretKeyValue> for SecretKeys {
    fn from(value: SecretKeyValue) -> Self {
        Self::Single(value)
    }
}

impl<const N: usize> From<[u8; N]> for SecretKeys {
    fn from(bytes: [u8; N]) -> Self {
        Self::Single(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for SecretKeys {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Single(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_value_is_short_and_ends_with_a_whole_character() {
        for short in [
            "k",
            "a key of thirty-two bytes, or so",
            &"k".repeat(MAX_BEGINNING_BYTES),
        ] {
            assert_eq!(SecretKeyValue::from(short).beginning(), short.into());
        }
        for (text, shift) in [("k", ""), ("ö", "k"), ("€", "k"), ("🔑", "k"), ("🔑", "kk")] {
            let long = format!("{shift}{}", text.repeat(500));
            let value = SecretKeyValue::from(long.as_str());
            let beginning = value.beginning();
            let text = beginning.expose_str().expect("whole characters");
            assert!(long.starts_with(text) && text.len() <= MAX_BEGINNING_BYTES);
            assert!(text.len() > MAX_BEGINNING_BYTES - 4);
        }
        let bytes = SecretKeyValue::new(vec![0x80; 500]).beginning();
        assert_eq!(bytes.expose().len(), MAX_BEGINNING_BYTES);
    }

    #[test]
    fn a_value_shows_itself_only_when_exposed() {
        let value = SecretKeyValue::from("canary-value");
        assert_eq!(
            format!("{value} {value:?} {}", value.censored()),
            "*** *** ***"
        );
        assert_eq!(value.expose(), b"canary-value");
        let keys = SecretKeys::from(("canary-a", "canary-b"));
        assert!(!format!("{keys:?}").contains("canary"));
    }

    #[test]
    fn values_outside_one_byte_to_one_mebibyte_are_refused() {
        assert_eq!(SecretKeyValue::from("").check(), Err(InvalidKey::Empty));
        assert_eq!(
            SecretKeyValue::new(vec![7; MAX_VALUE_BYTES]).check(),
            Ok(())
        );
        let bytes = MAX_VALUE_BYTES + 1;
        assert_eq!(
            SecretKeyValue::new(vec![7; bytes]).check(),
            Err(InvalidKey::TooLong { bytes })
        );
        assert_eq!(SecretKeys::from(("a", "")).check(), Err(InvalidKey::Empty));
    }

    #[test]
    fn a_single_value_is_the_pair_of_itself_and_still_told_from_a_pair() {
        let single = SecretKeys::from("same");
        let pair = SecretKeys::from(("same", "same"));
        assert_eq!(single.to_pair(), pair.to_pair());
        assert!(!single.is_pair() && pair.is_pair());
        assert!(single.to_pair().is_symmetric());
        assert!(!SecretKeyPair::new("a", "b").is_symmetric());
    }
}
