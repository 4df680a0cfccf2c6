//! What a flood of one key costs the clients of another one: the latency of the other key's gets,
//! idle and flooded in turn in one run, printed as ratios, beside the same flood of a bare actor.
//!
//! 64 clients, each with 16 requests in flight, flood one key. The other key is asked for
//! what it holds, once a millisecond. Two keys share an arbiter, so there are two others: one on the
//! arbiter of the flooded key, and one on the next. Whatever the clients do takes cores from
//! all; how much that is by itself, the bare actors show.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Arbiter, Context, Handler, Message, System};
use keyward::{KeysManagement, MemoryRepo, SecretKeyDefinition};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CLIENTS: usize = 64;
const IN_FLIGHT: usize = 16;
const GETS: usize = 300;
const ROUNDS: usize = 6;

/// How long a client waits that was told `busy`, as one should that is told to ask again later.
const PAUSE: Duration = Duration::from_millis(1);
const NEVER: Duration = Duration::from_secs(3_600);

fn main() -> Outcome<()> {
    println!(
        "{:<52} {:>12} {:>12} {:>7}",
        "latency of another key", "idle", "flooded", "ratio"
    );
    let asking = Builder::new_current_thread().enable_all().build()?;
    let flooding = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    asking.block_on(keys(&flooding))?;
    asking.block_on(bare(&flooding))?;
    Ok(())
}

/// A flood that can be turned on and off.
struct Flood {
    on: watch::Sender<bool>,
    asked: Arc<AtomicU64>,
}

impl Flood {
    /// Requests of all clients, one after the other where one was answered, with pauses between.
    fn new<A, F>(runtime: &Runtime, pause: Option<Duration>, ask: A) -> Self
    where
        A: Fn() -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send,
    {
        let (on, asked) = (watch::Sender::new(false), Arc::new(AtomicU64::new(0)));
        for _ in 0..CLIENTS * IN_FLIGHT {
            let (ask, mut on) = (ask.clone(), on.subscribe());
            let asked = Arc::clone(&asked);
            runtime.spawn(async move {
                while becomes(&mut on, true).await {
                    asked.fetch_add(1, Ordering::Relaxed);
                    tokio::select! {
                        biased;
                        _ = becomes(&mut on, false) => continue,
                        () = ask() => {}
                    }
                    match pause {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => tokio::task::yield_now().await,
                    }
                }
            });
        }
        Self { on, asked }
    }
}

/// Waits until the flood is turned on or off; false at the end of the bench.
async fn becomes(on: &mut watch::Receiver<bool>, wanted: bool) -> bool {
    on.wait_for(|on| *on == wanted).await.is_ok()
}

/// Measures a request idle and flooded in turn, and prints the median and the 99th percentile of
/// both.
async fn compare(work: &str, flood: &Flood, ask: impl AsyncFn() -> Outcome<()>) -> Outcome<()> {
    let mut latencies = [Vec::new(), Vec::new()];
    let (mut asked, mut flooded_for) = (0, Duration::ZERO);
    for round in 0..=ROUNDS {
        for (on, latencies) in [false, true].into_iter().zip(&mut latencies) {
            flood.on.send_replace(on);
            // What was begun before is over, and what begins now is under way.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let (before, begun) = (flood.asked.load(Ordering::Relaxed), Instant::now());
            // By the clock and not one after the other: else a get that is held up would hold up the
            // next ones, and be counted as one among many.
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..GETS {
                ticks.tick().await;
                let start = Instant::now();
                ask().await?;
                if round > 0 {
                    latencies.push(start.elapsed());
                }
            }
            if on {
                asked += flood.asked.load(Ordering::Relaxed) - before;
                flooded_for += begun.elapsed();
            }
        }
    }
    flood.on.send_replace(false);
    let rate = asked as f64 / flooded_for.as_secs_f64();
    println!("{work}: {rate:.0} requests a second flood it");
    for latencies in &mut latencies {
        latencies.sort_unstable();
    }
    let [idle, flooded] = &latencies;
    for (name, per_mille) in [("p50", 500), ("p99", 990)] {
        let at = |of: &[Duration]| of.get(of.len() * per_mille / 1_000).copied();
        if let (Some(idle), Some(flooded)) = (at(idle), at(flooded)) {
            let ratio = flooded.as_secs_f64() / idle.as_secs_f64();
            let work = format!("{work}, {name}");
            println!("{work:<52} {idle:>12.1?} {flooded:>12.1?} {ratio:>6.2}x");
        }
    }
    Ok(())
}

async fn keys(flooding: &Runtime) -> Outcome<()> {
    let keys = KeysManagement::builder()
        .state_repo(MemoryRepo::new())
        .master_key(|| [9_u8; 32])
        .start()
        .await?;
    let hangs = || async { std::future::pending::<&str>().await };
    let flooded = SecretKeyDefinition::round_trip("hangs", hangs)
        .store_time_limit(NEVER)
        .request_time_limit(NEVER);
    keys.define_key(flooded).await?;
    // Keys take the two arbiters in turn: these are elsewhere, next door, elsewhere, next door.
    for other in ["elsewhere", "held", "also elsewhere", "next door"] {
        let key = SecretKeyDefinition::round_trip(other, || async { "a value" });
        keys.define_key(key).await?;
        keys.get_forward_path_key(other).await?;
    }
    let floods = [
        ("gets beyond the bound, pausing", "hangs", Some(PAUSE)),
        ("gets beyond the bound", "hangs", None),
        ("gets that are answered", "held", None),
    ];
    for (what, key, pause) in floods {
        let asked = keys.clone();
        let flood = Flood::new(flooding, pause, move || {
            let keys = asked.clone();
            async move {
                // Whether it is answered or busy makes no difference.
                drop(match key {
                    "hangs" => keys.get_forward_path_key(key).await,
                    _ => keys.get_back_path_key(key).await,
                });
            }
        });
        for (place, other) in [
            ("same arbiter", "next door"),
            ("other arbiter", "elsewhere"),
        ] {
            let single = keys.get_single_management(other)?;
            let ask = async || {
                single.get_back_path_key().await?;
                Ok(())
            };
            compare(&format!("{what}, {place}"), &flood, ask).await?;
        }
    }
    keys.shutdown().await?;
    Ok(())
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

/// Three bare actors: two on one arbiter, one on another.
fn bare_actors() -> Outcome<[Addr<Bare>; 3]> {
    let (told, addresses) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let system = System::new();
        let arbiters = [Arbiter::new(), Arbiter::new()];
        let start = |no: usize| {
            let arbiter = arbiters.get(no).map(Arbiter::handle);
            arbiter.map(|arbiter| Bare::start_in_arbiter(&arbiter, |_| Bare(Arc::new([7; 32]))))
        };
        if let (Some(a), Some(b), Some(c)) = (start(0), start(0), start(1)) {
            drop(told.send([a, b, c]));
        }
        drop(system.run());
    });
    Ok(addresses.recv()?)
}

async fn bare(flooding: &Runtime) -> Outcome<()> {
    let [flooded, same, other] = bare_actors()?;
    for (what, pause) in [("bare actor, pausing", Some(PAUSE)), ("bare actor", None)] {
        let flooded = flooded.clone();
        let flood = Flood::new(flooding, pause, move || {
            let flooded = flooded.clone();
            async move { drop(flooded.send(Get).await) }
        });
        for (place, actor) in [("same arbiter", &same), ("other arbiter", &other)] {
            let ask = async || {
                actor.send(Get).await?;
                Ok(())
            };
            compare(&format!("{what}, {place}"), &flood, ask).await?;
        }
    }
    Ok(())
}
