//! What keys and workers cost that do nothing: resident memory, threads, and the time of a start. A
//! process of its own is measured, for memory that was freed stays resident.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use keyward::{SecretKeyDefinition, block_on};
use serde_json::{Value, json};

use crate::Outcome;
use crate::manager;
use crate::measure::{Bench, Target};

const KEY: &str = "100,000 idle keys, bytes a key / 4 KiB";
const WORKER: &str = "1,000 idle workers, bytes a worker / 4 KiB";
const START: &str = "start of 100,000 keys and 1,000 workers, s / 2 s";
const THREADS: &str = "threads with 100,000 keys and 1,000 workers / with none";

/// What is measured here.
pub const ROWS: [&str; 4] = [KEY, WORKER, START, THREADS];

/// The variable that gives the child the folder of its database, and the sizes.
pub const CHILD: &str = "KEYWARD_BENCH_IDLE_CHILD";
const SIZES: &str = "KEYWARD_BENCH_IDLE_SIZES";

const KEYS: u32 = 100_000;
const WORKERS: u32 = 1_000;
const ROUNDS: usize = 3;
const BYTES: f64 = 4096.0;
const SECONDS: f64 = 2.0;

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let folder = bench.folder("idle");
    let sizes = [bench.size(KEYS), bench.size(WORKERS)];
    // The first life puts the workers on the roster.
    let lives: Vec<Value> = (0..=bench.rounds.min(ROUNDS))
        .map(|_| live(&folder, sizes))
        .collect::<Outcome<_>>()?;
    let figures = |name: &str, floor: &dyn Fn(&Value) -> f64| {
        let figure = |life: &Value| life.get(name).and_then(Value::as_f64);
        let pair = |life: &Value| figure(life).map(|figure| (figure, floor(life)));
        let pairs = lives.iter().skip(1).filter_map(pair);
        pairs.collect::<Vec<_>>()
    };
    let before = |life: &Value| life.get("threads before").and_then(Value::as_f64);
    let rows = [
        (KEY, figures("key", &|_| BYTES)),
        (WORKER, figures("worker", &|_| BYTES)),
        (START, figures("start", &|_| SECONDS)),
        (
            THREADS,
            figures("threads", &|life| before(life).unwrap_or(f64::NAN)),
        ),
    ];
    for (row, pairs) in rows {
        bench.record(row, Target::AtMost(1.0), &pairs);
    }
    Ok(())
}

fn live(folder: &Path, [keys, workers]: [u32; 2]) -> Outcome<Value> {
    let child = Command::new(std::env::current_exe()?)
        .env(CHILD, folder)
        .env(SIZES, format!("{keys},{workers}"))
        .stderr(Stdio::inherit())
        .output()?;
    if !child.status.success() {
        return Err(format!("the child ended with {}", child.status).into());
    }
    Ok(serde_json::from_slice(&child.stdout)?)
}

/// The child: starts a manager with keys and workers, and prints what that cost.
pub fn child(folder: &Path) -> Outcome<()> {
    let sizes = std::env::var(SIZES)?;
    let (count, members) = sizes.split_once(',').ok_or("two sizes are needed")?;
    let (count, members): (u32, u32) = (count.parse()?, members.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let start = Instant::now();
    let keys = manager::start(folder)?;
    let started = start.elapsed();
    let before = status("VmRSS:")?;
    let threads_before = status("Threads:")?;
    let start = Instant::now();
    let define = |no| {
        let definition = SecretKeyDefinition::round_trip(format!("key-{no}"), || "a value");
        let keys = &keys;
        async move { Ok(keys.define_key(definition).await?) }
    };
    runtime.block_on(manager::each(0..count, define))?;
    let defined = start.elapsed();
    let with_keys = status("VmRSS:")?;
    let start = Instant::now();
    let workers = runtime.block_on(manager::workers(&keys, members))?;
    let joined = start.elapsed();
    let with_workers = status("VmRSS:")?;
    let threads = status("Threads:")?;
    eprintln!("opened in {started:.0?}, keys in {defined:.0?}, workers in {joined:.0?}");
    let took = started + defined + joined;
    let found = json!({
        "key": (with_keys - before) * 1024.0 / f64::from(count),
        "worker": (with_workers - with_keys) * 1024.0 / f64::from(members),
        "start": took.as_secs_f64(),
        "threads": threads,
        "threads before": threads_before,
    });
    println!("{found}");
    block_on(keys.shutdown())?;
    drop(workers);
    Ok(())
}

/// A number that the kernel tells of this process.
fn status(name: &str) -> Outcome<f64> {
    let all = std::fs::read_to_string("/proc/self/status")?;
    let line = all.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    Ok(number.ok_or("the kernel does not tell it")?.parse()?)
}
