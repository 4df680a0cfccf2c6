//! Workloads played on the real thing: one manager, workers that have joined, tasks and threads
//! that ask at the same time, a store that changes. Several keys are played side by side.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyward::key::event::Request;
use keyward::{
    Change, KeyAnswer, KeyError, KeysManagement, RotationError, RotationReport,
    SecretKeyDefinition, SecretKeyFlow, SecretKeys, Worker,
};
use tokio::runtime::Handle;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use crate::callback;
use crate::history::{Asked, Changed, Fetch, History, Recorder};
use crate::place::Place;
use crate::spec::{Told, given, text};
use crate::support::within;
use crate::workload::{Action, Pause, Random, WORKERS, Workload, pause};

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
    answers: AtomicU64,
    fresh: AtomicU64,
    random: Mutex<Random>,
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
        within(client).await.expect("a client does not panic");
    }
    let goes_on = playing
        .iter()
        .filter(|one| one.workload.lives.len() > life + 1);
    let ended = goes_on.map(|one| one.recorder.now()).collect();
    drop(workers);
    within(manager.shutdown()).await.expect("it ends once");
    ended
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

impl Playing {
    async fn fetch(&self) -> Result<SecretKeys, &'static str> {
        let (before, after, fails) = self.draw_fetch();
        let began = self.recorder.now();
        wait(before).await;
        let answered = self.answer(fails);
        wait(after).await;
        self.fetched(began, answered)
    }

    fn fetch_blocking(&self) -> Result<SecretKeys, &'static str> {
        let (before, after, fails) = self.draw_fetch();
        let began = self.recorder.now();
        block(before);
        let answered = self.answer(fails);
        block(after);
        self.fetched(began, answered)
    }

    fn draw_fetch(&self) -> (Pause, Pause, bool) {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = random.chance(self.workload.source.fails);
        (pause(&mut random), pause(&mut random), fails)
    }

    /// The number of the key that the store answers now.
    fn answer(&self, fails: bool) -> Option<u64> {
        match (fails, self.workload.source.is_fresh) {
            (true, _) => None,
            (false, true) => Some(self.fresh.fetch_add(1, Ordering::SeqCst)),
            (false, false) => Some(self.answers.load(Ordering::SeqCst)),
        }
    }

    fn fetched(&self, began: u64, answered: Option<u64>) -> Result<SecretKeys, &'static str> {
        let answer = answered.map(|number| self.workload.key(number));
        let keys = answer.as_ref().map(given).ok_or("down");
        let span = self.recorder.since(began);
        self.recorder.history().fetches.push(Fetch { span, answer });
        keys
    }
}

/// Who does one action after the other.
struct Client {
    playing: Arc<Playing>,
    manager: KeysManagement,
    worker: Option<Arc<Worker>>,
    meeting: Arc<Barrier>,
    waiting: Vec<JoinHandle<()>>,
}

impl Client {
    fn start(mut self, actions: Vec<Action>) -> JoinHandle<()> {
        let threads = self.playing.workload.threads;
        let client = async move {
            for action in actions {
                self.act(action).await;
            }
            for waiting in self.waiting {
                waiting.await.expect("a waiter does not panic");
            }
        };
        if threads {
            let runtime = Handle::current();
            return tokio::task::spawn_blocking(move || runtime.block_on(client));
        }
        tokio::spawn(client)
    }

    async fn act(&mut self, action: Action) {
        let one = &self.playing;
        match action {
            Action::Ask(request) => {
                let worker = self.worker.as_deref();
                ask(one, self.asking(worker, request.clone()), request).await;
            }
            Action::Abandon(request, turns) => self.abandon(request, turns).await,
            Action::Change { old, new, waits } => {
                self.change(old, new, waits).await;
            }
            Action::SetStore(number) => one.answers.store(number, Ordering::SeqCst),
            Action::Pause(pause) => wait(pause).await,
            Action::Meet => {
                self.meeting.wait().await;
            }
        }
    }

