//! A step in which its actor died: what it wanted done was lost, no asker was told of it, and nothing of it
//! may stay.

use std::collections::BTreeSet;

use crate::key::event::Ticket;
use crate::rotation::effect::RotationEffect;
use crate::rotation::engine::RotationEngine;
use crate::rotation::event::{Event, Moment, StepRef};
use crate::rotation::machine::RotationMachine;
use crate::rotation::roster::WorkerEntry;
use crate::rotation::rotations::Active;

/// What has to be known of the moment before a step to take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Whether a key was defined, the worker here, or the callback registered that it is about.
    here: bool,
    writing: bool,
    /// The greatest number of an instance and of an incarnation.
    last: u64,
}

impl RotationMachine {
    /// Whether a step is to be called or called, as far as this life knows.
    pub fn runs(&self, step: StepRef) -> bool {
        let live = self.rotations.get(step.rotation);
        let active = live.and_then(|live| live.active.get(&step.step));
        matches!(active, Some(Active::Running { .. }))
    }
}

impl RotationEngine {
    /// To be asked before a step.
    pub fn before(&self, event: &Event) -> Before {
        let machine = &self.machine;
        let entry = |worker| machine.roster().get(worker);
        let here = if let Event::Define { keys, .. } = event {
            keys.iter().any(|(key, _)| machine.is_defined(key))
        } else if let Event::Join {
            worker,
            process: None,
            ..
        } = event
        {
            entry(worker).is_some_and(|entry| entry.incarnation().is_some())
        } else if let Event::Join { .. } = event {
            false
        } else if let Event::Register {
            worker,
            incarnation,
            key,
            callback,
            ..
        } = event
        {
            entry(worker).is_some_and(|entry| entry.has_registered(*incarnation, key, callback))
        } else {
            true
        };
        let writing = self.outbox.is_writing();
        let last = machine.incarnations;
        Before {
            here,
            writing,
            last,
        }
    }

    /// Takes back a step with actions that were all lost, in whole or in part. Its asker is told to
    /// ask again, and finds things as they were; [`restarted`](Self::restarted) comes next.
    pub fn take_back_step(&mut self, event: &Event, before: Before, now: Moment) {
        if !before.writing {
            self.outbox.lose_batch();
        }
        if !before.here {
            self.take_back_presence(event, before.last, now);
        }
        if let Some(ticket) = event.ticket() {
            self.waits.remove(&ticket);
            self.registering.remove(&ticket);
            if let Some((worker, entry)) = self.leaving.remove(&ticket) {
                self.machine.roster.put_back(&worker, entry);
            }
            if let Some((life, worker, key, callback)) = self.removing.remove(&ticket)
                && self.machine.roster.worker_of(life).as_ref() == Some(&worker)
            {
                self.machine.roster.attach(&worker, &key, &callback);
            }
        }
        self.wait_for_lost_answers();
    }

    fn take_back_presence(&mut self, event: &Event, last: u64, now: Moment) {
        let roster = &mut self.machine.roster;
        if let Event::Define { keys, .. } = event {
            for (key, _) in keys {
                self.machine.rotations.queue_mut(key).defined = None;
            }
        } else if let Event::Join {
            worker,
            process: Some(_),
            ..
        } = event
        {
            let joined = roster.get(worker).into_iter();
            let joined = joined.flat_map(WorkerEntry::instances);
            let joined = joined.map(|one| one.instance.number).find(|no| *no > last);
            if let Some(number) = joined {
                roster.gone(worker, number, now.time);
            }
        } else if let Event::Join { worker, .. } = event {
            if let Some(life) = roster.get(worker).and_then(|entry| entry.incarnation()) {
                roster.die(worker, life, now.time);
            }
        } else if let Event::Register {
            worker,
            incarnation,
            key,
            callback,
            ..
        } = event
        {
            roster.unregister((worker, *incarnation), key, callback);
        }
    }

    /// An asker that waits for a rotation, is not known to the machine any more and has no answer on
    /// the way waits again when the journal was read.
    fn wait_for_lost_answers(&mut self) {
        let live = self.machine.rotations.iter();
        let mut known: BTreeSet<Ticket> =
            live.flat_map(|live| live.waiters.iter().copied()).collect();
        known.extend(self.outbox.gated().filter_map(|effect| match effect {
            RotationEffect::Reply { ticket, .. } => Some(*ticket),
            _ => None,
        }));
        known.extend(self.wait_again.iter().copied());
        let lost = self.waits.keys().filter(|ticket| !known.contains(ticket));
        self.wait_again.extend(lost.copied().collect::<Vec<_>>());
    }
}
