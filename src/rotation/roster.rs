//! The roster: the workers that have joined and not left, their callbacks, and whether each is here.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::time::Time;
use crate::rotation::instance::{CallbackOf, Instance, Process, Sharing};

pub use crate::rotation::worker_entry::{Present, WorkerEntry};

/// What is durable of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its name.
    pub worker: WorkerName,
    /// Its number in the order of joining.
    pub joined: u64,
    /// How many processes may have its name at once.
    pub sharing: Sharing,
    /// Whether a process other than the keeper's had its name last.
    pub elsewhere: bool,
}

/// What is durable of a worker's callback.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberCallback {
    /// The worker.
    pub worker: WorkerName,
    /// The key.
    pub key: KeyName,
    /// Its name.
    pub callback: CallbackName,
    /// Its number in the order of registration.
    pub registered: u64,
    /// What it changes.
    pub of: CallbackOf,
}

/// All members.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Roster {
    /// Shared with listings; an entry is copied where it changes while a listing has it.
    workers: BTreeMap<WorkerName, Arc<WorkerEntry>>,
    order: BTreeMap<u64, WorkerName>,
}

impl Roster {
    /// Adds a member that is not here yet, live and at replay alike.
    pub fn add(&mut self, member: Member) {
        self.order.insert(member.joined, member.worker.clone());
        let entry = self.workers.entry(member.worker).or_default();
        let entry = Arc::make_mut(entry);
        entry.joined = member.joined;
        entry.sharing = member.sharing;
        entry.elsewhere = member.elsewhere;
    }

    /// Adds an instance that the journal has, which is not connected.
    pub(crate) fn add_found(&mut self, instance: Instance) {
        if let Some(entry) = self.get_mut(&instance.worker) {
            entry
                .instances
                .insert(instance.number, Present::found(instance));
        }
    }

