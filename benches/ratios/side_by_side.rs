//! Many keys that rotate side by side, beside as many threads of synced writes: RocksDB puts what
//! waits into one write to its log, and so does the journal.

use std::time::Instant;

use futures_util::future::try_join_all;
use keyward::{KeysManagement, SecretKeyDefinition, block_on};

use crate::Outcome;
use crate::disk::{self, Disk};
use crate::manager;
use crate::measure::{Bench, Fresh, Rounds, Target, a_second};

const STATUSES: &str = "64 keys side by side, statuses a second / synced writes of 64 threads";

/// What is measured here.
pub const ROWS: [&str; 1] = [STATUSES];

const KEYS: u32 = 64;
/// Steps of each key's rotation.
const STEPS: u32 = 50;
/// InProgress and Succeeded.
const STATUSES_A_STEP: u32 = 2;

/// Measures this row.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let (asker, steps) = (bench.asker(), bench.size(STEPS));
    let keys = manager::start(&bench.folder("side by side"))?;
    let workers = asker.block_on(define(&keys, steps))?;
    let bytes = disk::step_bytes(bench)?;
    let disk = Disk::open(&bench.folder("written side by side"), bytes)?;
    let fresh = Fresh::default();
    let statuses = steps * STATUSES_A_STEP;
    bench.compare(
        STATUSES,
        Target::AtLeast(2.0),
        Rounds::Usual,
        || {
            let (start, value) = (Instant::now(), fresh.value());
            let rotate = |no| {
                let (keys, value) = (&keys, value.clone());
                async move { manager::change(keys, &name(no), value, steps).await }
            };
            asker.block_on(try_join_all((0..KEYS).map(rotate)))?;
            Ok(a_second(KEYS * statuses, start))
        },
        || disk.writes_of_threads(KEYS, statuses),
    )?;
    bench.note(format!(
        "{STATUSES}: each step makes {STATUSES_A_STEP} statuses durable, one after the other, as a \
         thread of the floor makes its writes; {steps} steps a key"
    ));
    drop(workers);
    block_on(keys.shutdown())?;
    Ok(())
}

fn name(no: u32) -> String {
    format!("key-{no}")
}

/// Defines the keys, and workers with a callback for each of them.
async fn define(keys: &KeysManagement, steps: u32) -> Outcome<Vec<keyward::Worker>> {
    let define = |no| async move {
        let definition = SecretKeyDefinition::round_trip(name(no), || "a value");
        Ok(keys.define_key(definition).await?)
    };
    manager::each(0..KEYS, define).await?;
    let workers = manager::workers(keys, steps).await?;
    for no in 0..KEYS {
        manager::register(&workers, &name(no), 1, |_| async {}).await?;
    }
    Ok(workers)
}
