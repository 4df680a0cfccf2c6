//! Workloads played on the real thing: one manager, workers that have joined, tasks and threads
//! that ask at the same time, a store that changes. Several keys are played side by side.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use keyward::{KeysManagement, RotationId, SecretKeyDefinition, Worker};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::linearizability::callback;
use crate::linearizability::client::Client;
use crate::linearizability::history::{History, Recorder};
use crate::linearizability::place::Place;
use crate::linearizability::workload::{Random, WORKERS, Workload};
use crate::support::{LIMIT, within};

/// One workload that is being played.
pub struct Playing {
    /// What is played.
    pub workload: Workload,
    /// What is seen.
    pub recorder: Recorder,
    /// The name of its key.
    pub key: String,
    /// How often each callback was called.
    pub called: Vec<AtomicU64>,
    /// The number of the key that the store answers.
    pub answers: AtomicU64,
    /// The number of the key that a store answers next which answers another one each time.
    pub fresh: AtomicU64,
    /// Which rotations may be resumed.
    pub stopped: Mutex<Vec<RotationId>>,
    /// How long the store takes, and whether it fails.
    pub random: Mutex<Random>,
}

/// Plays workloads side by side; answers what was seen.
pub async fn play(place: &Place, workloads: Vec<Workload>) -> Vec<(Workload, History)> {
    let playing = workloads.into_iter().map(|workload| {
        Arc::new(Playing {
            key: format!("key {}", workload.seed),
            recorder: Recorder::default(),
            called: workload
                .callbacks
                .iter()
                .map(|_| AtomicU64::new(0))
                .collect(),
            answers: AtomicU64::new(0),
            fresh: AtomicU64::new(100),
            stopped: Mutex::default(),
            random: Mutex::new(Random::new(!workload.seed)),
            workload,
        })
    });
    let playing: Vec<Arc<Playing>> = playing.collect();
    let lives = playing.iter().map(|one| one.workload.lives.len()).max();
    let mut ended = Vec::new();
    for life in 0..lives.unwrap_or(0) {
        let living = playing.iter().filter(|one| one.workload.lives.len() > life);
        let living: Vec<_> = living.cloned().collect();
        ended = live(place, &living, life, &ended).await;
    }
    let seen = |one: Arc<Playing>| (one.workload.clone(), one.recorder.history().clone());
    playing.into_iter().map(seen).collect()
}

/// One life; `ended` is when the life before it was over, for each key that goes on. Answers the
/// same of this one.
async fn live(place: &Place, playing: &[Arc<Playing>], life: usize, ended: &[u64]) -> Vec<u64> {
    let manager = place.start().await;
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let worker = manager.join(&format!("w{number}")).await;
        workers.push(Arc::new(worker.expect("its name is free")));
    }
    let mut clients = Vec::new();
    for one in playing {
        define(one, &manager, &workers).await;
    }
    for (one, ended) in playing.iter().zip(ended) {
        let restart = one.recorder.since(*ended);
        one.recorder.history().restarts.push(restart);
    }
    for one in playing {
        let meeting = Arc::new(Barrier::new(one.workload.lives[life].len()));
        for (number, actions) in one.workload.lives[life].iter().enumerate() {
            let client = Client {
                playing: Arc::clone(one),
                meeting: Arc::clone(&meeting),
                manager: manager.clone(),
                worker: (number > 0).then(|| Arc::clone(&workers[number % WORKERS])),
                waiting: Vec::new(),
            };
            clients.push(client.start(actions.clone()));
        }
    }
    for client in clients {
        let Ok(ended) = timeout(LIMIT, client).await else {
            panic!("{}", what_hangs(&manager, playing).await);
        };
        ended.expect("a client does not panic");
    }
    let goes_on = playing
        .iter()
        .filter(|one| one.workload.lives.len() > life + 1);
    let ended = goes_on.map(|one| one.recorder.now()).collect();
    drop(workers);
    within(manager.shutdown()).await.expect("it ends once");
    ended
}

async fn what_hangs(manager: &KeysManagement, playing: &[Arc<Playing>]) -> String {
    let open = playing
        .iter()
        .map(|one| (one.workload.seed, one.recorder.open().clone()));
    let open: Vec<_> = open.filter(|(_, open)| !open.is_empty()).collect();
    let rotations = within(manager.rotations()).await;
    format!("something hangs, by seeds: {open:#?}\nthe rotations: {rotations:#?}")
}

async fn define(one: &Arc<Playing>, manager: &KeysManagement, workers: &[Arc<Worker>]) {
    let defined = manager.define_key(definition(one)).await;
    defined.expect("the definition is a good one");
    for (number, worker) in one.workload.callbacks.iter().enumerate() {
        let worker = &workers[*worker];
        let call = callback::callback(one, number, worker);
        let name = format!("c{number}");
        let registered = worker.register_on_change(&one.key, &name, call).await;
        registered.expect("its name is free");
    }
}

fn definition(one: &Arc<Playing>) -> SecretKeyDefinition {
    let behaviour = &one.workload.behaviour;
    let (name, use_case) = (one.key.clone(), behaviour.use_case);
    let store = Arc::clone(one);
    let definition = if one.workload.source.blocks {
        SecretKeyDefinition::new(name, use_case, move || store.fetch_blocking())
    } else {
        SecretKeyDefinition::new(name, use_case, move || {
            let store = Arc::clone(&store);
            async move { store.fetch().await }
        })
    };
    definition
        .stateless(behaviour.stateless)
        .keep_in_cache(behaviour.keep_in_cache)
        .error_strategy(behaviour.error_strategy)
        .workers_at_once(behaviour.workers_at_once)
}
