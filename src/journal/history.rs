//! The rotations that have ended, read in pieces, so that others can use the journal between them.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::journal::acts;
use crate::journal::error::JournalError;
use crate::journal::gathered::Gathered;
use crate::journal::opened::Journal;
use crate::journal::place::layout;
use crate::key::name::KeyName;
use crate::repo::space::Space;
use crate::rotation::act::Act;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{Header, Step};
use crate::rotation::report::{RotationReport, UnreadableRotation};

/// How many records one piece has at most.
const READ_AT_ONCE: usize = 256;
/// A part of the history ends once it has so many steps, however few rotations they are of.
const ENOUGH_STEPS: usize = 16_384;

/// A part of the history, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct History {
    /// The rotations that could be read.
    pub rotations: Vec<RotationReport>,
    /// The rotations with a record that cannot be read; their records stay where they are.
    pub unreadable: Vec<UnreadableRotation>,
    /// Of the newest part: what was done that stands with no rotation, the earliest first.
    pub acts: Vec<Act>,
    /// Where the next part begins: give it as `before`. None at the end.
    pub next: Option<u64>,
}

/// A place in the order of the history, with what it tells.
struct Ordered {
    place: Vec<u8>,
    sequence: u64,
    id: RotationId,
    key: KeyName,
}

/// A part of the history that is being read.
pub struct HistoryReading {
    limit: usize,
    before: Option<u64>,
    /// What is still to be read; none before that is known.
    ordered: Option<VecDeque<Ordered>>,
    /// What was found so far of the first of those, and its last record that was read.
    gathering: Option<(Gathered, Vec<u8>)>,
    steps: usize,
    history: History,
}

impl HistoryReading {
    /// At most `limit` rotations; with `before`, only those with a lower sequence number.
    pub fn new(limit: usize, before: Option<u64>) -> Self {
        Self {
            limit,
            before,
            ordered: None,
            gathering: None,
            steps: 0,
            history: History::default(),
        }
    }
}

impl Journal {
    /// The rotations that have ended, newest declaration first: at most `limit`, fewer where they have very
    /// many steps; with `before`, only those with a lower sequence number.
    ///
    /// # Errors
    /// The repo's, and those of the crypto tool that say nothing about the records.
    #[cfg(feature = "testing")]
    pub fn history(&self, limit: usize, before: Option<u64>) -> Result<History, JournalError> {
        let mut reading = HistoryReading::new(limit, before);
        loop {
            if let Some(history) = self.read_history(&mut reading)? {
                return Ok(history);
            }
        }
    }

    /// Reads a piece of a part of the history; answers the part when it is whole.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub fn read_history(
        &self,
        reading: &mut HistoryReading,
    ) -> Result<Option<History>, JournalError> {
        let Some(mut ordered) = reading.ordered.take() else {
            reading.ordered = Some(self.ordered(reading)?);
            return Ok(None);
        };
        let mut left = READ_AT_ONCE;
        while let Some(next) = ordered.front() {
            if !self.gather(next.id, &mut reading.gathering, &mut left)? {
                reading.ordered = Some(ordered);
                return Ok(None);
            }
            let gathered = reading.gathering.take().map(|(gathered, _)| gathered);
            if let Some(next) = ordered.pop_front() {
                let sequence = next.sequence;
                self.note(reading, next, gathered)?;
                if reading.steps >= ENOUGH_STEPS && !ordered.is_empty() {
                    reading.history.next = Some(sequence);
                    ordered.clear();
                }
            }
        }
        if reading.before.is_none() {
            let acts = acts::find(self.repo()?, self.vault())?;
            reading.history.acts = acts.acts;
        }
        Ok(Some(std::mem::take(&mut reading.history)))
    }

    /// The rotations of one part of the history, the newest first.
    fn ordered(&self, reading: &mut HistoryReading) -> Result<VecDeque<Ordered>, JournalError> {
        let mut ordered = VecDeque::new();
        let after = match reading.before.map(layout::order_before) {
            Some(None) => return Ok(ordered),
            Some(after) => after,
            None => None,
        };
        let (limit, history) = (reading.limit, &mut reading.history);
        self.order(after.as_deref(), &mut |next: Ordered| {
            if ordered.len() >= limit {
                history.next = ordered.back().map(|last: &Ordered| last.sequence);
                return ControlFlow::Break(());
            }
            ordered.push_back(next);
            ControlFlow::Continue(())
        })?;
        Ok(ordered)
    }

    /// Gathers records of a rotation, as many as are left; answers whether these were all.
    fn gather(
        &self,
        id: RotationId,
        gathering: &mut Option<(Gathered, Vec<u8>)>,
        left: &mut usize,
    ) -> Result<bool, JournalError> {
        let mut is_whole = true;
        let mut result = Ok(());
        let after = gathering.as_ref().map(|(_, last)| last.clone());
        let prefix = layout::ended_prefix(id);
        let visit = &mut |key: &[u8], stored: &[u8]| {
            if *left == 0 {
                is_whole = false;
                return ControlFlow::Break(());
            }
            *left -= 1;
            let (gathered, last) = gathering.get_or_insert_default();
            *last = key.to_vec();
            if let Some((_, name)) = layout::rotation_at(Space::History, key) {
                result = gathered.add(self.vault(), name, (Space::History, key), stored);
            }
            match result {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        self.repo()?
            .scan_after(Space::History, &prefix, after.as_deref(), visit)?;
        result.map(|()| is_whole)
    }

    /// Takes a rotation into the part of the history that is being read, unless it was pruned
    /// meanwhile.
    fn note(
        &self,
        reading: &mut HistoryReading,
        next: Ordered,
        gathered: Option<Gathered>,
    ) -> Result<(), JournalError> {
        let missing = || Err("its records are missing".to_owned());
        match gathered.map_or_else(missing, Gathered::into_ended) {
            Ok((header, steps)) => {
                reading.steps = reading.steps.saturating_add(steps.len());
                let report = header.report(steps);
                reading.history.rotations.push(report);
            }
            Err(why) => {
                let Ordered { place, id, key, .. } = next;
                if self.repo()?.get(Space::History, &place)?.is_some() {
                    let unreadable = UnreadableRotation::new(id, key, false, why);
                    reading.history.unreadable.push(unreadable);
                }
            }
        }
        Ok(())
    }

    /// The rotation of this id, if it has ended and is remembered. Its keys are gone.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] where a record of it cannot be read; errors of the repo and the
    /// crypto tool.
    pub fn find_ended(&self, id: RotationId) -> Result<Option<(Header, Vec<Step>)>, JournalError> {
        let (mut gathering, mut left) = (None, usize::MAX);
        self.gather(id, &mut gathering, &mut left)?;
        let Some((gathered, _)) = gathering else {
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
        self.order(None, &mut |ordered| {
            newest = Some(ordered.sequence);
            ControlFlow::Break(())
        })?;
        Ok(newest)
    }

    fn order(
        &self,
        after: Option<&[u8]>,
        visit: &mut dyn FnMut(Ordered) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let prefix = layout::ORDER_PREFIX;
        let repo = self.repo()?;
        repo.scan_after(Space::History, prefix, after, &mut |place, _| {
            let Some((sequence, id, key)) = layout::parse_order(place) else {
                return ControlFlow::Continue(());
            };
            let place = place.to_vec();
            visit(Ordered {
                place,
                sequence,
                id,
                key,
            })
        })?;
        Ok(())
    }
}
