//! Rotations whose workers are on streams, beside bare calls, and synced writes where each step makes one.

use std::time::Instant;

use futures_util::future::try_join_all;
use keyward::{Change, Client, Join, Worker};
use rustix::process::{Resource, getrlimit, setrlimit};

use super::{Other, bare, program};
use crate::Outcome;
use crate::disk::{self, Disk};
use crate::manager::{self, check};
use crate::measure::{Bench, Fresh, Rounds, Target, millis};

pub const STREAMS: &str =
    "rotation, 100 workers on 100 streams, ms / 100 bare calls and synced writes";
pub const MEMORY: &str = "callback of memory of 500 instances, ms / 500 bare calls side by side";

const WORKERS: u32 = 100;
const INSTANCES: u32 = 500;

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    if bench.wants(STREAMS) {
        in_turn(bench)?;
    }
    if bench.wants(MEMORY) {
        side_by_side(bench)?;
    }
    Ok(())
}

fn in_turn(bench: &mut Bench) -> Outcome<()> {
    let (asker, count) = (program()?, bench.size(WORKERS));
    let (keeper, floor) = (Other::keeper(bench, "kt")?, Other::bare(bench, "bt")?);
    let bytes = disk::step_bytes(bench)?;
    let disk = Disk::open(&bench.folder("written over the socket"), bytes)?;
    let client = asker.block_on(keeper.client())?;
    let join = |no| {
        let client = client.clone();
        async move {
            let worker = client.join(format!("worker-{no}").as_str()).await?;
            worker
                .register_on_change("in turn", "c", |_| async {})
                .await?;
            worker.ready().await?;
            Ok(worker)
        }
    };
    let workers: Vec<Worker> = asker.block_on(manager::each(0..count, join))?;
    let mut bare = asker.block_on(bare::client(&floor.socket))?;
    let fresh = Fresh::default();
    bench.compare(
        STREAMS,
        Target::AtMost(1.5),
        Rounds::Often,
        || change(&asker, &client, "in turn", &fresh, count),
        || {
            asker.block_on(async {
                let start = Instant::now();
                for _ in 0..count {
                    bare.get(bare::request()).await?;
                    disk.writes(1)?;
                }
                Ok(millis(start.elapsed()))
            })
        },
    )?;
    drop(workers);
    Ok(())
}

fn change(
    asker: &tokio::runtime::Runtime,
    client: &Client,
    key: &str,
    fresh: &Fresh,
    steps: u32,
) -> Outcome<f64> {
    asker.block_on(async {
        let start = Instant::now();
        let change = Change::of(key).new_keys(fresh.value());
        check(&client.key_changed(change).await?, steps)?;
        Ok(millis(start.elapsed()))
    })
}

fn side_by_side(bench: &mut Bench) -> Outcome<()> {
    let (asker, count) = (program()?, bench.size(INSTANCES));
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files)?;
    let (keeper, floor) = (Other::keeper(bench, "km")?, Other::bare(bench, "bm")?);
    let client = asker.block_on(keeper.client())?;
    let join = |_| {
        let client = client.clone();
        async move {
            let worker = client.join(Join::shared("web")).await?;
            worker
                .register_in_memory("memory", "load", |_| async {})
                .await?;
            worker.ready().await?;
            Ok(worker)
        }
    };
    let workers: Vec<Worker> = asker.block_on(manager::each(0..count, join))?;
    let connect = |_| bare::client(&floor.socket);
    let bare = asker.block_on(manager::each(0..count, connect))?;
    let fresh = Fresh::default();
    bench.compare(
        MEMORY,
        Target::AtMost(1.5),
        Rounds::Often,
        || change(&asker, &client, "memory", &fresh, 1),
        || {
            asker.block_on(async {
                let start = Instant::now();
                let calls = bare.iter().map(|bare| {
                    let mut bare = bare.clone();
                    async move { bare.get(bare::request()).await }
                });
                try_join_all(calls).await?;
                Ok(millis(start.elapsed()))
            })
        },
    )?;
    bench.note(format!(
        "{MEMORY}: ours is the whole rotation: three messages and two records an instance"
    ));
    drop(workers);
    Ok(())
}
