//! The roster: the workers that have joined and not left, their callbacks, and whether each is here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::time::Time;

/// What is durable of a worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Member {
    /// Its name.
    pub worker: WorkerName,
    /// Its number in the order of joining.
    pub joined: u64,
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
}

/// A member and whether it is here in this life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct WorkerEntry {
    joined: u64,
    callbacks: BTreeMap<u64, (KeyName, CallbackName)>,
    incarnation: Option<u64>,
    died: Option<Time>,
    attached: BTreeSet<(KeyName, CallbackName)>,
}

impl WorkerEntry {
    /// Its incarnation, while it is alive.
    pub fn incarnation(&self) -> Option<u64> {
        self.incarnation
    }

    /// When it last died in this life.
    pub fn died(&self) -> Option<Time> {
        self.died
    }

    /// Whether it is alive and has registered this callback in its present incarnation.
    pub fn has_attached(&self, key: &KeyName, callback: &CallbackName) -> bool {
        let callback = (key.clone(), callback.clone());
        self.incarnation.is_some() && self.attached.contains(&callback)
    }

    /// Its callbacks, in the order of registration.
    pub fn callbacks(&self) -> impl Iterator<Item = (&KeyName, &CallbackName)> {
        self.callbacks.values().map(|(key, name)| (key, name))
    }

    /// How many callbacks it has.
    pub fn callback_count(&self) -> usize {
        self.callbacks.len()
    }

    /// It dies, if it is this incarnation that lives.
    pub(crate) fn die(&mut self, incarnation: u64, now: Time) -> bool {
        let lives = self.incarnation == Some(incarnation);
        if lives {
            self.incarnation = None;
            self.died = Some(now);
            self.attached.clear();
        }
        lives
    }

    /// Whether the roster has this callback.
    pub fn has(&self, key: &KeyName, callback: &CallbackName) -> bool {
        self.callbacks().any(|(k, c)| k == key && c == callback)
    }
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
        Arc::make_mut(entry).joined = member.joined;
    }

    /// Adds a member's callback.
    pub fn add_callback(&mut self, callback: MemberCallback) {
        if let Some(entry) = self.get_mut(&callback.worker) {
            let named = (callback.key, callback.callback);
            entry.callbacks.insert(callback.registered, named);
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, worker: &WorkerName) {
        if let Some(entry) = self.workers.remove(worker) {
            self.order.remove(&entry.joined);
        }
    }

    /// Takes a member's callback out.
    pub fn remove_callback(&mut self, worker: &WorkerName, key: &KeyName, callback: &CallbackName) {
        if let Some(entry) = self.get_mut(worker) {
            entry.attached.remove(&(key.clone(), callback.clone()));
            entry
                .callbacks
                .retain(|_, (k, c)| !(k == key && c == callback));
        }
    }

    /// One member.
    pub fn get(&self, worker: &WorkerName) -> Option<&WorkerEntry> {
        self.workers.get(worker).map(Arc::as_ref)
    }

    fn get_mut(&mut self, worker: &WorkerName) -> Option<&mut WorkerEntry> {
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

    /// A living member registers a callback; false if it had done so already.
    pub fn attach(&mut self, worker: &WorkerName, key: &KeyName, callback: &CallbackName) -> bool {
        let callback = (key.clone(), callback.clone());
        let entry = self.get_mut(worker);
        entry.is_some_and(|entry| entry.attached.insert(callback))
    }

    /// The callbacks of a key: worker by worker in the order of joining, and within a worker in
    /// the order of registration.
    pub fn plan(&self, key: &KeyName) -> Vec<(WorkerName, CallbackName)> {
        let mut plan = Vec::new();
        for (worker, entry) in self.in_order() {
            let of_key = entry.callbacks().filter(|(k, _)| *k == key);
            plan.extend(of_key.map(|(_, callback)| (worker.clone(), callback.clone())));
        }
        plan
    }
}
