//! Keys, workers and callbacks come and go: what the shell does when the machine says so.

use std::sync::Arc;

use crate::actors::callback_link::CallbackLink;
use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::actors::coordinator::part::CoordinatorPart;
use crate::actors::coordinator::work::RotationKeys;
use crate::actors::local_worker;
use crate::actors::worker_actor::NewWorker;
use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::operator::actor::ActorName;

use crate::rotation::id::RotationId;
use crate::worker::caller::Caller;
use crate::worker::link::WorkerRequest;

impl CoordinatorPart {
    /// The actor of a key starts, and learns which keys its rotations have.
    pub(super) fn defined(&mut self, ticket: Ticket, key: &KeyName) {
        let Some(new) = self.requests.take_key(ticket, key) else {
            return;
        };
        let supervision = self.means.supervision.clone();
        self.declarer.directory.add(new, supervision);
        for id in self.engine.machine().live_of(key) {
            self.let_key_know(id, key);
        }
    }

    /// A worker of this process joins: it gets an actor.
    pub(super) fn start_worker(&mut self, worker: &WorkerName, incarnation: u64) {
        let coordinator = Arc::clone(&self.slot);
        let declarer = self.declarer.clone();
        let by = declarer.own.clone().of_worker(Some(worker.clone()));
        let new = NewWorker {
            incarnation,
            database: self.means.database,
            caller: Caller {
                worker: worker.clone(),
                plugins: Arc::clone(&self.means.plugins),
                events: self.means.events.clone(),
                link: Arc::new(CallbackLink { declarer, by }),
            },
            tell: Arc::new(move |event| coordinator.post(CoordinatorMessage::Worker(event))),
        };
        let supervision = self.means.supervision.clone();
        let link = local_worker::start(new, self.means.thread.clone(), supervision);
        if let Some(earlier) = self.workers.insert(worker.clone(), link) {
            earlier.ask(WorkerRequest::Stop);
        }
    }

    pub(super) fn stop_worker(&mut self, worker: &WorkerName) {
        if let Some(link) = self.workers.remove(worker) {
            let actor = ActorName::Worker(worker.clone());
            self.means.supervision.forget(&actor);
            link.ask(WorkerRequest::Stop);
        }
    }

    pub(super) fn registered(
        &mut self,
        ticket: Ticket,
        worker: &WorkerName,
        key: &KeyName,
        name: &CallbackName,
    ) {
        let with = self.requests.take_with(ticket);
        if let (With::Callback(callback), Some(link)) = (with, self.workers.get(worker)) {
            link.ask(WorkerRequest::Add {
                key: key.clone(),
                name: name.clone(),
                callback,
            });
        }
    }

    pub(super) fn remove_callback(&self, worker: &WorkerName, key: &KeyName, name: &CallbackName) {
        if let Some(link) = self.workers.get(worker) {
            let (key, name) = (key.clone(), name.clone());
            link.ask(WorkerRequest::Remove { key, name });
        }
    }

    /// The keys that came with a declaration are those of its rotation.
    pub(super) fn accepted(&mut self, ticket: Ticket, id: RotationId, key: &KeyName) {
        if let With::Secrets(secrets) = self.requests.take_with(ticket) {
            let work = self.rotations.entry(id).or_default();
            work.beginnings = secrets.beginnings();
            let new = secrets.new.clone();
            work.kept = Some(RotationKeys::Here(secrets));
            self.let_key_know(id, key);
            if let Some(new) = new {
                self.keep_value(id, new);
            }
        }
    }
}
