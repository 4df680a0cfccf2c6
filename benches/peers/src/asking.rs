//! Asking for a key: one call after the other, or 64 at once.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};

use crate::Outcome;

/// How many calls are under way where they are not made one after the other.
pub const AT_ONCE: u32 = 64;
const ONE_BY_ONE: u32 = 10_000;
const EACH: u32 = 1_500;

/// What answers a key to an asker that awaits it.
pub trait Asked: Clone + Send + 'static {
    /// Asks once.
    fn ask(&mut self) -> impl Future<Output = Outcome<()>> + Send;
}

/// Microseconds a call, of calls that are made one after the other.
pub fn one_by_one(asker: &Runtime, asked: &mut impl Asked) -> Outcome<f64> {
    asker.block_on(async {
        let start = Instant::now();
        for _ in 0..ONE_BY_ONE {
            asked.ask().await?;
        }
        Ok(micros(start.elapsed(), ONE_BY_ONE))
    })
}

/// Calls a second, with 64 under way: 64 tasks on the asker's one thread, each with a handle of its
/// own.
pub fn at_once(asker: &Runtime, asked: &impl Asked) -> Outcome<f64> {
    asker.block_on(async {
        let start = Instant::now();
        let ask = || {
            let mut asked = asked.clone();
            tokio::spawn(async move {
                for _ in 0..EACH {
                    asked.ask().await?;
                }
                Outcome::Ok(())
            })
        };
        let tasks: Vec<_> = (0..AT_ONCE).map(|_| ask()).collect();
        for task in tasks {
            task.await??;
        }
        Ok(f64::from(AT_ONCE * EACH) / start.elapsed().as_secs_f64())
    })
}

/// Microseconds a call, of plain calls that are made one after the other.
pub fn plain_calls(count: u32, mut call: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let start = Instant::now();
    for _ in 0..count {
        call()?;
    }
    Ok(micros(start.elapsed(), count))
}

/// As many plain calls as there are awaited ones.
pub fn plain_asks(call: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    plain_calls(ONE_BY_ONE, call)
}

/// A runtime of one thread that lives as long as the process: a peer's actor runs on another thread
/// than its asker, as keyward's do.
pub fn other_thread() -> Outcome<Handle> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new()
        .name("peer".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok(handle)
}

fn micros(time: Duration, calls: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(calls)
}
