//! Keyed fingerprints: they tell whether two values are the same after the values are gone.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::error::CryptoError;
use crate::crypto::random::fill_random;
use crate::secret::value::SecretKeyValue;

const KEY_BYTES: usize = 32;
const LABEL: &str = "keyward/fingerprint/v1";

/// HMAC-SHA256 under a random key of 32 bytes, which lives sealed in the database.
///
/// A bare hash of a key would let its reader try out guesses; without the fingerprint key
/// this one tells nothing.
///
/// What is kept of the key is the hash that it has gone through, which is wiped on drop by the
/// `zeroize` features of `hmac` and `sha2`; what moves leave on the stack is not covered. A clone
/// shares it.
#[derive(Clone)]
pub struct Fingerprinter {
    keyed: Arc<Hmac<Sha256>>,
}

impl Fingerprinter {
    /// A fingerprinter with a new random key, and that key, to be sealed and kept.
    ///
    /// # Errors
    /// [`CryptoError::NoRandomness`].
    pub fn random() -> Result<(Self, SecretKeyValue), CryptoError> {
        let mut bytes = Zeroizing::new(vec![0_u8; KEY_BYTES]);
        fill_random(&mut bytes)?;
        let key = SecretKeyValue::from_zeroizing(bytes);
        Ok((Self::keyed(&key), key))
    }

    /// The fingerprinter of a key that [`Fingerprinter::random`] gave out.
    ///
    /// # Errors
    /// [`CryptoError::FingerprintKey`] where it has not exactly 32 bytes.
    pub fn from_key(key: &SecretKeyValue) -> Result<Self, CryptoError> {
        let bytes = key.expose().len();
        if bytes != KEY_BYTES {
            return Err(CryptoError::FingerprintKey { bytes });
        }
        Ok(Self::keyed(key))
    }

    /// The fingerprint of `parts` in their order, for one use, the `domain`: the same parts in
    /// another domain, or cut into parts otherwise, have another one.
    pub fn fingerprint(&self, domain: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::clone(&self.keyed);
        for part in [LABEL.as_bytes(), domain.as_bytes()] {
            add_part(&mut mac, part);
        }
        for part in parts {
            add_part(&mut mac, part);
        }
        mac.finalize().into_bytes().into()
    }

    #[expect(
        clippy::expect_used,
        reason = "HMAC takes a key of any length, and this one has 32 bytes"
    )]
    fn keyed(key: &SecretKeyValue) -> Self {
        let keyed = Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
        let keyed = Arc::new(keyed);
        Self { keyed }
    }
}

fn add_part(mac: &mut Hmac<Sha256>, part: &[u8]) {
    mac.update(&(part.len() as u64).to_le_bytes());
    mac.update(part);
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprinter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed() -> Fingerprinter {
        Fingerprinter::from_key(&SecretKeyValue::from([5; 32])).unwrap()
    }

    #[test]
    fn the_same_key_fingerprints_the_same_in_a_later_life() {
        let (first, key) = Fingerprinter::random().unwrap();
        let later = Fingerprinter::from_key(&SecretKeyValue::from(key.expose())).unwrap();
        let parts: [&[u8]; 2] = [b"old", b"new"];
        assert_eq!(
            first.fingerprint("d", &parts),
            later.fingerprint("d", &parts)
        );
        let (other, _) = Fingerprinter::random().unwrap();
        assert_ne!(
            first.fingerprint("d", &parts),
            other.fingerprint("d", &parts)
        );
    }

    #[test]
    fn domains_and_the_cut_into_parts_are_told_apart() {
        let tool = fixed();
        let all: [(&str, &[&[u8]]); 8] = [
            ("d", &[]),
            ("d", &[b""]),
            ("d", &[b"", b""]),
            ("d", &[b"ab"]),
            ("d", &[b"a", b"b"]),
            ("d", &[b"b", b"a"]),
            ("e", &[b"ab"]),
            ("da", &[b"b"]),
        ];
        let seen: std::collections::HashSet<_> = all
            .iter()
            .map(|(domain, parts)| tool.fingerprint(domain, parts))
            .collect();
        assert_eq!(seen.len(), all.len());
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for bytes in [0, 31, 33] {
            let error = Fingerprinter::from_key(&SecretKeyValue::new(vec![1; bytes])).unwrap_err();
            assert_eq!(error.code(), "fingerprint_key");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(format!("{:?}", fixed()), "Fingerprinter { .. }");
    }
}
