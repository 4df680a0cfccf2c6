//! The callbacks of a workload: what each call of one does, and what is kept of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use keyward::key::state::Staged;
use keyward::{Effect, KeyChange, OnChangeKeyDefinition, Worker};

use crate::linearizability::client::{ask, asked_by, saved};
use crate::linearizability::history::Call;
use crate::linearizability::operation::halves;
use crate::linearizability::play::Playing;
use crate::linearizability::store::wait;

type Calling = Pin<Box<dyn Future<Output = Result<Effect, &'static str>> + Send>>;

/// The callback of this place in the workload.
pub fn callback(
    one: &Arc<Playing>,
    number: usize,
    worker: &Arc<Worker>,
) -> impl Fn(KeyChange) -> Calling + Send + Sync + 'static {
    let one = Arc::clone(one);
    // A callback must not keep its own worker from dying.
    let worker = Arc::downgrade(worker);
    move |change| {
        let (one, worker) = (Arc::clone(&one), Weak::clone(&worker));
        Box::pin(call(one, number, worker, change))
    }
}

async fn call(
    one: Arc<Playing>,
    number: usize,
    worker: Weak<Worker>,
    change: KeyChange,
) -> Result<Effect, &'static str> {
    let nth = one.called[number].fetch_add(1, Ordering::SeqCst);
    let deed = one.workload.deed(number, nth);
    let began = one.recorder.begin(&deed);
    wait(deed.pause).await;
    if let (Some(request), Some(worker)) = (deed.asks, worker.upgrade()) {
        let asking = asked_by(&worker, &one.key, request.clone());
        ask(&one, asking, request).await;
    }
    let handle = &change.key;
    for staged in &deed.staged {
        stage(handle, staged);
    }
    let mut save = None;
    if deed.saves {
        let began = one.recorder.begin(&"save of a callback");
        let told = saved(handle.save_state().await);
        save = Some((one.recorder.since(began), told));
    }
    let span = one.recorder.since(began);
    one.recorder.history().calls.push(Call {
        span,
        rotation: handle.rotation_id(),
        worker: handle.worker().to_owned(),
        old: change.old_keys.as_ref().map(halves),
        new: change.new_keys.as_ref().map(halves),
        flow: handle.last_flow().expect("the record can be read"),
        previous: previous(handle),
        staged: deed.staged,
        save,
        answer: deed.answer,
    });
    deed.answer
}

fn previous(handle: &OnChangeKeyDefinition) -> Option<(String, String)> {
    let previous = handle.previous_keys().expect("the record can be read");
    previous.as_ref().map(halves)
}

fn stage(handle: &OnChangeKeyDefinition, staged: &Staged) {
    let done = match staged {
        Staged::LastFlow(flow) => handle.set_last_flow(*flow),
        Staged::PreviousKeys(pair) => handle.set_previous_keys(pair.clone()),
        Staged::Clean => handle.clean_state(),
        Staged::Save { .. } => Ok(()),
    };
    done.expect("the handle takes it");
}
