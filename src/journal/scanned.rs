//! What lies under a prefix of a space.

use std::ops::ControlFlow;

use crate::journal::error::JournalError;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;

/// A key of a space and what is stored there.
pub(super) type Stored = (Vec<u8>, Vec<u8>);

pub(super) fn collect(
    repo: &dyn StateRepo,
    space: Space,
    prefix: &[u8],
) -> Result<Vec<Stored>, JournalError> {
    let mut found = Vec::new();
    repo.scan(space, prefix, &mut |key, stored| {
        found.push((key.to_vec(), stored.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
