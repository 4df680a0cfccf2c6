//! What lies under a prefix of a space.

use std::ops::ControlFlow;

use crate::journal::error::JournalError;
use crate::journal::place::{Place, layout};
use crate::journal::records;
use crate::key::name::WorkerName;
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

/// Where the callbacks and instances of a worker lie.
pub(super) fn of_worker(
    repo: &dyn StateRepo,
    worker: &WorkerName,
) -> Result<Vec<Place>, JournalError> {
    let mut places = Vec::new();
    for prefix in [layout::callbacks_of(worker), layout::instances_of(worker)] {
        let found = collect(repo, Space::Roster, &prefix)?;
        places.extend(
            found
                .iter()
                .filter_map(|(key, _)| records::parse(Space::Roster, key)),
        );
    }
    Ok(places)
}
