//! A worker on the roster: its callbacks, whether it is here, and its instances in other processes.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::name::{CallbackName, KeyName};
use crate::key::time::Time;
use crate::rotation::instance::{CallbackOf, Instance, Sharing};
use crate::rotation::outcome::StepRef;
use crate::rotation::report::WaitsFor;

/// An instance of another process, and what is known of it in this life.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Present {
    /// What is durable of it.
    pub instance: Instance,
    /// Whether it is connected.
    pub connected: bool,
    /// When it joined or was last connected, in this life.
    pub absent_since: Time,
    /// Its place among those that were given a call: the lowest was given one longest ago.
    pub last_given: u64,
    /// The calls that were handed to it. One that is durable may not have been.
    pub handed: BTreeSet<StepRef>,
}

impl Present {
    pub(super) fn found(instance: Instance) -> Self {
        Self {
            handed: instance.calls.keys().copied().collect(),
            instance,
            connected: false,
            absent_since: Time::default(),
            last_given: 0,
        }
    }

    /// Whether it may be given calls that it has registered.
    pub(crate) fn is_there(&self) -> bool {
        self.connected && self.instance.ready && !self.instance.dropped
    }
}

/// A member and whether it is here in this life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct WorkerEntry {
    pub(super) joined: u64,
    pub(super) sharing: Sharing,
    pub(super) elsewhere: bool,
    pub(super) callbacks: BTreeMap<u64, (KeyName, CallbackName, CallbackOf)>,
    pub(super) incarnation: Option<u64>,
    pub(super) died: Option<Time>,
    pub(super) attached: BTreeSet<(KeyName, CallbackName)>,
    /// Those of other processes that are not gone, by number.
    pub(super) instances: BTreeMap<u64, Present>,
}

impl WorkerEntry {
    /// Its incarnation in the keeper's own process, while it is alive.
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

    /// Its callbacks and what each changes, in the order of registration.
    pub fn callbacks(&self) -> impl Iterator<Item = (&KeyName, &CallbackName, CallbackOf)> {
        self.callbacks
            .values()
            .map(|(key, name, of)| (key, name, *of))
    }

    /// The number of a callback in the order of registration and what it changes, if the roster has it.
    pub fn callback(&self, key: &KeyName, callback: &CallbackName) -> Option<(u64, CallbackOf)> {
        let mut all = self.callbacks.iter();
        let found = all.find(|(_, (k, c, _))| k == key && c == callback);
        found.map(|(number, (.., of))| (*number, *of))
    }

    /// Its number in the order of joining, how it is shared, and whether it was elsewhere last.
    pub(crate) fn member(&self) -> (u64, Sharing, bool) {
        (self.joined, self.sharing, self.elsewhere)
    }

    /// Whether this life of it is there: the incarnation in this process, or an instance with a handle.
    pub(crate) fn has_life(&self, life: u64) -> bool {
        let instance = self.instances.get(&life);
        self.incarnation == Some(life) || instance.is_some_and(|one| !one.instance.dropped)
    }

    /// How many other instances of it have a handle.
    pub(crate) fn others(&self, life: u64) -> usize {
        let others = self
            .instances
            .values()
            .filter(|one| one.instance.number != life);
        others.filter(|one| !one.instance.dropped).count()
    }

    /// A callback that an instance has not returned from, in words.
    pub(crate) fn still_runs(&self) -> Option<String> {
        let mut all = self.instances.values();
        let (one, key) = all.find_map(|one| {
            let (_, call) = one.instance.unreturned().next()?;
            Some((&one.instance, &call.key))
        })?;
        Some(format!(
            "{one} has not returned from a callback for key {key}; ask again when it has, or remove the instance first"
        ))
    }

    /// Whether another life of it that is there has registered this callback.
    pub(crate) fn others_have(&self, life: u64, key: &KeyName, callback: &CallbackName) -> bool {
        let others = self
            .instances
            .values()
            .filter(|one| one.instance.number != life);
        let mut others = others.filter(|one| !one.instance.dropped);
        others.any(|one| one.instance.has(key, callback))
    }

    /// How many processes may have its name at once.
    pub fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Whether it is served by processes other than the keeper's.
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere && self.incarnation.is_none()
    }

    /// Its instances in other processes that are not gone, by number.
    pub fn instances(&self) -> impl Iterator<Item = &Present> {
        self.instances.values()
    }

    /// One of them.
    pub fn instance(&self, number: u64) -> Option<&Present> {
        self.instances.get(&number)
    }

    /// Whether it is here: in this process, or an instance of it is connected.
    pub fn is_here(&self) -> bool {
        let mut instances = self.instances.values();
        self.incarnation.is_some() || instances.any(|one| one.connected && !one.instance.dropped)
    }

    /// Whether its name is taken: by a handle of this process, or an instance that may come back.
    pub fn is_taken(&self) -> bool {
        let mut instances = self.instances.values();
        self.incarnation.is_some() || instances.any(|one| !one.instance.dropped)
    }

    /// Whether a life of it has registered this callback: the one of this process, or an instance.
    pub fn has_registered(&self, life: u64, key: &KeyName, callback: &CallbackName) -> bool {
        match self.instances.get(&life) {
            Some(one) => one.instance.has(key, callback),
            None => self.incarnation == Some(life) && self.has_attached(key, callback),
        }
    }

    /// How many can be called with this callback now: the worker in this process, and instances.
    pub fn serving(&self, key: &KeyName, callback: &CallbackName) -> usize {
        let all = self.instances.values();
        let there = all.filter(|one| one.is_there() && one.instance.has(key, callback));
        usize::from(self.has_attached(key, callback)) + there.count()
    }

    /// The instances that have registered this callback and cannot be called, as what a rotation waits for.
    pub(crate) fn missed(&self, key: &KeyName, callback: &CallbackName) -> Vec<WaitsFor> {
        let has = |one: &&Present| !one.instance.dropped && one.instance.has(key, callback);
        let missed = self.instances.values().filter(has);
        let missed = missed.filter(|one| !one.is_there());
        let waits = missed.map(|one| WaitsFor::Instance {
            worker: one.instance.worker.clone(),
            callback: callback.clone(),
            instance: one.instance.number,
        });
        waits.collect()
    }

    /// The instance that was given this attempt of a step and has not returned it.
    pub fn runs_at(&self, step: StepRef, attempt: u32) -> Option<u64> {
        let running = |one: &&Present| {
            let given = one.instance.given(step, attempt);
            given.is_some_and(|call| !call.done)
        };
        let one = self.instances.values().find(running)?;
        Some(one.instance.number)
    }

    /// Whether another process may be running a callback of data for this key.
    pub fn runs_data(&self, key: &KeyName) -> bool {
        let calls = self.instances.values();
        let mut calls = calls.flat_map(|one| one.instance.unreturned());
        calls.any(|(_, call)| call.of == CallbackOf::Data && call.key == *key)
    }

    /// How many callbacks it has.
    pub fn callback_count(&self) -> usize {
        self.callbacks.len()
    }

    /// It dies, if it is this incarnation that lives.
    pub(crate) fn die(&mut self, incarnation: u64, now: Time) -> bool {
        if self.instances.remove(&incarnation).is_some() {
            self.died = Some(now);
            return true;
        }
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
        self.callbacks().any(|(k, c, _)| k == key && c == callback)
    }
}
