//! What a data folder has that no manager runs on: for the command line, which shows what a killed
//! server left. A manager shows a step that its process left in progress as pending, for that is what it is to
//! the manager.

use std::path::Path;
use std::sync::Arc;

use crate::crypto::aead::AeadCryptoTool;
use crate::journal::database::Database;
use crate::management::error::StartError;
use crate::repo::folder::FolderOptions;
use crate::repo::rocks::RocksDbRepo;
use crate::repo::state_repo::StateRepo;
use crate::rotation::report::RotationReport;
use crate::secret::value::SecretKeyValue;

/// The rotations in a data folder that had not ended, as they lie in its journal. Opening a folder
/// recovers its database: give this a copy where that is to be left as it is. It blocks.
///
/// # Errors
/// [`StartError::Repo`], [`StartError::Journal`] or [`StartError::Crypto`], as a start with this
/// folder and master key.
pub fn rotations_as_found(
    folder: &Path,
    master: &SecretKeyValue,
) -> Result<Vec<RotationReport>, StartError> {
    let repo: Arc<dyn StateRepo> = Arc::new(RocksDbRepo::open(&FolderOptions::new(folder))?);
    let found = read(Arc::clone(&repo), master);
    repo.close()?;
    found
}

fn read(
    repo: Arc<dyn StateRepo>,
    master: &SecretKeyValue,
) -> Result<Vec<RotationReport>, StartError> {
    let database = Database::open(repo)?;
    let tool = AeadCryptoTool::derive(master, &database.id())?;
    let loaded = database.unlock(Arc::new(tool))?.load_without_keys()?;
    let rotations = loaded.facts.rotations.into_iter();
    Ok(rotations
        .map(|(header, steps)| header.report(steps))
        .collect())
}
