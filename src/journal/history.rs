//! The rotations that have ended.

use std::ops::ControlFlow;

use crate::journal::error::JournalError;
use crate::journal::gathered::Gathered;
use crate::journal::opened::Journal;
use crate::journal::place::{Place, layout};
use crate::key::name::KeyName;
use crate::repo::space::Space;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{Header, Step};
use crate::rotation::report::{RotationReport, UnreadableRotation};

/// A part of the history, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct History {
    /// The rotations that could be read.
    pub rotations: Vec<RotationReport>,
    /// Those of which a record cannot be read; their records stay where they are.
    pub unreadable: Vec<UnreadableRotation>,
    /// Where the next part begins: give it as `before`. None at the end.
    pub next: Option<u64>,
}

impl Journal {
    /// The rotations that have ended, newest declaration first: at most `limit`, of those whose
    /// sequence number is below `before` if that is given.
    ///
    /// # Errors
    /// The repo's, and those of the crypto tool that say nothing about the records.
    pub fn history(&self, limit: usize, before: Option<u64>) -> Result<History, JournalError> {
        let mut history = History::default();
        let mut newest_first = Vec::new();
        let mut last = None;
        self.order(&mut |sequence, id, key| {
            if before.is_some_and(|before| sequence >= before) {
                return ControlFlow::Continue(());
            }
            if newest_first.len() >= limit {
                history.next = last;
                return ControlFlow::Break(());
            }
            last = Some(sequence);
            newest_first.push((id, key));
            ControlFlow::Continue(())
        })?;
        for (id, key) in newest_first {
            let found = match self.gather_ended(id)? {
                Some(gathered) => gathered.into_ended(),
                None => Err("its records are missing".to_owned()),
            };
            match found {
                Ok((header, steps)) => history.rotations.push(RotationReport::new(&header, steps)),
                Err(why) => history.unreadable.push(UnreadableRotation {
                    id,
                    key,
                    unfinished: false,
                    why,
                }),
            }
        }
        Ok(history)
    }

    /// The rotation of this id, if it has ended and is remembered. Its keys are gone.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] where a record of it cannot be read; errors of the repo and the
    /// crypto tool.
    pub fn find_ended(&self, id: RotationId) -> Result<Option<(Header, Vec<Step>)>, JournalError> {
        let Some(gathered) = self.gather_ended(id)? else {
            return Ok(None);
        };
        let ended = gathered.into_ended();
        ended.map(Some).map_err(|why| JournalError::Unreadable {
            space: Space::History,
            place: format!("the ended rotation {id}"),
            why,
        })
    }

    /// The sequence number of the newest rotation that has ended.
    pub(super) fn newest_ended(&self) -> Result<Option<u64>, JournalError> {
        let mut newest = None;
        self.order(&mut |sequence, _, _| {
            newest = Some(sequence);
            ControlFlow::Break(())
        })?;
        Ok(newest)
    }

    fn order(
        &self,
        visit: &mut dyn FnMut(u64, RotationId, KeyName) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let repo = self.repo()?;
        repo.scan(
            Space::History,
            layout::ORDER_PREFIX,
            &mut |key, _| match layout::parse_order(key) {
                Some((sequence, id, key)) => visit(sequence, id, key),
                None => ControlFlow::Continue(()),
            },
        )?;
        Ok(())
    }

    fn gather_ended(&self, id: RotationId) -> Result<Option<Gathered>, JournalError> {
        let mut found: Option<Gathered> = None;
        let prefix = layout::ended_prefix(id);
        self.visit(Space::History, &prefix, &mut |key, stored| {
            if let Some((id, key, part)) = layout::parse_ended(key) {
                let place = part.map(|part| Place::Ended(id, key.clone(), part));
                let gathered = found.get_or_insert_default();
                gathered.add(self.vault(), key, place, stored)?;
            }
            Ok(())
        })?;
        Ok(found)
    }
}
