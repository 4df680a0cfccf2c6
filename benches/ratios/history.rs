//! What a year of history costs: a restart and a step with it, beside the same without.

use std::path::Path;
use std::time::Instant;

use keyward::{KeysManagement, SecretKeyDefinition, Worker, block_on};
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::manager;
use crate::measure::{Bench, Fresh, Rounds, Target, micros_each, number};
use crate::records::Filling;
use crate::restart::first_step;

const RESTART: &str = "restart after a year of history, ms / without it";
const STEP: &str = "a step after a year of history, µs / without it";

/// What is measured here.
pub const ROWS: [&str; 2] = [RESTART, STEP];

const KEYS: u32 = 100;
const A_YEAR: u32 = 24 * 365;
/// Of each unfinished rotation, one a key.
const STEPS: u32 = 10;
/// Of each ended one.
const STEPS_ENDED: u32 = 1;
/// Of the rotation that runs after the restart.
const STEPS_NOW: u32 = 100;
const ROUNDS: usize = 5;

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let asker = bench.asker();
    let each = number("KEYWARD_BENCH_HISTORY", bench.size(A_YEAR))?;
    let (with, without) = (bench.folder("a year"), bench.folder("without a year"));
    let start = Instant::now();
    for (folder, ended) in [(&with, each * KEYS), (&without, 0)] {
        let mut filling = Filling::new(folder)?;
        filling.roster(STEPS, KEYS)?;
        filling.ended(ended, KEYS, STEPS_ENDED)?;
        filling.unfinished(KEYS, KEYS, STEPS)?;
        filling.close()?;
    }
    bench.note(format!(
        "the history: {KEYS} keys, {each} rotations each (a year of one an hour is {A_YEAR}), \
         {STEPS_ENDED} step a rotation; written in {:.0?}",
        start.elapsed()
    ));
    bench.compare(
        RESTART,
        Target::AtMost(1.2),
        Rounds::AtMost(ROUNDS),
        || first_step(&asker, &with),
        || first_step(&asker, &without),
    )?;
    if bench.wants(STEP) {
        step(bench, &with, &without)?;
    }
    Ok(())
}

fn step(bench: &mut Bench, with: &Path, without: &Path) -> Outcome<()> {
    let (asker, steps) = (bench.asker(), bench.size(STEPS_NOW));
    let with = Ready::start(&asker, with, steps)?;
    let without = Ready::start(&asker, without, steps)?;
    bench.compare(
        STEP,
        Target::AtMost(1.2),
        Rounds::Usual,
        || with.step(&asker, steps),
        || without.step(&asker, steps),
    )?;
    with.end()?;
    without.end()
}

/// A manager with a key that nothing has happened to.
struct Ready {
    keys: KeysManagement,
    workers: Vec<Worker>,
    fresh: Fresh,
}

impl Ready {
    fn start(asker: &Runtime, folder: &Path, steps: u32) -> Outcome<Self> {
        let keys = manager::start(folder)?;
        let workers = asker.block_on(async {
            keys.define_key(SecretKeyDefinition::round_trip("new", || "a value"))
                .await?;
            let workers = manager::workers(&keys, steps).await?;
            manager::register(&workers, "new", 1, |_| async {}).await?;
            Outcome::Ok(workers)
        })?;
        let fresh = Fresh::default();
        Ok(Self {
            keys,
            workers,
            fresh,
        })
    }

    fn step(&self, asker: &Runtime, steps: u32) -> Outcome<f64> {
        let start = Instant::now();
        let change = manager::change(&self.keys, "new", self.fresh.value(), steps);
        asker.block_on(change)?;
        Ok(micros_each(start.elapsed(), steps))
    }

    fn end(self) -> Outcome<()> {
        block_on(self.keys.shutdown())?;
        drop(self.workers);
        Ok(())
    }
}