    /// Adds a member's callback.
    pub fn add_callback(&mut self, callback: MemberCallback) {
        if let Some(entry) = self.get_mut(&callback.worker) {
            let named = (callback.key, callback.callback, callback.of);
            entry.callbacks.insert(callback.registered, named);
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, worker: &WorkerName) {
        if let Some(entry) = self.workers.remove(worker) {
            self.order.remove(&entry.joined);
        }
    }

    /// Takes a member's callback out; answers the instances that had registered it, as they are then.
    pub fn remove_callback(
        &mut self,
        worker: &WorkerName,
        key: &KeyName,
        callback: &CallbackName,
    ) -> Vec<Instance> {
        let mut changed = Vec::new();
        if let Some(entry) = self.get_mut(worker) {
            let named = (key.clone(), callback.clone());
            entry.attached.remove(&named);
            for one in entry.instances.values_mut() {
                if one.instance.registered.remove(&named) {
                    changed.push(one.instance.clone());
                }
            }
            entry
                .callbacks
                .retain(|_, (k, c, _)| !(k == key && c == callback));
        }
        changed
    }

    /// One member.
    pub fn get(&self, worker: &WorkerName) -> Option<&WorkerEntry> {
        self.workers.get(worker).map(Arc::as_ref)
    }

    pub(crate) fn get_mut(&mut self, worker: &WorkerName) -> Option<&mut WorkerEntry> {
        self.workers.get_mut(worker).map(Arc::make_mut)
    }

    /// The members in the order in which they joined.
    pub fn in_order(&self) -> impl Iterator<Item = (&WorkerName, &Arc<WorkerEntry>)> {
        let entry = |name| self.workers.get(name).map(|entry| (name, entry));
        self.order.values().filter_map(entry)
    }

    /// A member comes to life.
    pub fn arrive(&mut self, worker: &WorkerName, incarnation: u64) {
        if let Some(entry) = self.get_mut(worker) {
            entry.incarnation = Some(incarnation);
            entry.attached.clear();
        }
    }

    /// A member dies, if it is this incarnation that lives.
    pub fn die(&mut self, worker: &WorkerName, incarnation: u64, now: Time) -> bool {
        let entry = self.get_mut(worker);
        entry.is_some_and(|entry| entry.die(incarnation, now))
    }

    /// Takes over from another roster which workers are here, with which callbacks, as far as this
    /// one has them.
    pub(crate) fn take_presence(&mut self, other: &Self) {
        for (name, entry) in &mut self.workers {
            let Some(known) = other.workers.get(name) else {
                continue;
            };
            let entry = Arc::make_mut(entry);
            entry.incarnation = known.incarnation;
            entry.died = known.died;
            let has = |(key, callback): &&(KeyName, CallbackName)| entry.has(key, callback);
            entry.attached = known.attached.iter().filter(has).cloned().collect();
            for (number, one) in &mut entry.instances {
                if let Some(known) = known.instances.get(number) {
                    one.connected = known.connected;
                    one.absent_since = known.absent_since;
                    one.last_given = known.last_given;
                }
            }
        }
    }

    /// A member that was taken out is in again, as it was.
    pub(crate) fn put_back(&mut self, worker: &WorkerName, entry: WorkerEntry) {
        if let Some(other) = self.workers.get(worker) {
            self.order.remove(&other.joined);
        }
        self.order.insert(entry.joined, worker.clone());
        self.workers.insert(worker.clone(), Arc::new(entry));
    }

    /// The worker of an incarnation.
    pub(crate) fn worker_of(&self, incarnation: u64) -> Option<WorkerName> {
        let this =
            |(_, entry): &(&WorkerName, &Arc<WorkerEntry>)| entry.incarnation == Some(incarnation);
        self.workers.iter().find(this).map(|(name, _)| name.clone())
    }

    /// A callback counts as not registered in this life.
    pub(crate) fn detach(&mut self, worker: &WorkerName, key: &KeyName, callback: &CallbackName) {
        if let Some(entry) = self.get_mut(worker) {
            entry.attached.remove(&(key.clone(), callback.clone()));
        }
    }

    /// Whether a worker has this instance.
    pub(crate) fn has_instance(&self, worker: &WorkerName, number: u64) -> bool {
        let entry = self.get(worker);
        entry.is_some_and(|entry| entry.instance(number).is_some())
    }

    /// An instance, to be changed.
    pub(crate) fn instance_mut(
        &mut self,
        worker: &WorkerName,
        number: u64,
    ) -> Option<&mut Present> {
        self.get_mut(worker)?.instances.get_mut(&number)
    }

    /// An instance has joined, and is connected.
    pub(crate) fn joined(&mut self, instance: Instance, now: Time) {
        if let Some(entry) = self.get_mut(&instance.worker) {
            let mut one = Present::found(instance);
            one.connected = true;
            one.absent_since = now;
            entry.instances.insert(one.instance.number, one);
        }
    }

    /// An instance is not connected any more, or has no handle.
    pub(crate) fn is_missed(&mut self, worker: &WorkerName, number: u64, now: Time) {
        if let Some(entry) = self.get_mut(worker)
            && let Some(one) = entry.instances.get_mut(&number)
        {
            one.absent_since = now;
            entry.died = Some(now);
        }
    }

    /// A life of a worker counts as not having registered this callback.
    pub(crate) fn unregister(
        &mut self,
        (worker, life): (&WorkerName, u64),
        key: &KeyName,
        callback: &CallbackName,
    ) {
        match self.instance_mut(worker, life) {
            Some(one) => drop(
                one.instance
                    .registered
                    .remove(&(key.clone(), callback.clone())),
            ),
            None => self.detach(worker, key, callback),
        }
    }

    /// An instance is gone.
    pub(crate) fn gone(&mut self, worker: &WorkerName, number: u64, now: Time) -> Option<Present> {
        let entry = self.get_mut(worker)?;
        let gone = entry.instances.remove(&number)?;
        entry.died = Some(now);
        Some(gone)
    }

    /// The instances of a worker in a process that are not connected.
    pub(crate) fn absent_in(&self, worker: &WorkerName, process: &Process) -> Vec<u64> {
        let entry = self.get(worker);
        let all = entry.into_iter().flat_map(WorkerEntry::instances);
        let absent = all.filter(|one| !one.connected && one.instance.process == *process);
        absent.map(|one| one.instance.number).collect()
    }

    /// The greatest number of an instance.
    pub(crate) fn last_number(&self) -> u64 {
        let all = self.workers.values();
        let all = all.flat_map(|entry| entry.instances.keys().copied());
        all.max().unwrap_or_default()
    }

    /// A living member registers a callback; false if it had done so already.
    pub fn attach(&mut self, worker: &WorkerName, key: &KeyName, callback: &CallbackName) -> bool {
        let callback = (key.clone(), callback.clone());
        let entry = self.get_mut(worker);
        entry.is_some_and(|entry| entry.attached.insert(callback))
    }

    /// The callbacks of a key: worker by worker in the order of joining, and within a worker in
    /// the order of registration.
    pub fn plan(&self, key: &KeyName) -> Vec<(WorkerName, CallbackName, CallbackOf)> {
        let mut plan = Vec::new();
        for (worker, entry) in self.in_order() {
            let of_key = entry.callbacks.values().filter(|(k, ..)| k == key);
            plan.extend(of_key.map(|(_, callback, of)| (worker.clone(), callback.clone(), *of)));
        }
        plan
    }
}
