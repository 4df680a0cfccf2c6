//! What a seed decides at once: keys, workers, callbacks, limits, and which faults there are.

use std::time::Duration;

use keyward::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::rotation::machine::RotationConfig;
use keyward::secret::value::{SecretKeyPair, SecretKeys};

use crate::simulation::chance::Chance;

const KEYS: [&str; 3] = ["k0", "k1", "k2"];
const WORKERS: [&str; 4] = ["w0", "w1", "w2", "w3"];
const CALLBACKS: [&str; 2] = ["a", "b"];

/// A worker's callback for a key, by their numbers: worker, key, callback.
pub type Named = (usize, usize, usize);

/// How often what goes wrong; 0 is never.
pub struct Faults {
    /// Milliseconds between crashes of the process, on average.
    pub crash_every: u64,
    /// Between shutdowns, each followed by a start.
    pub restart_every: u64,
    /// Between deaths of the coordinator's actor.
    pub coordinator_every: u64,
    /// Of a thousand calls that are to be made, before how many the worker's actor dies.
    pub uncalled: u64,
    /// Of a thousand writes.
    pub writes: u64,
    /// Of a thousand jobs of the journal, how many cannot read.
    pub reads: u64,
    /// Of a hundred reopenings and starts.
    pub reopenings: u64,
    /// Of a hundred jobs of the journal, how many take long.
    pub slow: u64,
    /// Of a hundred fetches.
    pub stores: u64,
    /// Of a hundred callbacks, how many fail.
    pub failing: u64,
    /// Of a hundred callbacks, how many pass their limit.
    pub stuck: u64,
    /// Of a thousand callbacks, how many kill the process.
    pub killers: u64,
    /// Of a thousand callbacks, of how many the end is lost.
    pub lost: u64,
    /// Of a hundred requests, how many are given up.
    pub dropped: u64,
    /// Of a hundred messages, how many take long.
    pub delayed: u64,
    /// Weight of a worker's death, leave or removal among what a program does.
    pub workers: u64,
    /// Whether the wall clock jumps.
    pub wall_clock: bool,
}

/// What a seed decides at once.
pub struct Plan {
    pub keys: Vec<KeyBehaviour>,
    pub workers: usize,
    pub callbacks: Vec<Named>,
    pub config: RotationConfig,
    pub faults: Faults,
    /// How many milliseconds go by with faults.
    pub span: u64,
    /// Milliseconds between what a program does, on average.
    pub pace: u64,
}

impl Plan {
    pub fn new(chance: &mut Chance) -> Self {
        let keys: Vec<KeyBehaviour> = (0..chance.between(1, 3))
            .map(|_| behaviour(chance))
            .collect();
        let workers = chance.index(3) + 2;
        let mut callbacks = Vec::new();
        for worker in 0..workers {
            for key in 0..keys.len() {
                for callback in 0..2 {
                    if chance.percent(if callback == 0 { 75 } else { 30 }) {
                        callbacks.push((worker, key, callback));
                    }
                }
            }
        }
        let wait = chance.pick(&[2, 5, 20, 60]);
        Self {
            keys,
            workers,
            callbacks,
            config: RotationConfig {
                worker_wait: (!chance.percent(15)).then(|| Duration::from_secs(wait)),
                max_crashes: chance.pick(&[2, 3, 5]),
                warn_after: None,
                max_callbacks: 64,
                instances_at_once: 64,
                reopen_every: Duration::from_millis(chance.pick(&[50, 1000, 5000])),
            },
            faults: faults(chance),
            span: chance.between(4_000, 24_000),
            pace: chance.pick(&[150, 300, 600]),
        }
    }
}

