//! What accepting a rotation and each of its steps cost, for plans of four sizes a factor of four
//! apart.

use std::time::Instant;

use keyward::{Change, KeysManagement, SecretKeyDefinition, Worker, block_on};

use crate::Outcome;
use crate::manager;
use crate::measure::{Bench, Fresh, Target, micros_each};

const STEP: [&str; 3] = [
    "a step in a plan of 625, µs / in one of 160",
    "a step in a plan of 2,500, µs / in one of 160",
    "a step in a plan of 10,000, µs / in one of 160",
];
const ACCEPT: &str = "accept a plan of 10,000, µs a step / one of 160";

/// What is measured here.
pub const ROWS: [&str; 4] = [STEP[0], STEP[1], STEP[2], ACCEPT];

const WORKERS: [u32; 4] = [16, 63, 250, 1_000];
const CALLBACKS: u32 = 10;
const ROUNDS: usize = 3;

/// The most by which a cost may differ that does not grow, on a machine that is not quiet.
const DOES_NOT_GROW: Target = Target::AtMost(1.2);

/// What one rotation cost, in microseconds for each step of its plan.
#[derive(Debug, Clone, Copy)]
struct Costs {
    accept: f64,
    step: f64,
}

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let asker = bench.asker();
    let sizes = WORKERS.map(|workers| bench.size(workers));
    let keys = manager::start(&bench.folder("plans"))?;
    let workers = asker.block_on(define(&keys, &sizes))?;
    let fresh = Fresh::default();
    let mut rounds = Vec::new();
    for round in 0..=bench.rounds.min(ROUNDS) {
        let mut costs = Vec::new();
        for (no, size) in sizes.iter().enumerate() {
            let key = name(no);
            let rotation = rotate(&keys, &key, fresh.value(), size * CALLBACKS);
            costs.push(asker.block_on(rotation)?);
        }
        eprintln!("plans, round {round}: {costs:?}");
        rounds.push(costs);
    }
    rounds.remove(0);
    drop(workers);
    block_on(keys.shutdown())?;
    let pairs = |at: usize, of: fn(&Costs) -> f64| {
        let pair = |costs: &Vec<Costs>| Some((of(costs.get(at)?), of(costs.first()?)));
        rounds.iter().filter_map(pair).collect::<Vec<_>>()
    };
    for (at, row) in (1..).zip(STEP) {
        bench.record(row, DOES_NOT_GROW, &pairs(at, |costs| costs.step));
    }
    bench.record(ACCEPT, DOES_NOT_GROW, &pairs(3, |costs| costs.accept));
    Ok(())
}

fn name(no: usize) -> String {
    format!("plan-{no}")
}

/// A key for each size, and so many of the same workers with callbacks for it.
async fn define(keys: &KeysManagement, sizes: &[u32]) -> Outcome<Vec<Worker>> {
    let most = sizes.iter().max().copied().unwrap_or_default();
    let workers = manager::workers(keys, most).await?;
    for (no, size) in sizes.iter().enumerate() {
        let key = name(no);
        keys.define_key(SecretKeyDefinition::round_trip(key.as_str(), || "a value"))
            .await?;
        let some = workers.get(..*size as usize).unwrap_or(&workers);
        manager::register(some, &key, CALLBACKS, |_| async {}).await?;
    }
    Ok(workers)
}

async fn rotate(keys: &KeysManagement, key: &str, value: String, steps: u32) -> Outcome<Costs> {
    let start = Instant::now();
    let id = keys.declare(Change::of(key).new_keys(value)).await?;
    let accepted = start.elapsed();
    manager::check(&keys.wait(id).await?, steps)?;
    Ok(Costs {
        accept: micros_each(accepted, steps),
        step: micros_each(start.elapsed() - accepted, steps),
    })
}
