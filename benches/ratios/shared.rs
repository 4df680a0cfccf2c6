//! Shared fetches: many ask at once for a key whose store is slow.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use keyward::{SecretKeyDefinition, SingleKeyManagement, block_on};

use crate::Outcome;
use crate::manager;
use crate::measure::{Bench, Rounds, Target};

const SHARED: &str = "1,000 forward gets of a 10 ms store, fetches / one each 10 ms of asking + 1";

/// What is measured here.
pub const ROWS: [&str; 1] = [SHARED];

const GETS: u32 = 1_000;
const FETCH: Duration = Duration::from_millis(10);

/// Measures this row.
pub fn run(bench: &mut Bench) -> Outcome<()> {
    let gets = bench.size(GETS);
    let keys = manager::start(&bench.folder("shared"))?;
    let begun = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&begun);
    let store = move || {
        // Its answer tells which fetch it is.
        let fetch = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            tokio::time::sleep(FETCH).await;
            fetch.to_string()
        }
    };
    // By default three quarters of 1,024 requests may wait for a store.
    let definition = SecretKeyDefinition::round_trip("slow", store).max_requests(2 * GETS as usize);
    block_on(keys.define_key(definition))?;
    let single = keys.get_single_management("slow")?;
    let asker = bench.asker();
    let last_asked = Cell::new(Duration::ZERO);
    bench.compare(
        SHARED,
        Target::AtMost(1.0),
        Rounds::Usual,
        || {
            let before = begun.load(Ordering::SeqCst);
            let start = Instant::now();
            let asked = || last_asked.set(start.elapsed());
            let all = (0..gets).map(|_| get(&single, &begun, asked));
            asker.block_on(try_join_all(all))?;
            Ok((begun.load(Ordering::SeqCst) - before) as f64)
        },
        // The figure before in rounds where the floor comes first: asking takes about as long.
        || Ok((last_asked.get().as_secs_f64() / FETCH.as_secs_f64()).ceil() + 1.0),
    )?;
    bench.note(format!(
        "{SHARED}: max_requests is {} here, for by default 768 may wait for a store; each answer \
         came from a fetch that began after its request, or the bench would have failed",
        2 * GETS
    ));
    block_on(keys.shutdown())?;
    Ok(())
}

async fn get(single: &SingleKeyManagement, begun: &AtomicU64, asked: impl Fn()) -> Outcome<()> {
    let before = begun.load(Ordering::SeqCst);
    asked();
    let answer = single.get_forward_path_key().await?;
    let fetch: u64 = answer.expose_str().unwrap_or_default().parse()?;
    if fetch <= before {
        return Err(format!("asked after fetch {before} began, answered by fetch {fetch}").into());
    }
    Ok(())
}
