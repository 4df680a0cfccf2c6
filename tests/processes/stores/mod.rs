//! Environment, file and command stores with real variables, files and processes.

mod burst;
mod commands;
mod credentials;
mod environment;
mod files;
mod folders;
mod managed;
mod replaced;
mod system;

use std::time::{Duration, Instant};

use keyward::SecretKeys;
use keyward::store::error::StoreError;
use keyward::store::keys_store::{Fetching, KeysStore, StoreRequest};

const MIB: usize = 1024 * 1024;

/// A limit that no test is meant to reach.
const LONG: Duration = Duration::from_secs(60);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn fetched(store: &impl KeysStore) -> Result<SecretKeys, StoreError> {
    let fetched = match store.fetch(&StoreRequest::new("a key")) {
        Fetching::Async(fetch) => runtime().block_on(fetch),
        Fetching::Blocking(fetch) => fetch(),
        other => panic!("an unknown way to fetch: {other:?}"),
    };
    fetched.map(|fetched| fetched.keys)
}

fn value(store: &impl KeysStore) -> Vec<u8> {
    let keys = fetched(store).unwrap();
    assert!(!keys.is_pair());
    keys.check().unwrap();
    keys.to_pair().forward().expose().to_vec()
}

/// The error of a fetch, or of the check of its size that follows each fetch.
fn error(store: &impl KeysStore) -> StoreError {
    match fetched(store) {
        Ok(keys) => keys.check().unwrap_err().into(),
        Err(error) => error,
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
