//! Restarts: from the start of a manager until the first step of a rotation that an earlier life left
//! is sent to its worker.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use keyward::{KeysManagement, SecretKeyDefinition, block_on};
use tokio::runtime::Runtime;

use crate::Outcome;
use crate::manager;
use crate::measure::{Bench, Rounds, Target, millis};
use crate::records::{self, CALLBACK, Filling};

const UNFINISHED: &str =
    "restart, 10,000 unfinished rotations of 10 steps, ms / open, scan, AEAD, decode";

/// What is measured here.
pub const ROWS: [&str; 1] = [UNFINISHED];

const ROTATIONS: u32 = 10_000;
const KEYS: u32 = 200;
const STEPS: u32 = 10;
/// How long the first step may take, for all that a bench waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measures this row.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let (asker, rotations) = (bench.asker(), bench.size(ROTATIONS));
    let (folder, bare) = (bench.folder("unfinished"), bench.folder("bare unfinished"));
    let mut filling = Filling::new(&folder)?;
    filling.roster(STEPS, KEYS)?;
    filling.unfinished(rotations, KEYS, STEPS)?;
    filling.close()?;
    records::fill_bare(&bare, rotations, STEPS)?;
    bench.compare(
        UNFINISHED,
        Target::AtMost(2.0),
        Rounds::Usual,
        || first_step(&asker, &folder),
        || {
            let start = Instant::now();
            records::read_bare(&bare)?;
            Ok(millis(start.elapsed()))
        },
    )
}

/// Milliseconds from the start until the first step is sent. The step is left to the next life.
pub fn first_step(asker: &Runtime, folder: &Path) -> Outcome<f64> {
    let (sent, first) = mpsc::channel();
    let start = Instant::now();
    let keys = manager::start(folder)?;
    let worker = asker.block_on(async {
        let definition = SecretKeyDefinition::round_trip(records::key(0), || "a value");
        keys.define_key(definition).await?;
        let worker = keys.join(&records::worker(0)).await?;
        let call = move |_| {
            let _ = sent.send(Instant::now());
            std::future::pending::<()>()
        };
        worker
            .register_on_change(&records::key(0), CALLBACK, call)
            .await?;
        Outcome::Ok(worker)
    })?;
    let took = first.recv_timeout(PATIENCE)?.duration_since(start);
    end(&keys)?;
    drop(worker);
    Ok(millis(took))
}

/// Ends a manager at once: what runs goes back to Pending.
fn end(keys: &KeysManagement) -> Outcome<()> {
    Ok(block_on(keys.shutdown_within(Duration::ZERO))?)
}
