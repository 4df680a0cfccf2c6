//! The default crypto tool: XChaCha20-Poly1305 under a key derived from the master key.

use std::fmt;

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::crypto_tool::CryptoTool;
use crate::crypto::error::{CryptoError, MASTER_KEY_BYTES};
use crate::crypto::random::random_bytes;
use crate::secret::value::SecretKeyValue;

/// What the derived key is for; another version of the format gets another key.
const DERIVATION_LABEL: &[u8] = b"keyward/aead/xchacha20-poly1305/v1";
/// The first byte of everything sealed, so that a later format can be told from this one.
const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// How many bytes a sealed text is longer than its plain text.
pub const OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;

/// XChaCha20-Poly1305 with random nonces of 192 bits, under a key that HKDF-SHA256 derives from a
/// master key and a salt. keyward seals its records with it; programs may encrypt documents of
/// their own with another one, derived with a salt of their own.
///
/// A sealed text is one format byte, the nonce, the encrypted bytes and the tag.
///
/// The derived key is zeroized on drop, and so are the buffers in here. Not covered: the state of
/// Poly1305 for one message, and what moves leave on the stack.
///
/// ```
/// use keyward::crypto::aead::AeadCryptoTool;
/// use keyward::crypto::crypto_tool::CryptoTool;
/// use keyward::secret::value::SecretKeyValue;
///
/// let master = SecretKeyValue::from([7; 32]);
/// let tool = AeadCryptoTool::derive(&master, b"my documents")?;
/// let sealed = tool.seal(b"a text", b"document 1")?;
/// assert_eq!(tool.open(&sealed, b"document 1")?.as_slice(), b"a text");
/// assert!(tool.open(&sealed, b"document 2").is_err());
/// # Ok::<(), keyward::crypto::error::CryptoError>(())
/// ```
pub struct AeadCryptoTool {
    /// Boxed, so that moving the tool leaves no copy of the key behind.
    cipher: Box<XChaCha20Poly1305>,
}

impl AeadCryptoTool {
    /// Derives the tool from a master key of at least 32 random bytes and a salt, which need not be
    /// secret: other salts give unrelated keys. keyward uses the random id of the database.
    ///
    /// # Errors
    /// [`CryptoError::MasterKeyTooShort`], also for an empty one.
    pub fn derive(master: &SecretKeyValue, salt: &[u8]) -> Result<Self, CryptoError> {
        let bytes = master.expose().len();
        if bytes < MASTER_KEY_BYTES {
            return Err(CryptoError::MasterKeyTooShort { bytes });
        }
        let mut key = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(Some(salt), master.expose())
            .expand(DERIVATION_LABEL, key.as_mut_slice())
            .map_err(|cause| CryptoError::Failed {
                cause: Box::new(cause),
            })?;
        let cipher = Box::new(XChaCha20Poly1305::new((&*key).into()));
        Ok(Self { cipher })
    }
}

impl CryptoTool for AeadCryptoTool {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let too_long = CryptoError::TooLong { bytes: plain.len() };
        let nonce = random_bytes::<NONCE_BYTES>()?;
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(OVERHEAD_BYTES));
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        let body_at = sealed.len();
        sealed.resize(body_at.saturating_add(plain.len()), 0);
        let Some(body) = sealed.get_mut(body_at..) else {
            return Err(too_long);
        };
        let Ok(body) = InOutBuf::new(plain, body) else {
            return Err(too_long);
        };
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), associated, body)
            .map_err(|_| too_long)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let Some((&FORMAT, rest)) = sealed.split_first() else {
            return Err(CryptoError::DoesNotOpen);
        };
        let Some((nonce, rest)) = rest.split_first_chunk::<NONCE_BYTES>() else {
            return Err(CryptoError::DoesNotOpen);
        };
        let Some((body, tag)) = rest.split_last_chunk::<TAG_BYTES>() else {
            return Err(CryptoError::DoesNotOpen);
        };
        let mut plain = Zeroizing::new(vec![0_u8; body.len()]);
        let buffer =
            InOutBuf::new(body, plain.as_mut_slice()).map_err(|_| CryptoError::DoesNotOpen)?;
        self.cipher
            .decrypt_inout_detached(&XNonce::from(*nonce), associated, buffer, &Tag::from(*tag))
            .map_err(|_| CryptoError::DoesNotOpen)?;
        Ok(plain)
    }
}

