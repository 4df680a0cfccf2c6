//! Keys, workers and callbacks come and go: what the shell does when the machine says so.

use std::sync::Arc;

use crate::actors::coordinator::CoordinatorPart;
use crate::actors::coordinator_message::{CoordinatorMessage, With};
use crate::actors::rotation_keys::Kept;
use crate::actors::supervision::name::ActorName;
use crate::actors::supervision::slot::{ActorSlot, RestartPolicy};
use crate::actors::worker::{Tell, WorkerOrder, WorkerPart};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::event::Ask;
use crate::rotation::id::RotationId;

impl CoordinatorPart {
    /// The actor of a key starts, and learns which keys its rotations have.
    pub(super) fn defined(&mut self, ask: Ask, key: &KeyName) {
        let Some(With::Key(new)) = self.offered.remove(&ask) else {
            return;
        };
        let supervision = self.means.supervision.clone();
        let entry = self.declarer.directory.add(*new, supervision);
        self.keys.insert(key.clone(), entry);
        for id in self.engine.machine().live_of(key) {
            self.let_key_know(id, key);
        }
    }

    /// A worker's actor has a slot of its own. `main` lives as long as its manager; the actor of
    /// another worker that dies is not started again, for the worker is dead then.
    pub(super) fn start_worker(&mut self, worker: &WorkerName, incarnation: u64) {
        let restart_policy = if *worker == WorkerName::main() {
            RestartPolicy::Permanent
        } else {
            RestartPolicy::Temporary
        };
        let plugins = Arc::clone(&self.means.plugins);
        let events = self.means.events.clone();
        let coordinator = Arc::clone(&self.slot);
        let tell: Tell = Arc::new(move |message| {
            coordinator.post(CoordinatorMessage::Worker(message));
        });
        let thread = self.means.thread.clone();
        let supervision = self.means.supervision.clone();
        let (actor, name) = (ActorName::Worker(worker.clone()), worker.clone());
        let slot = ActorSlot::take(actor, restart_policy, thread, supervision, |slot| {
            WorkerPart::new(name, incarnation, plugins, events, tell, Arc::clone(slot))
        });
        slot.make_known();
        if let Some(earlier) = self.workers.insert(worker.clone(), slot) {
            earlier.post(WorkerOrder::Stop);
        }
    }

    pub(super) fn stop_worker(&mut self, worker: &WorkerName) {
        if let Some(slot) = self.workers.remove(worker) {
            let actor = ActorName::Worker(worker.clone());
            self.means.supervision.forget(&actor);
            slot.post(WorkerOrder::Stop);
        }
    }

    pub(super) fn registered(
        &mut self,
        ask: Ask,
        worker: &WorkerName,
        key: &KeyName,
        name: &CallbackName,
    ) {
        let offered = self.offered.remove(&ask);
        if let (Some(With::Callback(callback)), Some(slot)) = (offered, self.workers.get(worker)) {
            slot.post(WorkerOrder::Add {
                key: key.clone(),
                name: name.clone(),
                callback,
            });
        }
    }

    pub(super) fn remove_callback(&self, worker: &WorkerName, key: &KeyName, name: &CallbackName) {
        if let Some(slot) = self.workers.get(worker) {
            let (key, name) = (key.clone(), name.clone());
            slot.post(WorkerOrder::Remove { key, name });
        }
    }

    /// The keys that came with a declaration are those of its rotation.
    pub(super) fn accepted(&mut self, ask: Ask, id: RotationId, key: &KeyName) {
        if let Some(With::Secrets(secrets)) = self.offered.remove(&ask) {
            self.beginnings.insert(id, secrets.beginnings());
            self.secrets.insert(id, Kept::Here(secrets));
            self.let_key_know(id, key);
        }
    }
}
