//! The workers of a workload: each client does one action after the other and keeps what it saw.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use keyward::key::event::Request;
use keyward::{
    Change, KeyAnswer, KeyError, KeysManagement, RotationError, RotationId, RotationReport,
    SecretKeyFlow, Worker,
};
use tokio::runtime::Handle;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;

use crate::linearizability::history::{Asked, Changed};
use crate::linearizability::operation::{Told, given, text};
use crate::linearizability::play::Playing;
use crate::linearizability::store::wait;
use crate::linearizability::workload::{Action, Pause};

/// A client that does one action after the other.
pub struct Client {
    /// What it belongs to.
    pub playing: Arc<Playing>,
    /// The manager, which it asks if it is no other worker.
    pub manager: KeysManagement,
    /// The worker that it is.
    pub worker: Option<Arc<Worker>>,
    /// Where all clients of its life meet.
    pub meeting: Arc<Barrier>,
    /// The task that waits on its behalf.
    pub waiting: Vec<JoinHandle<()>>,
}

impl Client {
    /// Lets it do these.
    pub fn start(mut self, actions: Vec<Action>) -> JoinHandle<()> {
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
            Action::Resume => self.resume().await,
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
                Request::Current { .. }
                | Request::Version { .. }
                | Request::Versions
                | Request::Candidates
                | Request::AskStore
                | Request::Save
                | Request::StageSave { .. } => saved(self.manager.save_state(key).await),
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
        let mut declared = Declared {
            accepted: None,
            names_old: old.is_some(),
            resumed: false,
        };
        let began = one.recorder.begin(&change);
        if waits {
            let report = self.manager.key_changed(change).await;
            one.changed(began, declared, report);
            return;
        }
        let id = self.manager.declare(change).await.expect("it is accepted");
        declared.accepted = Some(one.recorder.now());
        let manager = self.manager.clone();
        self.waiting.push(tokio::spawn(async move {
            let report = manager.wait(id).await;
            one.changed(began, declared, report);
        }));
    }

    async fn resume(&self) {
        let one = &self.playing;
        // The oldest one, so that later ones may have overtaken it.
        let id = {
            let mut stopped = one.stopped();
            match stopped.is_empty() {
                true => return,
                false => stopped.remove(0),
            }
        };
        let declared = Declared {
            accepted: None,
            names_old: true,
            resumed: true,
        };
        let began = one.recorder.begin(&"resume");
        match self.manager.resume(id).await {
            Ok(()) => one.changed(began, declared, self.manager.wait(id).await),
            // A later one has completed meanwhile.
            Err(RotationError::WrongState { .. }) => drop(one.recorder.since(began)),
            Err(error) => panic!("a rotation that stopped was not resumed: {error}"),
        }
    }
}

/// How a rotation came to run.
struct Declared {
    accepted: Option<u64>,
    names_old: bool,
    resumed: bool,
}

impl Playing {
    /// The rotations that may be resumed.
    fn stopped(&self) -> MutexGuard<'_, Vec<RotationId>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(
        &self,
        began: u64,
        declared: Declared,
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
            accepted: declared.accepted,
            rotation: report.id,
            sequence: report.sequence,
            state: report.state,
            names_old: declared.names_old,
            resumed: declared.resumed,
        });
        if report.failed().next().is_some() {
            self.stopped().push(report.id);
        }
    }
}

/// Asks, and keeps what was answered.
pub async fn ask(one: &Playing, asking: impl Future<Output = Told>, request: Request) {
    let began = one.recorder.begin(&request);
    let told = asking.await;
    let told = Some((one.recorder.since(began).ended, told));
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
        Request::Current { .. }
        | Request::Version { .. }
        | Request::Versions
        | Request::Candidates
        | Request::AskStore
        | Request::Save
        | Request::StageSave { .. } => saved(worker.save_state(key).await),
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
