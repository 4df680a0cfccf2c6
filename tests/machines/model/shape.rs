//! How large a world is looked through: who and what there is, and how much may go wrong.

use std::time::Duration;

use keyward::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::state::Effect;
use keyward::key::versions::rules::VersionRules;
use keyward::rotation::event::{Declaration, OldKeys, StepOutcome};
use keyward::rotation::machine::RotationConfig;
use keyward::rotation::plan::Declared;

use crate::model::names::{KEYS, rid};
use crate::model::versions::prints;

pub type Strategy = OnKeyChangedCallbackErrorStrategy;

/// How often what happens, or may happen at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// The process ends; what is not durable is lost.
    pub crashes: u8,
    /// The coordinator's actor dies, its process lives on.
    pub coordinators: u8,
    /// A write fails, made or not, known or not.
    pub writes: u8,
    /// The journal cannot be read anew.
    pub reads: u8,
    /// A worker dies; it returns.
    pub deaths: u8,
    /// A worker leaves; it may come back.
    pub leaves: u8,
    /// The program is shut down, and started again.
    pub shutdowns: u8,
    /// A callback fails.
    pub failures: u8,
    /// An operator resumes a rotation.
    pub resumes: u8,
    /// An operator aborts a rotation.
    pub aborts: u8,
    /// An operator removes a worker's last callback.
    pub removals: u8,
    /// A worker gets the current version of the key that has versions.
    pub gets: u8,
}

impl Counts {
    pub const NONE: Self = Self {
        crashes: 0,
        coordinators: 0,
        writes: 0,
        reads: 0,
        deaths: 0,
        leaves: 0,
        shutdowns: 0,
        failures: 0,
        resumes: 0,
        aborts: 0,
        removals: 0,
        gets: 0,
    };

    /// Everything once.
    pub const EVERYTHING: Self = Self {
        crashes: 1,
        coordinators: 1,
        writes: 1,
        reads: 1,
        deaths: 1,
        leaves: 1,
        shutdowns: 1,
        failures: 1,
        resumes: 1,
        aborts: 1,
        removals: 1,
        gets: 0,
    };

    /// How many of these are faults; what an operator does is none.
    pub fn faults(&self) -> u8 {
        self.crashes
            + self.coordinators
            + self.writes
            + self.reads
            + self.deaths
            + self.leaves
            + self.shutdowns
            + self.failures
    }
}

/// One world to be looked through to its end.
#[derive(Debug, Clone)]
pub struct Shape {
    pub strategy: Strategy,
    pub at_once: usize,
    /// How many workers there are, and callbacks of each for each key.
    pub workers: usize,
    pub callbacks: usize,
    /// How many of the workers join after the first rotation may have been declared.
    pub late: usize,
    /// The key of each rotation, in the order in which they are declared.
    pub rotations: &'static [usize],
    /// Whether a step waits for its worker for a time only.
    pub waits: bool,
    /// Whether the key has versions, and a store that is written.
    pub versions: bool,
    /// How many faults there are at most, of all kinds together.
    pub faults: u8,
    /// How many of each kind there are at most.
    pub most: Counts,
}

impl Shape {
    pub fn config(&self) -> RotationConfig {
        RotationConfig {
            worker_wait: self.waits.then_some(Duration::from_secs(60)),
            max_crashes: 5,
            warn_after: None,
            max_callbacks: 8,
            instances_at_once: 64,
            reopen_every: Duration::from_secs(5),
        }
    }

    pub fn behaviour(&self) -> KeyBehaviour {
        KeyBehaviour {
            use_case: SecretKeyUseCase::RoundTrip,
            stateless: false,
            keep_in_cache: true,
            error_strategy: self.strategy,
            store_time_limit: Duration::from_secs(10),
            request_time_limit: Duration::from_secs(15),
            callback_time_limit: Duration::from_secs(30),
            workers_at_once: self.at_once,
            max_requests: 8,
            max_waiting_rotations: 8,
            versions: self.versions.then(VersionRules::default),
        }
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.rotations.iter().max().map_or(1, |key| key + 1)
    }

    /// The key and the name of a worker's callback, by its number in the order of registration.
    pub fn callback(&self, number: usize) -> (usize, usize) {
        (number / self.callbacks, number % self.callbacks)
    }

    /// How many callbacks a worker registers.
    pub fn registrations(&self) -> usize {
        self.keys() * self.callbacks
    }

    /// What is declared as a rotation. The fingerprints are left out: the model never declares
    /// one id twice.
    pub fn declaration(&self, rotation: usize) -> Declaration {
        let id = rid(rotation);
        Declaration {
            id,
            chosen: false,
            key: KEYS[self.rotations[rotation]].clone(),
            declared: Declared {
                old: None,
                new: self.versions.then(|| prints(rotation + 1)),
            },
            old: OldKeys::Given,
            new_unasked: false,
            old_keys: None,
            new_keys: Some(id.as_uuid().as_u128()),
            by: Default::default(),
            version: self.declared_version(rotation),
        }
    }

    /// How a callback ends that does its work: one re-encrypts, one stages a change of the key's
    /// state, the others say nothing of the data.
    pub fn done(&self, worker: usize, callback: usize) -> StepOutcome {
        StepOutcome::Done {
            effect: match (worker, callback) {
                (0, 0) => Effect::Reencrypted,
                _ => Effect::Nothing,
            },
            staged: self.stages(worker, callback),
        }
    }

    fn stages(&self, worker: usize, callback: usize) -> bool {
        (worker, callback) == (self.workers - 1, self.callbacks - 1)
    }

    /// Whether a step of this callback that succeeds changes the key's state.
    pub fn changes(&self, worker: usize, callback: usize) -> bool {
        (worker, callback) == (0, 0) || self.stages(worker, callback)
    }
}