/// Not every fault in every seed: one that happens often would hide what the others do.
fn faults(chance: &mut Chance) -> Faults {
    let mut sometimes = |rates: &[u64]| {
        if chance.percent(45) {
            0
        } else {
            chance.pick(rates)
        }
    };
    Faults {
        crash_every: sometimes(&[3_000, 10_000, 30_000]),
        restart_every: sometimes(&[10_000, 30_000]),
        coordinator_every: sometimes(&[1_000, 5_000, 20_000]),
        uncalled: sometimes(&[10, 50]),
        writes: sometimes(&[10, 50, 150]),
        reads: sometimes(&[5, 20, 100]),
        reopenings: sometimes(&[20, 60, 90]),
        slow: sometimes(&[2, 10, 50]),
        stores: sometimes(&[5, 20, 50]),
        failing: sometimes(&[5, 20]),
        stuck: sometimes(&[3, 10]),
        killers: sometimes(&[20, 100]),
        lost: 0,
        dropped: sometimes(&[5, 20]),
        delayed: sometimes(&[5, 20, 60]),
        workers: sometimes(&[1, 3, 8]),
        wall_clock: sometimes(&[1]) == 1,
    }
}

fn behaviour(chance: &mut Chance) -> KeyBehaviour {
    let one_way = chance.percent(10);
    KeyBehaviour {
        use_case: if one_way {
            SecretKeyUseCase::OneWayTrip
        } else {
            SecretKeyUseCase::RoundTrip
        },
        stateless: chance.percent(25),
        keep_in_cache: chance.percent(65),
        error_strategy: chance.pick(&OnKeyChangedCallbackErrorStrategy::ALL),
        store_time_limit: Duration::from_secs(chance.pick(&[1, 10])),
        request_time_limit: Duration::from_secs(chance.pick(&[2, 15])),
        callback_time_limit: Duration::from_secs(chance.pick(&[1, 5, 30])),
        workers_at_once: chance.pick(&[1, 1, 2, 4]),
        max_requests: 64,
        max_waiting_rotations: chance.pick(&[2, 64]),
        versions: None,
    }
}

pub fn key_name(key: usize) -> KeyName {
    KeyName::new(KEYS[key]).expect("a name")
}

pub fn worker_name(worker: usize) -> WorkerName {
    WorkerName::new(WORKERS[worker]).expect("a name")
}

pub fn callback_name(callback: usize) -> CallbackName {
    CallbackName::new(CALLBACKS[callback]).expect("a name")
}

pub fn key_number(name: &KeyName) -> usize {
    let found = KEYS.iter().position(|key| *key == name.as_str());
    found.expect("one of the keys")
}

pub fn worker_number(name: &WorkerName) -> usize {
    let found = WORKERS.iter().position(|worker| *worker == name.as_str());
    found.expect("one of the workers")
}

pub fn callback_number(name: &CallbackName) -> usize {
    let found = CALLBACKS.iter().position(|name_| *name_ == name.as_str());
    found.expect("one of the callbacks")
}

/// The keys of a version, as a store gives them.
pub fn keys_of(behaviour: &KeyBehaviour, version: u64) -> SecretKeys {
    match behaviour.use_case {
        SecretKeyUseCase::RoundTrip => pair_of(behaviour, version).into(),
        _ => SecretKeys::from(format!("v{version}")),
    }
}

/// The same as a pair.
pub fn pair_of(behaviour: &KeyBehaviour, version: u64) -> SecretKeyPair {
    match behaviour.use_case {
        SecretKeyUseCase::RoundTrip => {
            SecretKeyPair::new(format!("e{version}"), format!("d{version}"))
        }
        _ => SecretKeyPair::of(format!("v{version}")),
    }
}

/// The version of a value.
pub fn version_of(value: &[u8]) -> u64 {
    let digits = value.get(1..).unwrap_or_default();
    let text = std::str::from_utf8(digits).expect("a value of the simulated store");
    text.parse().expect("a value of the simulated store")
}

/// Stands for the fingerprints of a version's keys.
pub fn prints_of(version: u64) -> [[u8; 32]; 2] {
    let mut print = [0; 32];
    print[..8].copy_from_slice(&version.to_le_bytes());
    [print; 2]
}
