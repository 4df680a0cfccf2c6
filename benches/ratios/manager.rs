//! Managers as a program has them, and filling them quickly.

use std::future::Future;
use std::path::Path;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use keyward::worker::callback::IntoCallback;
use keyward::{Change, KeysManagement, RotationReport, RotationState, Worker, block_on};

use crate::Outcome;

/// How many joins and registrations are under way at once: what waits goes into one batch.
const AT_ONCE: usize = 256;

/// The master key of every database here.
pub const MASTER_KEY: [u8; 32] = [9; 32];

/// A manager with every default, on RocksDB in this folder.
pub fn start(folder: &Path) -> Outcome<KeysManagement> {
    Ok(block_on(
        KeysManagement::builder()
            .data_folder(folder)
            .master_key(|| MASTER_KEY)
            .start(),
    )?)
}

/// Does something with each, many at once; answers what came of it, in order.
pub async fn each<I, T, F>(
    items: impl IntoIterator<Item = I>,
    work: impl FnMut(I) -> F,
) -> Outcome<Vec<T>>
where
    F: Future<Output = Outcome<T>>,
{
    let work = stream::iter(items).map(work);
    work.buffered(AT_ONCE).try_collect().await
}

/// So many workers.
pub async fn workers(keys: &KeysManagement, count: u32) -> Outcome<Vec<Worker>> {
    let join = |no| async move { Ok(keys.join(&format!("worker-{no}")).await?) };
    each(0..count, join).await
}

/// Registers so many callbacks of each of these workers.
pub async fn register<M>(
    workers: &[Worker],
    key: &str,
    callbacks: u32,
    call: impl IntoCallback<M> + Copy,
) -> Outcome<()> {
    let all = workers
        .iter()
        .flat_map(|worker| (0..callbacks).map(move |no| (worker, no)));
    each(all, |(worker, no)| register_one(worker, key, no, call))
        .await
        .map(drop)
}

async fn register_one<M>(
    worker: &Worker,
    key: &str,
    no: u32,
    call: impl IntoCallback<M>,
) -> Outcome<()> {
    let name = format!("callback-{no}");
    Ok(worker.register_on_change(key, &name, call).await?)
}

/// Takes a change through so many steps.
pub async fn change(keys: &KeysManagement, key: &str, value: String, steps: u32) -> Outcome<()> {
    let change = Change::of(key).new_keys(value);
    check(&keys.key_changed(change).await?, steps)
}

/// Whether a rotation ran as it should: what was not done took no time.
pub fn check(report: &RotationReport, steps: u32) -> Outcome<()> {
    if report.state == RotationState::Completed && report.steps.len() == steps as usize {
        return Ok(());
    }
    let ran = report.steps.len();
    Err(format!("{:?} after {ran} of {steps} steps", report.state).into())
}
