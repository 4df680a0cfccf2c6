//! What operators do about rotations, workers and callbacks, and what they are told.

mod acts;
mod listing;
mod rotations;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyward::rotation::report::WaitsFor;
use keyward::worker::callback::KeyChange;
use keyward::{Change, Effect, KeysManagement, MemoryRepo, RotationId, RotationReport, Worker};

use crate::support::{SHORT, Story, builder, until};

/// A callback that fails until it is mended, and tells that it was called.
#[derive(Clone, Default)]
struct Mendable {
    mended: Arc<AtomicBool>,
    story: Story,
}

impl Mendable {
    fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }

    async fn register(&self, worker: &Worker, callback: &str, fails: bool, effect: Effect) {
        let (of_this, told) = (self.clone(), format!("{}/{callback}", worker.name()));
        let call = move |change: KeyChange| {
            of_this
                .story
                .tell(format!("{told} {}", change.key.attempt()));
            let well = !fails || of_this.mended.load(Ordering::SeqCst);
            if well { Ok(effect) } else { Err("not yet") }
        };
        worker
            .register_on_change("documents", callback, call)
            .await
            .expect("it registers");
    }
}

fn change(old: &str, new: &str) -> Change {
    Change::of("documents").old(old).new_keys(new)
}

async fn report(manager: &KeysManagement, id: RotationId) -> RotationReport {
    let status = manager.status().await.expect("a status");
    let found = status.rotations.into_iter().find(|report| report.id == id);
    found.expect("it has not ended")
}

async fn waits_for(manager: &KeysManagement, id: RotationId, wanted: &WaitsFor) {
    until("it waits for that", async || {
        report(manager, id).await.waits_for.contains(wanted)
    })
    .await;
}

fn is_worker(waits: &[WaitsFor], name: &str) -> bool {
    matches!(waits, [WaitsFor::Worker { worker, .. }] if worker.as_str() == name)
}

async fn quick() -> KeysManagement {
    let started = builder()
        .state_repo(MemoryRepo::new())
        .worker_wait(Some(SHORT))
        .start()
        .await;
    started.expect("it starts")
}

async fn patient(repo: &MemoryRepo) -> KeysManagement {
    let started = builder()
        .state_repo(repo.clone())
        .worker_wait(None)
        .start()
        .await;
    started.expect("it starts")
}
