//! What of a listing a caller is shown: what its grants name.

use crate::key::name::KeyName;
use crate::operator::actor::{ActorName, ActorStatus};
use crate::operator::status::{HistoryListing, Status, WorkerStatus};
use crate::rotation::act::{About, Act};
use crate::rotation::report::{RotationReport, UnreadableRotation};
use crate::server::grants::right::Right;
use crate::server::grants::{Asker, Grants};

/// What a caller may see.
pub(super) struct Sight<'a> {
    grants: &'a Grants,
    asker: Asker<'a>,
    all: bool,
}

impl<'a> Sight<'a> {
    pub(super) fn of(grants: &'a Grants, asker: Asker<'a>) -> Self {
        Self {
            all: grants.allow_all(asker, Right::Operate),
            grants,
            asker,
        }
    }

    /// Whether it may see a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.all || self.grants.allow(self.asker, Right::Operate, key)
    }

    /// Whether it may see all.
    pub(super) fn has_all(&self) -> bool {
        self.all
    }

    pub(super) fn rotations(&self, rotations: &mut Vec<RotationReport>) {
        rotations.retain(|report| self.has(report.key.as_str()));
    }

    fn unreadable(&self, rotations: &mut Vec<UnreadableRotation>) {
        rotations.retain(|one| self.has(one.key.as_str()));
    }

    /// The workers that have a callback for a key that it may see, with these callbacks only.
    pub(super) fn workers(&self, workers: &mut Vec<WorkerStatus>) {
        if self.all {
            return;
        }
        for worker in workers.iter_mut() {
            let callbacks = &mut worker.callbacks;
            callbacks.retain(|callback| self.has(callback.key.as_str()));
        }
        workers.retain(|worker| !worker.callbacks.is_empty());
    }

    pub(super) fn history(&self, page: &mut HistoryListing) {
        self.rotations(&mut page.rotations);
        self.unreadable(&mut page.unreadable);
        let key = |act: &Act| act.about.as_ref().and_then(About::key).cloned();
        let sees = |act: &Act| self.all || key(act).is_some_and(|key| self.has(key.as_str()));
        page.acts.retain(sees);
    }

    pub(super) fn status(&self, status: &mut Status) {
        if self.all {
            return;
        }
        let sees = |key: &KeyName| self.has(key.as_str());
        status.keys.retain(|key| sees(&key.name));
        self.workers(&mut status.workers);
        self.rotations(&mut status.rotations);
        self.unreadable(&mut status.unreadable_rotations);
        status
            .actors
            .retain(|actor: &ActorStatus| match &actor.actor {
                ActorName::Key(key) => sees(key),
                ActorName::Coordinator | ActorName::Worker(_) => false,
            });
        // Their places may name other keys.
        status.unreadable_records.clear();
        status.damaged_history = None;
    }
}
