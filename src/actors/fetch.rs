//! One fetch from a store, inside its guard and on the right thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::guard::fault::Fault;
use crate::guard::place::Role;
use crate::guard::plugins::Plugins;
use crate::key::event::FetchFailure;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeys;
use crate::store::error::StoreError;
use crate::store::keys_store::{Fetching, KeysStore, StoreRequest};

/// Ends when a thread that passed its time limit has come back.
pub type Returned = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a fetch ended.
pub struct FetchEnd {
    /// The keys, or why there are none.
    pub answer: Result<SecretKeys, FetchFailure>,
    /// The thread that still runs, if the limit passed under a blocking store.
    pub still_running: Option<Returned>,
}

enum Begun {
    Ended(Result<SecretKeys, StoreError>),
    Blocks(Box<dyn FnOnce() -> Result<SecretKeys, StoreError> + Send>),
}

/// Asks a store, for at most `limit`.
pub async fn fetch(
    plugins: Arc<Plugins>,
    store: Arc<dyn KeysStore>,
    request: StoreRequest,
    limit: Duration,
    scrubber: Scrubber,
) -> FetchEnd {
    let begin = async move || match store.fetch(&request) {
        Fetching::Async(fetching) => Begun::Ended(fetching.await),
        Fetching::Blocking(blocks) => Begun::Blocks(blocks),
    };
    let run = plugins.run_async(Role::Store, begin, limit);
    let begun = match run.outcome.await {
        Err(fault) => return ended(Err(fault), None, &scrubber),
        Ok(Begun::Ended(answer)) => return ended(Ok(answer), None, &scrubber),
        Ok(Begun::Blocks(blocks)) => blocks,
    };
    let slot = match plugins.store_threads().try_reserve() {
        Ok(slot) => slot,
        Err(fault) => return ended(Err(fault), None, &scrubber),
    };
    let run = slot.run(begun, limit);
    let answer = run.outcome.await;
    let hangs = matches!(answer, Err(Fault::TimedOut { .. }));
    let returned: Returned = Box::pin(run.returned);
    ended(answer, hangs.then_some(returned), &scrubber)
}

fn ended(
    answer: Result<Result<SecretKeys, StoreError>, Fault>,
    still_running: Option<Returned>,
    scrubber: &Scrubber,
) -> FetchEnd {
    let failed = |text: String| {
        let why = scrubber.scrub_str(&text);
        Err(FetchFailure::Failed { why })
    };
    let answer = match answer {
        Ok(Ok(keys)) => Ok(keys),
        Ok(Err(StoreError::Invalid(why))) => Err(FetchFailure::Invalid(why)),
        Ok(Err(error)) => {
            let why = error.described(scrubber);
            Err(FetchFailure::Failed { why })
        }
        Err(Fault::NoThread { threads }) => failed(format!(
            "no thread: all {threads} threads for blocking stores are taken"
        )),
        Err(fault) => failed(fault.described(scrubber)),
    };
    FetchEnd {
        answer,
        still_running,
    }
}
