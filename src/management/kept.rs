//! A state repo or a crypto tool of the program's, as the journal has it. Each is dropped inside the
//! guard by itself: a panic in the drop of one while that of the other unwinds would end the process.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::crypto_tool::CryptoTool;
use crate::crypto::error::CryptoError;
use crate::guard::fault::Fault;
use crate::guard::foreign::Foreign;
use crate::repo::batch::Batch;
use crate::repo::error::RepoError;
use crate::repo::space::Space;
use crate::repo::state_repo::{StateRepo, Visitor};

/// A foreign object. It is there until this is dropped.
pub(super) struct Kept<T: ?Sized + Send + Sync + 'static>(pub(super) Foreign<Arc<T>>);

impl Kept<dyn StateRepo> {
    fn of(&self) -> Result<&dyn StateRepo, RepoError> {
        let of = self.0.get().ok_or(RepoError::Closed)?;
        Ok(of.as_ref())
    }
}

impl StateRepo for Kept<dyn StateRepo> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.of()?.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.of()?.scan(space, prefix, visit)
    }

    fn scan_back(
        &self,
        space: Space,
        prefix: &[u8],
        before: Option<&[u8]>,
        visit: Visitor<'_>,
    ) -> Result<(), RepoError> {
        self.of()?.scan_back(space, prefix, before, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.of()?.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.of()?.reopen()
    }

    fn backup(&self, folder: &Path) -> Result<(), RepoError> {
        self.of()?.backup(folder)
    }

    fn close(&self) -> Result<(), RepoError> {
        self.of()?.close()
    }
}

impl Kept<dyn CryptoTool> {
    fn of(&self) -> Result<&dyn CryptoTool, CryptoError> {
        let of = self.0.get().ok_or_else(|| CryptoError::Failed {
            source: Fault::Gone.into(),
        })?;
        Ok(of.as_ref())
    }
}

impl CryptoTool for Kept<dyn CryptoTool> {
    fn seal(&self, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.of()?.seal(plain, associated)
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.of()?.open(sealed, associated)
    }
}
