//! Gets of a key that is held, beside a bare actor's answers.

use std::future::Future;
use std::hint::black_box;
use std::time::Instant;

use tokio::runtime::Runtime;

use keyward::{SecretKeyDefinition, block_on};

use crate::Outcome;
use crate::bare::{self, Get};
use crate::cores::Cores;
use crate::manager;
use crate::measure::{Bench, Rounds, Target, a_second, micros_each};

const ONE: &str = "held get, µs / actix send";
const MANY: &str = "held get, 64 in flight, a second / actix send";
const PLAIN: &str = "held get, plain thread, µs / actix send, blocking";

/// What is measured here.
pub const ROWS: [&str; 3] = [ONE, MANY, PLAIN];

const GETS: u32 = 2_000;
const IN_FLIGHT: u32 = 64;

/// Measures these rows.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let cores = Cores::of_this_thread()?;
    cores.stay_on_first()?;
    bench.note(
        "gets: askers and actors share one core, where the work of both counts in full; apart, \
         waking a core that sleeps takes ten times as long and hides it",
    );
    let keys = manager::start(&bench.folder("gets"))?;
    block_on(keys.define_key(SecretKeyDefinition::round_trip("held", || "a value")))?;
    block_on(keys.get_forward_path_key("held"))?;
    let held = keys.get_single_management("held")?;
    let actor = bare::actor()?;
    let (asker, gets) = (bench.asker(), bench.size(GETS));

    let get = async || {
        black_box(held.get_back_path_key().await?);
        Ok(())
    };
    let send = async || {
        black_box(actor.send(Get).await?);
        Ok(())
    };
    bench.compare(
        ONE,
        Target::AtMost(1.25),
        Rounds::Often,
        || one_by_one(&asker, gets, get),
        || one_by_one(&asker, gets, send),
    )?;

    let each = (gets / IN_FLIGHT).max(1) * 4;
    let client = || {
        let held = held.clone();
        async move {
            for _ in 0..each {
                black_box(held.get_back_path_key().await?);
            }
            Ok(())
        }
    };
    let bare_client = || {
        let actor = actor.clone();
        async move {
            for _ in 0..each {
                black_box(actor.send(Get).await?);
            }
            Ok(())
        }
    };
    bench.compare(
        MANY,
        Target::AtLeast(0.8),
        Rounds::Often,
        || at_once(&asker, each, client),
        || at_once(&asker, each, bare_client),
    )?;

    bench.compare(
        PLAIN,
        Target::AtMost(1.25),
        Rounds::Often,
        || {
            plain_calls(gets, || {
                black_box(block_on(held.get_back_path_key())?);
                Ok(())
            })
        },
        || {
            plain_calls(gets, || {
                black_box(bare::wait(actor.send(Get))?);
                Ok(())
            })
        },
    )?;
    block_on(keys.shutdown())?;
    Ok(())
}

/// Microseconds a request, of requests that are made one after the other.
pub fn one_by_one(
    asker: &Runtime,
    count: u32,
    mut ask: impl AsyncFnMut() -> Outcome<()>,
) -> Outcome<f64> {
    asker.block_on(async {
        let start = Instant::now();
        for _ in 0..count {
            ask().await?;
        }
        Ok(micros_each(start.elapsed(), count))
    })
}

/// Requests a second: 64 tasks on the asker's one thread, each asking again when it was answered.
pub fn at_once<F>(asker: &Runtime, each: u32, client: impl Fn() -> F) -> Outcome<f64>
where
    F: Future<Output = Outcome<()>> + Send + 'static,
{
    asker.block_on(async {
        let start = Instant::now();
        let clients: Vec<_> = (0..IN_FLIGHT).map(|_| tokio::spawn(client())).collect();
        for client in clients {
            client.await??;
        }
        Ok(a_second(IN_FLIGHT * each, start))
    })
}

fn plain_calls(count: u32, mut call: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    for _ in 0..count {
        call()?;
    }
    Ok(micros_each(start.elapsed(), count))
}
