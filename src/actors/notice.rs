//! What the shell of the coordinator has to notice of a step of the machine: which key became
//! defined by it, which callback registered, whose keys were accepted, and who is off the roster.

use std::sync::Arc;

use crate::actors::coordinator::CoordinatorPart;
use crate::actors::coordinator_message::With;
use crate::actors::directory::NewKey;
use crate::actors::key_message::KeyMessage;
use crate::actors::rotation_keys::Kept;
use crate::actors::supervision::name::ActorName;
use crate::actors::supervision::slot::ActorSlot;
use crate::actors::worker::{WorkerOrder, WorkerPart};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::event::{Ask, Event};
use crate::rotation::id::RotationId;
use crate::worker::callback::Callback;

/// What may come of a step.
pub enum Notice {
    /// Nothing that the shell has to know.
    Nothing,
    /// A key becomes defined.
    Defines(Box<NewKey>),
    /// A callback becomes registered.
    Registers {
        /// Whose.
        worker: WorkerName,
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
        /// The callback.
        callback: Callback,
    },
    /// A rotation is accepted, with the keys that came with this request.
    Accepts(Ask, RotationId),
    /// A worker is off the roster.
    Leaves(Ask, WorkerName),
    /// A callback is off the roster.
    Removes {
        /// Who asked.
        ask: Ask,
        /// Whose.
        worker: WorkerName,
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
    },
}

impl Notice {
    /// What an event may come to.
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Declare { ask, declaration }
            | Event::Searched {
                ask, declaration, ..
            }
            | Event::OldFound {
                ask, declaration, ..
            } => Self::Accepts(*ask, declaration.id),
            Event::Leave { ask, worker, .. } => Self::Leaves(*ask, worker.clone()),
            Event::RemoveCallback {
                ask,
                worker,
                key,
                callback,
                ..
            } => Self::Removes {
                ask: *ask,
                worker: worker.clone(),
                key: key.clone(),
                name: callback.clone(),
            },
            Event::Define { .. }
            | Event::Join { .. }
            | Event::Died { .. }
            | Event::Register { .. }
            | Event::Wait { .. }
            | Event::Gone { .. }
            | Event::Resume { .. }
            | Event::Abort { .. }
            | Event::Dismiss { .. }
            | Event::Snapped { .. }
            | Event::Prepared { .. }
            | Event::Lacks { .. }
            | Event::Ended { .. }
            | Event::Uncalled { .. }
            | Event::Proposed { .. }
            | Event::Paused { .. }
            | Event::Recovered(_)
            | Event::Close
            | Event::Interrupt
            | Event::Tick => Self::Nothing,
        }
    }
}

/// What is off the roster, but not durably yet.
pub enum Departing {
    /// A worker with its actor.
    Worker(WorkerName, Arc<ActorSlot<WorkerPart>>),
    /// A callback of a worker and key.
    Callback(WorkerName, KeyName, CallbackName),
}

impl CoordinatorPart {
    /// What a request with what came with it may come to.
    pub(super) fn notice(&mut self, ask: Ask, with: With, event: &Event) -> Notice {
        match with {
            With::Nothing => Notice::of(event),
            With::Secrets(secrets) => {
                self.offered.insert(ask, secrets);
                Notice::of(event)
            }
            With::Key(key) => Notice::Defines(key),
            With::Worker(worker) => {
                self.joining.insert(ask, worker);
                Notice::Nothing
            }
            With::Callback {
                worker,
                key,
                name,
                callback,
            } => Notice::Registers {
                worker,
                key,
                name,
                callback,
            },
        }
    }

    /// Whether the machine knows what the notice is about.
    pub(super) fn known(&self, notice: &Notice) -> bool {
        let machine = self.engine.machine();
        let roster = machine.roster();
        match notice {
            Notice::Nothing => false,
            Notice::Defines(key) => machine.is_defined(&key.means.name),
            Notice::Registers {
                worker, key, name, ..
            } => roster
                .get(worker)
                .is_some_and(|entry| entry.has_attached(key, name)),
            Notice::Accepts(_, id) => machine.is_live(*id),
            Notice::Leaves(_, worker) => roster.get(worker).is_some(),
            Notice::Removes {
                worker, key, name, ..
            } => roster.get(worker).is_some_and(|entry| entry.has(key, name)),
        }
    }

