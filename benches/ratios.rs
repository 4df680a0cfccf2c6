//! keyward against its floors, measured side by side in one run and printed as ratios.
//!
//! `cargo bench` prints one line a work: what keyward takes, what the bare engine takes that does
//! the least the promise needs, and the ratio of the two. Only the ratio means anything on another
//! machine.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter, Context, Handler, Message, System};
use keyward::{Change, KeysManagement, SecretKeyDefinition};
use rocksdb::{DB, WriteOptions};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const GETS: u32 = 20_000;
const STEPS: u32 = 100;
const ROUNDS: usize = 7;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "{:<34} {:>12} {:>12} {:>7}",
        "work", "keyward", "floor", "ratio"
    );
    runtime.block_on(held_get())?;
    runtime.block_on(rotation(folder.path()))?;
    Ok(())
}

/// Prints the medians of pairs that were measured in turn, and the median of their ratios.
fn print(work: &str, mut pairs: Vec<(Duration, Duration)>) {
    let mut ratios: Vec<f64> = pairs
        .iter()
        .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    pairs.sort();
    let middle = pairs.len() / 2;
    if let (Some((ours, floor)), Some(ratio)) = (pairs.get(middle), ratios.get(middle)) {
        println!("{work:<34} {ours:>12.1?} {floor:>12.1?} {ratio:>6.2}x");
    }
}

struct Bare(Arc<[u8; 32]>);

struct Get;

impl Message for Get {
    type Result = Arc<[u8; 32]>;
}

impl Actor for Bare {
    type Context = Context<Self>;
}

impl Handler<Get> for Bare {
    type Result = Arc<[u8; 32]>;

    fn handle(&mut self, _: Get, _: &mut Context<Self>) -> Self::Result {
        Arc::clone(&self.0)
    }
}

/// An actor on an arbiter of its own that answers an `Arc`.
fn bare_actor() -> Outcome<Addr<Bare>> {
    let (told, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let system = System::new();
        let arbiter = Arbiter::new();
        let actor = Bare::start_in_arbiter(&arbiter.handle(), |_| Bare(Arc::new([7; 32])));
        drop(told.send(actor));
        drop(system.run());
    });
    Ok(address.recv()?)
}

async fn held_get() -> Outcome<()> {
    let keys = KeysManagement::builder()
        .state_repo(keyward::MemoryRepo::new())
        .master_key(|| [9_u8; 32])
        .start()
        .await?;
    keys.define_key(SecretKeyDefinition::round_trip("held", || "a value"))
        .await?;
    keys.get_forward_path_key("held").await?;
    let held = keys.get_single_management("held")?;
    let bare = bare_actor()?;
    let mut pairs = Vec::new();
    for _ in 0..=ROUNDS {
        let start = Instant::now();
        for _ in 0..GETS {
            held.get_back_path_key().await?;
        }
        let ours = start.elapsed() / GETS;
        let start = Instant::now();
        for _ in 0..GETS {
            bare.send(Get).await?;
        }
        pairs.push((ours, start.elapsed() / GETS));
    }
    pairs.remove(0);
    print("get of a held key / actix send", pairs);
    keys.shutdown().await?;
    Ok(())
}

async fn rotation(folder: &std::path::Path) -> Outcome<()> {
    let keys = KeysManagement::builder()
        .data_folder(folder.join("keyward"))
        .master_key(|| [9_u8; 32])
        .start()
        .await?;
    keys.define_key(SecretKeyDefinition::one_way("rotated", || "a value"))
        .await?;
    for step in 0..STEPS {
        let worker = keys.join(&format!("worker-{step}")).await?;
        worker
            .register_on_change("rotated", "nothing", |_| async {})
            .await?;
        std::mem::forget(worker);
    }
    let floor = DB::open_default(folder.join("floor"))?;
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let mut pairs = Vec::new();
    for round in 0..=ROUNDS {
        let start = Instant::now();
        keys.key_changed(Change::of("rotated").new_keys(format!("value {round}")))
            .await?;
        let ours = start.elapsed();
        let start = Instant::now();
        for step in 0..STEPS {
            floor.put_opt(step.to_be_bytes(), [0_u8; 200], &synced)?;
        }
        pairs.push((ours, start.elapsed()));
    }
    pairs.remove(0);
    print("rotation of 100 steps / 100 writes", pairs);
    keys.shutdown().await?;
    Ok(())
}