    async fn asking(&self, worker: Option<&Worker>, request: Request) -> Told {
        let key = &self.playing.key;
        match worker {
            Some(worker) => asked_by(worker, key, request).await,
            None => match request {
                Request::Get { flow: None } => told(self.manager.get_key(key).await),
                Request::Get { flow: Some(flow) } => told(self.manager.get_key_on(key, flow).await),
                Request::Save | Request::StageSave { .. } => {
                    saved(self.manager.save_state(key).await)
                }
            },
        }
    }

    async fn abandon(&self, request: Request, turns: u64) {
        let one = &self.playing;
        let began = one.recorder.now();
        let answer = self.asking(self.worker.as_deref(), request.clone());
        let told = tokio::select! {
            biased;
            told = answer => Some((one.recorder.now(), told)),
            () = wait(Pause::Turns(turns)) => None,
        };
        one.recorder.history().asked.push(Asked {
            began,
            told,
            request,
        });
    }

    async fn change(&mut self, old: Option<u64>, new: Option<u64>, waits: bool) {
        let one = Arc::clone(&self.playing);
        let mut change = Change::of(&one.key);
        if let Some(old) = old {
            change = change.old(given(&one.workload.key(old)));
        }
        if let Some(new) = new {
            change = change.new_keys(given(&one.workload.key(new)));
        }
        let names_old = old.is_some();
        let began = one.recorder.now();
        if waits {
            let report = self.manager.key_changed(change).await;
            one.changed(began, None, names_old, report);
            return;
        }
        let id = self.manager.declare(change).await.expect("it is accepted");
        let accepted = Some(one.recorder.now());
        let manager = self.manager.clone();
        self.waiting.push(tokio::spawn(async move {
            let report = manager.wait(id).await;
            one.changed(began, accepted, names_old, report);
        }));
    }
}

impl Playing {
    fn changed(
        &self,
        began: u64,
        accepted: Option<u64>,
        names_old: bool,
        report: Result<RotationReport, RotationError>,
    ) {
        let span = self.recorder.since(began);
        let report = match report {
            Ok(report) => report,
            Err(RotationError::Raised { report }) => *report,
            Err(error) => panic!("a change had no report: {error}"),
        };
        self.recorder.history().changes.push(Changed {
            span,
            accepted,
            rotation: report.id,
            sequence: report.sequence,
            state: report.state,
            names_old,
        });
    }
}

/// Asks, and keeps what was answered.
pub async fn ask(one: &Playing, asking: impl Future<Output = Told>, request: Request) {
    let began = one.recorder.now();
    let told = asking.await;
    let told = Some((one.recorder.now(), told));
    one.recorder.history().asked.push(Asked {
        began,
        told,
        request,
    });
}

/// What a worker is told.
pub async fn asked_by(worker: &Worker, key: &str, request: Request) -> Told {
    match request {
        Request::Get { flow: None } => told(worker.get_key(key).await),
        Request::Get {
            flow: Some(SecretKeyFlow::ForwardPath),
        } => told(worker.get_forward_path_key(key).await),
        Request::Get {
            flow: Some(SecretKeyFlow::BackPath),
        } => told(worker.get_back_path_key(key).await),
        Request::Get { flow: Some(flow) } => told(worker.get_key_on(key, flow).await),
        Request::Save | Request::StageSave { .. } => saved(worker.save_state(key).await),
    }
}

fn told(answer: Result<KeyAnswer, KeyError>) -> Told {
    match answer {
        Ok(answer) => Told::Key(text(&answer.value), answer.flow),
        Err(error) => Told::Error(error.code()),
    }
}

/// What a save told.
pub fn saved(answer: Result<(), KeyError>) -> Told {
    match answer {
        Ok(()) => Told::Saved,
        Err(error) => Told::Error(error.code()),
    }
}

/// Lets others go first.
pub async fn wait(pause: Pause) {
    match pause {
        Pause::Turns(turns) => {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        }
        Pause::Micros(micros) => tokio::time::sleep(Duration::from_micros(micros)).await,
    }
}

fn block(pause: Pause) {
    match pause {
        Pause::Turns(turns) => {
            for _ in 0..turns {
                std::thread::yield_now();
            }
        }
        Pause::Micros(micros) => std::thread::sleep(Duration::from_micros(micros)),
    }
}
