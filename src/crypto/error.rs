//! What can go wrong when bytes are sealed, opened or fingerprinted.

use std::error::Error;

use crate::secret::text::told;
use crate::secret::visible::debug_with_code;

/// The fewest bytes that a master key has.
pub const MASTER_KEY_BYTES: usize = 32;

/// Why a crypto tool refused. No variant holds key bytes or plain bytes.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The master key has fewer than 32 bytes. Its owner's fault: make one of at least 32 random bytes
    /// (`head -c 32 /dev/urandom`); a password is no master key.
    #[error(
        "the master key has {bytes} bytes; it needs at least 32 random bytes, and a password will not do"
    )]
    MasterKeyTooShort {
        /// How many bytes were given.
        bytes: usize,
    },
    /// The key of the fingerprints, which the journal has, has not exactly 32 bytes: what was read is not
    /// what was written.
    #[error("the fingerprint key has {bytes} bytes; it has exactly 32")]
    FingerprintKey {
        /// How many bytes were given.
        bytes: usize,
    },
    /// The sealed bytes do not open: they were changed or cut, belong to another place, or were
    /// sealed under another master key. Which of these cannot be told.
    #[error(
        "the sealed bytes do not open: they were changed, moved, or sealed under another master key"
    )]
    DoesNotOpen,
    /// More bytes than one seal takes (256 GiB for the default tool). The caller's fault.
    #[error("{bytes} bytes are too many to be sealed in one piece")]
    TooLong {
        /// How many bytes were given.
        bytes: usize,
    },
    /// The operating system gave no random bytes. Nothing can be sealed until it does.
    #[error("the operating system gave no random bytes: {}", told(cause.as_ref()))]
    NoRandomness {
        /// What the operating system said.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// For tools of a program's own (a hardware module, a remote service): it failed for a reason
    /// of its own. The source must not quote keys or plain bytes.
    #[error("the crypto tool failed: {}", told(cause.as_ref()))]
    Failed {
        /// What the tool said.
        cause: Box<dyn Error + Send + Sync>,
    },
}

debug_with_code!(CryptoError);

impl CryptoError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MasterKeyTooShort { .. } => "master_key_too_short",
            Self::FingerprintKey { .. } => "fingerprint_key",
            Self::DoesNotOpen => "does_not_open",
            Self::TooLong { .. } => "too_long_to_seal",
            Self::NoRandomness { .. } => "no_randomness",
            Self::Failed { .. } => "crypto_failed",
        }
    }
}
