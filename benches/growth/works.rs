//! What is measured at each size. A work keeps its manager until the sizes of its kind are done.

use std::hint::black_box;
use std::time::Instant;

use keyward::{Change, KeyChange, KeysManagement, SecretKeyDefinition, Worker, block_on};

use crate::cores::Cores;
use crate::manager;
use crate::measure::{Bench, Fresh, micros_each, millis};
use crate::records::Filling;
use crate::{Measure, Outcome};

const GETS: u32 = 2_000;
const DEFINED: u32 = 64;
const CHANGES: u32 = 50;
/// Of rotations in a history: as many keys as share it.
const KEYS: u32 = 100;
const STEPS: u32 = 10;

fn definition(name: String) -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip(name, || "a value")
}

/// A manager with so many keys.
fn with_keys(bench: &Bench, folder: &str, keys: u32) -> Outcome<KeysManagement> {
    let manager = manager::start(&bench.folder(&format!("{folder} {keys}")))?;
    let define = |no| {
        let manager = &manager;
        async move { Ok(manager.define_key(definition(format!("key-{no}"))).await?) }
    };
    bench.asker().block_on(manager::each(0..keys, define))?;
    Ok(manager)
}

/// A get of a held key among so many keys.
pub fn held_get(bench: &Bench, keys: u32) -> Outcome<Measure<'static>> {
    let cores = Cores::of_this_thread()?;
    cores.stay_on_first()?;
    let (manager, asker) = (with_keys(bench, "gets", keys)?, bench.asker());
    block_on(manager.get_forward_path_key("key-0"))?;
    drop(cores);
    Ok(Box::new(move || {
        let cores = Cores::of_this_thread()?;
        cores.stay_on_first()?;
        asker.block_on(async {
            let start = Instant::now();
            for _ in 0..GETS {
                black_box(manager.get_back_path_key("key-0").await?);
            }
            Ok(micros_each(start.elapsed(), GETS))
        })
    }))
}

/// Defining one key more where there are so many.
pub fn define(bench: &Bench, keys: u32) -> Outcome<Measure<'static>> {
    let (manager, asker) = (with_keys(bench, "defined", keys)?, bench.asker());
    let fresh = Fresh::default();
    Ok(Box::new(move || {
        asker.block_on(async {
            let start = Instant::now();
            for _ in 0..DEFINED {
                manager.define_key(definition(fresh.value())).await?;
            }
            Ok(micros_each(start.elapsed(), DEFINED))
        })
    }))
}

/// A change that is declared, stops, is taken up again, stops and is given up, among so many keys.
pub fn change_by_keys(bench: &Bench, keys: u32) -> Outcome<Measure<'static>> {
    let (manager, asker) = (with_keys(bench, "changed", keys)?, bench.asker());
    let fails = async |_: KeyChange| Err::<(), _>("it fails");
    asker.block_on(manager.register_on_change("key-0", "fails", fails))?;
    Ok(Box::new(move || {
        asker.block_on(async {
            let start = Instant::now();
            for _ in 0..CHANGES {
                let id = manager.declare(Change::of("key-0").old("old")).await?;
                drop(manager.wait(id).await?);
                manager.resume(id).await?;
                drop(black_box(manager.wait(id).await?));
                manager.abort(id, &["main"]).await?;
            }
            Ok(micros_each(start.elapsed(), CHANGES))
        })
    }))
}

/// A listing of the rotations that have not ended, where there are none, among so many keys.
pub fn listing_by_keys(bench: &Bench, keys: u32) -> Outcome<Measure<'static>> {
    let (manager, asker) = (with_keys(bench, "listed", keys)?, bench.asker());
    Ok(Box::new(move || {
        asker.block_on(async {
            let start = Instant::now();
            for _ in 0..CHANGES {
                black_box(manager.rotations().await?);
            }
            Ok(micros_each(start.elapsed(), CHANGES))
        })
    }))
}

/// A step of a plan with one callback of each of so many workers.
pub fn step_by_workers(bench: &Bench, workers: u32) -> Outcome<Measure<'static>> {
    step(bench, "workers", workers, 1)
}

/// A step of a plan with so many callbacks of one worker.
pub fn step_by_callbacks(bench: &Bench, callbacks: u32) -> Outcome<Measure<'static>> {
    step(bench, "callbacks", 1, callbacks)
}

fn step(bench: &Bench, of: &str, workers: u32, callbacks: u32) -> Outcome<Measure<'static>> {
    let (asker, steps) = (bench.asker(), workers * callbacks);
    let manager = manager::start(&bench.folder(&format!("{of} {steps}")))?;
    let workers: Vec<Worker> = asker.block_on(async {
        manager.define_key(definition("key".to_owned())).await?;
        let workers = manager::workers(&manager, workers).await?;
        manager::register(&workers, "key", callbacks, |_| async {}).await?;
        Outcome::Ok(workers)
    })?;
    let fresh = Fresh::default();
    Ok(Box::new(move || {
        // They are members as long as this is there.
        let _alive = &workers;
        let start = Instant::now();
        asker.block_on(manager::change(&manager, "key", fresh.value(), steps))?;
        Ok(micros_each(start.elapsed(), steps))
    }))
}

/// A start with so many rotations in the history.
pub fn restart_by_history(bench: &Bench, rotations: u32) -> Outcome<Measure<'static>> {
    restart(bench, "history", rotations, 0)
}

/// A start with so many rotations that wait, before any of their keys is defined.
pub fn restart_by_unfinished(bench: &Bench, rotations: u32) -> Outcome<Measure<'static>> {
    restart(bench, "unfinished", 0, rotations)
}

fn restart(bench: &Bench, of: &str, ended: u32, waiting: u32) -> Outcome<Measure<'static>> {
    let folder = bench.folder(&format!("{of} {ended} {waiting}"));
    let mut filling = Filling::new(&folder)?;
    filling.roster(STEPS, KEYS)?;
    filling.ended(ended, KEYS, 1)?;
    filling.unfinished(waiting, KEYS, STEPS)?;
    filling.close()?;
    Ok(Box::new(move || {
        let start = Instant::now();
        let manager = manager::start(&folder)?;
        let took = start.elapsed();
        block_on(manager.shutdown())?;
        Ok(millis(took))
    }))
}