    /// Takes in what a step came to, before anything of it is performed.
    pub(super) fn take_notice(&mut self, notice: Notice, before: bool) {
        let now = self.known(&notice);
        let (begun, ended) = (!before && now, before && !now);
        match notice {
            Notice::Defines(new) if begun => {
                let supervision = self.means.supervision.clone();
                let entry = self.declarer.directory.add(*new, supervision);
                let key = entry.name().clone();
                self.keys.insert(key.clone(), entry);
                for id in self.engine.machine().live_of(&key) {
                    self.let_key_know(id, &key);
                }
            }
            Notice::Registers {
                worker,
                key,
                name,
                callback,
            } if begun => {
                if let Some(worker) = self.workers.get(&worker) {
                    worker.post(WorkerOrder::Add {
                        key,
                        name,
                        callback,
                    });
                }
            }
            Notice::Accepts(ask, id) if begun => {
                if let Some(secrets) = self.offered.remove(&ask) {
                    self.beginnings.insert(id, secrets.beginnings());
                    self.secrets.insert(id, Kept::Here(secrets));
                    if let Some(key) = self.engine.machine().key_of(id) {
                        self.let_key_know(id, &key);
                    }
                }
            }
            Notice::Leaves(ask, worker) if ended => {
                if let Some(slot) = self.workers.remove(&worker) {
                    self.departing.insert(ask, Departing::Worker(worker, slot));
                }
            }
            Notice::Removes {
                ask,
                worker,
                key,
                name,
            } if ended => {
                let callback = Departing::Callback(worker, key, name);
                self.departing.insert(ask, callback);
            }
            Notice::Nothing
            | Notice::Defines(_)
            | Notice::Registers { .. }
            | Notice::Accepts(..)
            | Notice::Leaves(..)
            | Notice::Removes { .. } => {}
        }
    }

    /// Tells a key which keys a rotation of it has, so that no text shows them.
    fn let_key_know(&mut self, rotation: RotationId, key: &KeyName) {
        let beginnings = self.beginnings.get(&rotation).cloned();
        let (Some(entry), Some(beginnings)) = (self.keys.get(key), beginnings) else {
            return;
        };
        entry.post(KeyMessage::Knows {
            rotation,
            beginnings,
        });
        self.known.insert((key.clone(), rotation));
    }

    /// Lets a key forget the keys of a rotation that holds them no more.
    pub(super) fn let_key_forget(&mut self, key: &KeyName, rotation: RotationId) {
        if self.known.remove(&(key.clone(), rotation))
            && let Some(entry) = self.keys.get(key)
        {
            entry.post(KeyMessage::Forgets { rotation });
        }
    }

    /// After the journal was read anew: the keys of some rotations may be gone.
    pub(super) fn let_keys_forget(&mut self) {
        let known = self.known.iter();
        let gone = known.filter(|(_, id)| !self.beginnings.contains_key(id));
        for (key, rotation) in gone.cloned().collect::<Vec<_>>() {
            self.let_key_forget(&key, rotation);
        }
    }

    /// What was off the roster is so durably, or is not after all.
    pub(super) fn depart(&mut self, ask: Ask, is_gone: bool) {
        match self.departing.remove(&ask) {
            None => {}
            Some(Departing::Worker(worker, slot)) if is_gone => {
                if !self.workers.contains_key(&worker) {
                    self.means.supervision.forget(&ActorName::Worker(worker));
                }
                slot.post(WorkerOrder::Stop);
            }
            Some(Departing::Worker(worker, slot)) => {
                self.workers.entry(worker).or_insert(slot);
            }
            Some(Departing::Callback(worker, key, name)) => {
                let roster = self.engine.machine().roster();
                let entry = roster.get(&worker);
                // One that was registered again since stays.
                let is_back = entry.is_some_and(|entry| entry.has_attached(&key, &name));
                if let Some(worker) = self.workers.get(&worker).filter(|_| is_gone && !is_back) {
                    worker.post(WorkerOrder::Remove { key, name });
                }
            }
        }
    }
}
