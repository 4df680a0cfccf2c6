//! What a life of the journal knows of its records because it has written them or read them whole:
//! that need not be read again before something takes its place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::journal::codec::Record;
use crate::journal::codec::rotation::HeaderRecord;
use crate::journal::error::JournalError;
use crate::journal::place::{Place, layout};
use crate::journal::records;
use crate::journal::unreadable::At;
use crate::journal::vault::Vault;
use crate::repo::space::Space;
use crate::repo::state_repo::StateRepo;
use crate::rotation::id::RotationId;

/// What is known. After a write with an unknown outcome, nothing is.
#[derive(Default)]
pub(super) struct Known {
    /// The headers of living rotations that have no record that cannot be read.
    headers: BTreeMap<RotationId, HeaderRecord>,
    /// Counters, and what was declared for keys, that can be read if they are there.
    places: BTreeSet<Place>,
}

/// What is known once a batch is made.
#[derive(Default)]
pub(super) struct Learned {
    pub(super) headers: BTreeMap<RotationId, HeaderRecord>,
    pub(super) gone: BTreeSet<RotationId>,
    pub(super) places: Vec<Place>,
    /// Where something takes the place of a record that cannot be read.
    pub(super) put_aside: Vec<At>,
    /// The places in the history's order of rotations that end.
    pub(super) ended: Vec<Vec<u8>>,
}

/// A living rotation as it is durable.
#[derive(Clone)]
pub(super) struct Found {
    /// Its header, if it has any record.
    pub(super) header: Option<HeaderRecord>,
    /// Whether each of its records can be read.
    pub(super) is_sound: bool,
}

impl Known {
    /// A batch was made.
    pub(super) fn learn(&mut self, learned: Learned) {
        self.places.extend(learned.places);
        self.headers.extend(learned.headers);
        for id in &learned.gone {
            self.headers.remove(id);
        }
    }

    /// Whether a record that is no rotation's is known to be readable, if it is there.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.places.contains(place)
    }

    /// A living rotation: what is known of it, or what the repo has.
    pub(super) fn find(
        &self,
        repo: &dyn StateRepo,
        vault: &Vault,
        id: RotationId,
    ) -> Result<Found, JournalError> {
        if let Some(header) = self.headers.get(&id) {
            let header = Some(header.clone());
            return Ok(Found {
                header,
                is_sound: true,
            });
        }
        look(repo, vault, id)
    }
}

fn look(repo: &dyn StateRepo, vault: &Vault, id: RotationId) -> Result<Found, JournalError> {
    let mut header = None;
    let mut is_sound = true;
    repo.scan(
        Space::Rotations,
        &layout::living_prefix(id),
        &mut |key, stored| {
            let place = records::parse(Space::Rotations, key);
            match header {
                // The header is the first of a rotation's records; without it nothing else counts.
                None => header = Some(read_header(vault, id, place, stored)),
                Some(_) => {
                    is_sound &= place.is_some_and(|place| vault.check(&place, stored).is_ok());
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    let header = header.transpose()?;
    Ok(Found { header, is_sound })
}

fn read_header(
    vault: &Vault,
    id: RotationId,
    place: Option<Place>,
    stored: &[u8],
) -> Result<HeaderRecord, JournalError> {
    match place.filter(|place| place.kind == HeaderRecord::KIND) {
        Some(place) => vault
            .read(&place, stored)
            .map_err(|unread| unread.needed(&place)),
        None => {
            let what = format!("rotation {id} has lost its header");
            Err(JournalError::Incomplete { what })
        }
    }
}
