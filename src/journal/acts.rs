//! What was done that stands with no rotation: removals and dismissals, the latest of them.

use crate::journal::codec::Record;
use crate::journal::codec::acts::ActsRecord;
use crate::journal::error::JournalError;
use crate::journal::place::Of;
use crate::journal::vault::{Unread, Vault};
use crate::repo::state_repo::StateRepo;
use crate::rotation::act::Act;

/// How many are kept: with the longest names and reasons the record has half a MiB.
const MAX_ACTS: usize = 256;

/// The record as it lies in a repo; an empty one where there is none that can be read.
///
/// # Errors
/// The repo's, and those of the crypto tool that say nothing about the record.
pub(super) fn find(repo: &dyn StateRepo, vault: &Vault) -> Result<ActsRecord, JournalError> {
    let place = ActsRecord::place(Of::Database);
    let Some(stored) = repo.get(place.space(), &place.bytes())? else {
        return Ok(ActsRecord::default());
    };
    match vault.read(&place, &stored) {
        Ok(record) => Ok(record),
        Err(Unread::DoesNotOpen(_) | Unread::Unreadable(_)) => Ok(ActsRecord::default()),
        Err(unread @ Unread::Tool(_)) => Err(unread.needed(&place)),
    }
}

/// The record with one act more; of too many the earliest is left out. It is looked for unless it is known.
///
/// # Errors
/// As [`find`].
pub(super) fn with(
    known: Option<ActsRecord>,
    act: &Act,
    repo: &dyn StateRepo,
    vault: &Vault,
) -> Result<ActsRecord, JournalError> {
    let known = known.map_or_else(|| find(repo, vault), Ok);
    let mut acts = known?;
    if acts.acts.len() >= MAX_ACTS {
        acts.acts.remove(0);
    }
    acts.acts.push(act.clone());
    Ok(acts)
}
