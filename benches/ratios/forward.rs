//! Forward gets: the store is asked each time, so the least is a bare actor and the task or thread
//! that the store's code needs.

use std::hint::black_box;

use keyward::{SecretKeyDefinition, block_on};

use crate::Outcome;
use crate::bare::{self, GetOfTask, GetOfThread};
use crate::cores::Cores;
use crate::gets::one_by_one;
use crate::manager;
use crate::measure::{Bench, Rounds, Target};

const ASYNC: &str = "forward get, async closure, µs / send + task";
const SYNC: &str = "forward get, sync closure, µs / send + spawn_blocking";

/// What is measured here.
pub const ROWS: [&str; 2] = [ASYNC, SYNC];

const GETS: u32 = 1_000;

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let cores = Cores::of_this_thread()?;
    cores.stay_on_first()?;
    let keys = manager::start(&bench.folder("forward"))?;
    let async_store = || async { "a value" };
    block_on(keys.define_key(SecretKeyDefinition::round_trip("async", async_store)))?;
    block_on(keys.define_key(SecretKeyDefinition::round_trip("sync", || "a value")))?;
    let actor = bare::actor()?;
    let (asker, gets) = (bench.asker(), bench.size(GETS));
    let gone = "the bare task is gone";

    let key = keys.get_single_management("async")?;
    let get = async || {
        black_box(key.get_forward_path_key().await?);
        Ok(())
    };
    let send = async || {
        black_box(actor.send(GetOfTask).await?.ok_or(gone)?);
        Ok(())
    };
    bench.compare(
        ASYNC,
        Target::AtMost(1.5),
        Rounds::Often,
        || one_by_one(&asker, gets, get),
        || one_by_one(&asker, gets, send),
    )?;

    let key = keys.get_single_management("sync")?;
    let get = async || {
        black_box(key.get_forward_path_key().await?);
        Ok(())
    };
    let send = async || {
        black_box(actor.send(GetOfThread).await?.ok_or(gone)?);
        Ok(())
    };
    bench.compare(
        SYNC,
        Target::AtMost(1.5),
        Rounds::Often,
        || one_by_one(&asker, gets, get),
        || one_by_one(&asker, gets, send),
    )?;
    block_on(keys.shutdown())?;
    Ok(())
}
