//! Rotations of one key through many workers: one after the other beside synced writes, and several
//! at once beside what they would take if nothing but their own work took time.

use std::time::{Duration, Instant};

use keyward::{KeysManagement, SecretKeyDefinition, Worker, block_on};

use crate::Outcome;
use crate::disk::{self, Disk};
use crate::manager;
use crate::measure::{Bench, Fresh, Rounds, Target, millis};

const IN_TURN: &str = "rotation, 1,000 workers in turn, ms / 1,000 synced writes";
const ONE: &str = "100 workers of 20 ms, N = 1, ms / ideal";
const SIXTEEN: &str = "1,000 workers of 20 ms, N = 16, ms / ideal";
const MANY: &str = "1,000 workers of 20 ms, N = 64, ms / ideal";

/// What is measured here.
pub const ROWS: [&str; 4] = [IN_TURN, ONE, SIXTEEN, MANY];

const WORKERS: u32 = 1_000;
/// One after the other they take so long that fewer have to do.
const WORKERS_ONE_BY_ONE: u32 = 100;
const WORK: Duration = Duration::from_millis(20);

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let count = bench.size(WORKERS);
    let asker = bench.asker();
    let keys = manager::start(&bench.folder("rotations"))?;
    let workers = asker.block_on(manager::workers(&keys, count))?;
    if bench.wants(IN_TURN) {
        in_turn(bench, &keys, &workers)?;
    }
    at_once(bench, ONE, &keys, &workers, 1)?;
    at_once(bench, SIXTEEN, &keys, &workers, 16)?;
    at_once(bench, MANY, &keys, &workers, 64)?;
    block_on(keys.shutdown())?;
    Ok(())
}

fn in_turn(bench: &mut Bench, keys: &KeysManagement, workers: &[Worker]) -> Outcome<()> {
    let (asker, steps) = (bench.asker(), bench.size(WORKERS));
    let key = "in turn";
    asker.block_on(async {
        keys.define_key(SecretKeyDefinition::round_trip(key, || "a value"))
            .await?;
        manager::register(workers, key, 1, |_| async {}).await
    })?;
    let bytes = disk::step_bytes(bench)?;
    let disk = Disk::open(&bench.folder("written in turn"), bytes)?;
    let fresh = Fresh::default();
    bench.compare(
        IN_TURN,
        Target::AtMost(1.3),
        Rounds::Usual,
        || {
            let start = Instant::now();
            asker.block_on(manager::change(keys, key, fresh.value(), steps))?;
            Ok(millis(start.elapsed()))
        },
        || disk.writes(steps).map(millis),
    )
}

fn at_once(
    bench: &mut Bench,
    row: &str,
    keys: &KeysManagement,
    workers: &[Worker],
    at_once: u32,
) -> Outcome<()> {
    if !bench.wants(row) {
        return Ok(());
    }
    let all = if at_once == 1 {
        WORKERS_ONE_BY_ONE
    } else {
        WORKERS
    };
    let (asker, steps) = (bench.asker(), bench.size(all));
    let key = format!("{at_once} at once");
    let definition = SecretKeyDefinition::round_trip(key.as_str(), || "a value");
    let definition = definition.workers_at_once(at_once as usize);
    let workers = workers.get(..steps as usize).unwrap_or(workers);
    asker.block_on(async {
        keys.define_key(definition).await?;
        manager::register(workers, &key, 1, |_| std::thread::sleep(WORK)).await
    })?;
    let fresh = Fresh::default();
    // Blocking, because tokio's timer takes a millisecond more than it is asked for.
    let ideal = WORK * steps.div_ceil(at_once);
    bench.compare(
        row,
        Target::AtMost(1.1),
        Rounds::AtMost(3),
        || {
            let start = Instant::now();
            asker.block_on(manager::change(keys, &key, fresh.value(), steps))?;
            Ok(millis(start.elapsed()))
        },
        || Ok(millis(ideal)),
    )
}
