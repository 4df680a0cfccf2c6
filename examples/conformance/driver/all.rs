//! Many scenarios side by side, their results in the order of the file.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;

use keyward::StateRepo;
use keyward::repo::folder::FolderOptions;
use keyward::repo::rocks::RocksDbRepo;

use super::life::PANIC;
use super::namespace::Namespace;
use super::replay::{Seen, replay};
use super::scenario::{Read, Scenario};

/// How long one scenario may take. It is far more than any takes, and less than for ever.
const SCENARIO_LIMIT: Duration = Duration::from_secs(100);
/// How long nothing at all may come to an end.
const STANDSTILL_LIMIT: Duration = Duration::from_secs(130);
/// Scenarios mostly wait, for the disk and for threads: this many for each processor.
const SIDE_BY_SIDE: usize = 4;

/// Is told a scenario, or its name if it was not understood, and what was seen of it, or why it could
/// not be replayed.
pub type Tell<'a> = &'a mut dyn FnMut(Result<&Scenario, &str>, Result<Seen, String>);

type Replayed = (usize, Result<Seen, String>);

/// Replays scenarios on one database in a temporary folder, several at once, and tells what was
/// seen of each, in their order.
///
/// # Errors
/// The database cannot be made, or nothing goes on any more.
pub fn replay_all(scenarios: Vec<Read>, tell: Tell<'_>) -> Result<(), String> {
    keep_scenario_panics_quiet();
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let options = FolderOptions::new(folder.path().join("data"));
    let repo = RocksDbRepo::open(&options).map_err(|error| error.to_string())?;
    let repo = Arc::new(repo);
    let scenarios = Arc::new(scenarios);
    let replayed = start(&scenarios, &repo)?;
    collect(&scenarios, &replayed, tell)?;
    repo.close().map_err(|error| error.to_string())?;
    folder
        .close()
        .map_err(|error| format!("the temporary folder stays: {error}"))
}

fn start(
    scenarios: &Arc<Vec<Read>>,
    repo: &Arc<RocksDbRepo>,
) -> Result<Receiver<Replayed>, String> {
    let (told, replayed) = mpsc::channel();
    let next = Arc::new(AtomicUsize::new(0));
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    for _ in 0..(processors * SIDE_BY_SIDE).min(scenarios.len()) {
        let (scenarios, repo) = (Arc::clone(scenarios), Arc::clone(repo));
        let (next, told) = (Arc::clone(&next), told.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let name = thread::Builder::new().name("scenario".to_owned());
        let spawned =
            name.spawn(move || runtime.block_on(take_turns(&scenarios, &repo, &next, &told)));
        spawned.map_err(|error| format!("no thread: {error}"))?;
    }
    Ok(replayed)
}

async fn take_turns(
    scenarios: &[Read],
    repo: &Arc<RocksDbRepo>,
    next: &AtomicUsize,
    told: &Sender<Replayed>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let replayed = match scenarios.get(index) {
            None => return,
            Some(Err((_, why))) => Err(why.clone()),
            Some(Ok(scenario)) => within_limit(scenario.clone(), repo, index as u64).await,
        };
        if told.send((index, replayed)).is_err() {
            return;
        }
    }
}

async fn within_limit(
    scenario: Scenario,
    repo: &Arc<RocksDbRepo>,
    number: u64,
) -> Result<Seen, String> {
    let namespace = Namespace::new(Arc::clone(repo), number);
    let replayed = tokio::time::timeout(SCENARIO_LIMIT, replay(scenario, namespace)).await;
    replayed.unwrap_or_else(|_| Err(format!("no end within {SCENARIO_LIMIT:?}")))
}

fn collect(
    scenarios: &[Read],
    replayed: &Receiver<Replayed>,
    tell: Tell<'_>,
) -> Result<(), String> {
    let mut early = BTreeMap::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let scenario = scenario.as_ref().map_err(|(name, _)| name.as_str());
        let name = scenario.map_or_else(|name| name, |scenario| &scenario.name);
        let result = loop {
            if let Some(result) = early.remove(&index) {
                break result;
            }
            let (other, result) = replayed
                .recv_timeout(STANDSTILL_LIMIT)
                .map_err(|_| format!("nothing goes on any more; waiting for scenario {name}"))?;
            early.insert(other, result);
        };
        tell(scenario, result);
    }
    Ok(())
}

/// Scenarios panic on purpose, by the thousand; other panics are still shown.
fn keep_scenario_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&PANIC) {
                shown(info);
            }
        }));
    });
}
