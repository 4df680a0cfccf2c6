//! Random bytes from the operating system.

use crate::crypto::error::CryptoError;

/// `N` random bytes, fit for keys, ids and nonces.
///
/// What they are used for decides whether the caller has to wipe them.
///
/// # Errors
/// [`CryptoError::NoRandomness`] where the operating system gives none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0_u8; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// Fills a buffer of the caller's, so that a key is nowhere else even for a moment.
///
/// # Errors
/// [`CryptoError::NoRandomness`] where the operating system gives none.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), CryptoError> {
    getrandom::fill(buffer).map_err(|cause| CryptoError::NoRandomness {
        cause: Box::new(cause),
    })
}
