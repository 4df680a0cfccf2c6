//! A child that does on purpose what keyward must not do: it keeps a key, and it frees one that it
//! has not wiped. Both must be found, or the other child's clean memory says nothing.

use std::fs;
use std::path::Path;

use keyward::store::keys_store::{Fetching, StoreRequest};
use keyward::{FileStore, KeysStore};

use crate::memory::{allocator, report, watched_needles};

/// Lives, and reports.
pub fn live(folder: &Path) {
    let needles = watched_needles(folder);
    let store = FileStore::new(folder.join("documents-forward")).exact();
    let Fetching::Blocking(fetch) = store.fetch(&StoreRequest::new("documents")) else {
        panic!("a file is read by a blocking fetch");
    };
    let kept = fetch().expect("the key");
    drop(fs::read(folder.join("closure")).expect("the key"));
    let freed = allocator::freed();
    report(needles, freed);
    drop(kept);
}
