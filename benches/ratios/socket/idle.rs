//! What a connection costs the keeper over which a worker has joined, with three callbacks, that does nothing.

use keyward::Worker;

use super::Other;
use crate::Outcome;
use crate::manager;
use crate::measure::{Bench, Target};

pub const CONNECTION: &str = "idle connection, a worker and 3 callbacks, keeper's bytes / 64 KiB";

const CONNECTIONS: u32 = 400;
const BYTES: f64 = 65_536.0;
const KEYS: [&str; 3] = ["idle-0", "idle-1", "idle-2"];

/// Measures this row.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    if !bench.wants(CONNECTION) {
        return Ok(());
    }
    let (asker, count) = (bench.asker(), bench.size(CONNECTIONS));
    let mut figures = Vec::new();
    for round in 0..bench.rounds.min(3) {
        let keeper = Other::keeper(bench, &format!("ki{round}"))?;
        let client = asker.block_on(keeper.client())?;
        let join = |no| {
            let client = client.clone();
            async move {
                let worker = client.join(format!("worker-{no}").as_str()).await?;
                for key in KEYS {
                    worker.register_on_change(key, "c", |_| async {}).await?;
                }
                worker.ready().await?;
                Ok(worker)
            }
        };
        // The first ones pay for what all share.
        let few: Vec<Worker> = asker.block_on(manager::each(0..count / 8, join))?;
        let before = keeper.resident()?;
        let all: Vec<Worker> = asker.block_on(manager::each(count / 8..count, join))?;
        let more = (keeper.resident()? - before) * 1024.0;
        figures.push((more / f64::from(count - count / 8), BYTES));
        drop((few, all));
    }
    bench.record(CONNECTION, Target::AtMost(1.0), &figures);
    Ok(())
}
