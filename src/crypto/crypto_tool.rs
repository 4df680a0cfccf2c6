//! The trait of what seals and opens records.

use zeroize::Zeroizing;

use crate::crypto::error::CryptoError;

/// Seals and opens bytes. keyward seals every record that it writes with one of these.
///
/// The calls block; keyward runs them apart from its actors, and a panic in one is an error of that
/// one request. An implementation must be an AEAD: what was changed, cut, or sealed with other
/// associated data must not open.
pub trait CryptoTool: Send + Sync + 'static {
    /// Seals `plain`. `associated` is not part of the answer, but the same bytes must be given to
    /// open it; keyward puts the record's place there, so that no record passes for another.
    ///
    /// On return the answer can be opened by this tool in every later life of the program. Two
    /// calls with the same arguments answer different bytes.
    ///
    /// # Errors
    /// [`CryptoError::NoRandomness`], or [`CryptoError::Failed`] with its cause; nothing was sealed then.
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError>;

    /// Opens what `seal` answered, with the same associated data. The buffer is zeroized on drop
    /// and must never have been grown, which would leave a copy behind.
    ///
    /// # Errors
    /// [`CryptoError::DoesNotOpen`] where the bytes are not what was sealed in this place; any
    /// other error says nothing about the bytes. Never panics, whatever the bytes are.
    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError>;
}
