//! What the coordinator answers from what it knows, without a step of the engine.

use std::sync::Arc;

use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::coordinator::part::CoordinatorPart;
use crate::actors::overview::{FoundRotation, Listing, RotationHalves};
use crate::key::name::{KeyName, WorkerName};
use crate::rotation::id::RotationId;
use crate::rotation::roster::WorkerEntry;
use crate::rotation::state::RotationState;

impl CoordinatorPart {
    /// Makes the next piece of a listing.
    pub(super) fn list(&self, mut listing: Box<Listing>) {
        if listing.reply.is_closed() {
            return;
        }
        let machine = self.engine.machine();
        let views = machine.views_behind(listing.behind);
        if let Some(last) = views.last() {
            listing.behind = Some(last.id());
            listing.overview.rotations.extend(views);
            self.slot.post(CoordinatorMessage::List(listing));
            return;
        }
        let Listing {
            reply,
            permit,
            mut overview,
            ..
        } = *listing;
        let workers = machine.roster().in_order();
        let shared =
            |(name, entry): (&WorkerName, &Arc<WorkerEntry>)| (name.clone(), Arc::clone(entry));
        overview.workers = workers.map(shared).collect();
        overview.ending = self.engine.ending().collect();
        overview.unreadable = machine.unreadable();
        overview.paused = machine.paused().map(str::to_owned);
        overview.lost = machine.lost();
        drop(permit);
        drop(reply.send(overview));
    }

    /// A rotation that has not ended.
    pub(super) fn find(&self, id: RotationId) -> FoundRotation {
        let machine = self.engine.machine();
        let here = machine.report(id);
        let here = here.or_else(|| self.engine.ending().find(|report| report.id == id));
        if let Some(report) = here {
            return FoundRotation::Readable(Box::new(report));
        }
        let unreadable = machine.unreadable().into_iter().find(|one| one.id == id);
        unreadable.map_or(FoundRotation::NotHere, FoundRotation::Unreadable)
    }

    /// The halves of the rotations of a key.
    pub(super) fn halves(&self, key: &KeyName) -> RotationHalves {
        let (next, headers) = self.engine.machine().latest_of(key);
        let mut halves = RotationHalves::default();
        for id in self.ending(key) {
            let here = self.secrets(id);
            halves.mark.1.push((id, RotationState::Running, true));
            halves.begun.push((id, false, here.cloned()));
        }
        for header in headers {
            let state = (header.id, header.state, header.begun);
            halves.mark.1.push(state);
            if header.begun {
                let here = self.secrets(header.id);
                let is_obsolete = header.state == RotationState::Obsolete;
                halves.begun.push((header.id, is_obsolete, here.cloned()));
            }
        }
        halves.mark.0 = next;
        halves
    }

    /// The rotations of a key that have ended, but not durably yet: they hold their keys, and what they
    /// did to the key's state may not be adopted.
    fn ending(&self, key: &KeyName) -> Vec<RotationId> {
        let machine = self.engine.machine();
        let of_key = self.rotations.iter();
        let of_key = of_key.filter(|(_, work)| work.known_to.as_ref() == Some(key));
        let ids = of_key.map(|(id, _)| *id);
        ids.filter(|id| !machine.is_live(*id)).collect()
    }
}