impl fmt::Debug for AeadCryptoTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AeadCryptoTool").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    fn tool(salt: &[u8]) -> AeadCryptoTool {
        AeadCryptoTool::derive(&SecretKeyValue::from([42; 32]), salt).unwrap()
    }

    fn does_not_open(tool: &AeadCryptoTool, sealed: &[u8], associated: &[u8]) -> bool {
        matches!(tool.open(sealed, associated), Err(CryptoError::DoesNotOpen))
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_and_in_no_other() {
        let tool = tool(b"db");
        let sealed = tool.seal(b"plain text", b"place").unwrap();
        assert_eq!(sealed.len(), 10 + OVERHEAD_BYTES);
        assert_eq!(
            tool.open(&sealed, b"place").unwrap().as_slice(),
            b"plain text"
        );
        assert!(does_not_open(&tool, &sealed, b"other"));
        assert!(does_not_open(&tool, &sealed, b""));
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time_and_not_legible() {
        let tool = tool(b"db");
        let (one, two) = (
            tool.seal(b"canary", b"").unwrap(),
            tool.seal(b"canary", b"").unwrap(),
        );
        assert_ne!(one, two);
        assert!(!one.windows(6).any(|window| window == b"canary"));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_opens() {
        let tool = tool(b"db");
        let sealed = tool.seal(b"some plain text", b"place").unwrap();
        for at in 0..sealed.len() {
            assert!(does_not_open(&tool, &sealed[..at], b"place"), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                assert!(
                    does_not_open(&tool, &flipped, b"place"),
                    "byte {at} bit {bit}"
                );
            }
        }
        let longer = [sealed.as_slice(), b"x"].concat();
        assert!(does_not_open(&tool, &longer, b"place"));
    }

    #[test]
    fn a_short_or_empty_master_key_is_refused() {
        for bytes in [0, 1, 31] {
            let master = SecretKeyValue::new(vec![1; bytes]);
            let error = AeadCryptoTool::derive(&master, b"db").unwrap_err();
            assert!(
                matches!(error, CryptoError::MasterKeyTooShort { bytes: told } if told == bytes)
            );
            assert_eq!(error.code(), "master_key_too_short");
        }
        for bytes in [32, 33, 4096] {
            let master = SecretKeyValue::new(vec![1; bytes]);
            assert!(AeadCryptoTool::derive(&master, b"db").is_ok());
        }
    }

    #[test]
    fn tools_of_another_salt_or_master_key_do_not_open_each_others_texts() {
        let sealed = tool(b"one").seal(b"plain", b"place").unwrap();
        assert!(does_not_open(&tool(b"two"), &sealed, b"place"));
        let other = AeadCryptoTool::derive(&SecretKeyValue::from([43; 32]), b"one").unwrap();
        assert!(does_not_open(&other, &sealed, b"place"));
        let again = tool(b"one").open(&sealed, b"place").unwrap();
        assert_eq!(again.as_slice(), b"plain");
    }

    #[test]
    fn the_format_has_not_changed() {
        // Sealed by the first version; if this fails, databases in the field no longer open.
        let sealed = data_encoding::HEXLOWER.decode(GOLDEN.as_bytes()).unwrap();
        let plain = tool(b"golden").open(&sealed, b"place").unwrap();
        assert_eq!(plain.as_slice(), b"golden text");
    }

    const GOLDEN: &str = "01833b52b9a94c7aa407854ccf83dd84ba783e0473f1be8d0edfa3b759c2f4013c2209\
        0a263d085a4d139ffceb84d266c08b9a6b";

    #[test]
    fn the_cipher_wipes_its_key_and_shows_nothing() {
        fn wipes<T: ZeroizeOnDrop>() {}
        wipes::<XChaCha20Poly1305>();
        assert_eq!(format!("{:?}", tool(b"db")), "AeadCryptoTool { .. }");
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip(plain: Vec<u8>, associated: Vec<u8>) {
            let tool = tool(b"db");
            let sealed = tool.seal(&plain, &associated).unwrap();
            let opened = tool.open(&sealed, &associated).unwrap();
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
        }

        #[test]
        fn any_foreign_bytes_are_an_error_and_no_panic(sealed: Vec<u8>, associated: Vec<u8>) {
            let versioned = [&[FORMAT], sealed.as_slice()].concat();
            prop_assert!(does_not_open(&tool(b"db"), &sealed, &associated));
            prop_assert!(does_not_open(&tool(b"db"), &versioned, &associated));
        }
    }
}
