//! Stores and repos that hang while they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::space::Space;
use keyward::repo::state_repo::Visitor;
use keyward::{MemoryRepo, SecretKeyDefinition, StateRepo};

use crate::support::Gate;

/// Answers `value_1`, and hangs while it is told to.
#[derive(Clone, Default)]
pub struct Source {
    hangs: Arc<AtomicBool>,
    gate: Gate,
    calls: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

struct UnderWay<'a>(&'a Source);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source {
    /// From now on each request waits at the gate.
    pub fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Answers the requests that wait, and those from now on.
    pub fn go_on(&self) {
        self.gate.open();
    }

    /// Where the calls hang.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many calls there ever were at once.
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// A round-trip key whose store is async.
    pub fn round_trip(&self, name: &str) -> SecretKeyDefinition {
        let source = self.clone();
        SecretKeyDefinition::round_trip(name, move || source.clone().ask())
    }

    /// A round-trip key whose store blocks its thread.
    pub fn blocking(&self, name: &str) -> SecretKeyDefinition {
        let source = self.clone();
        SecretKeyDefinition::round_trip(name, move || source.ask_blocking())
    }

    fn begin(&self) -> UnderWay<'_> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        UnderWay(self)
    }

    async fn ask(self) -> &'static str {
        let _under_way = self.begin();
        if self.hangs.load(Ordering::SeqCst) {
            self.gate.pass().await;
        }
        "value_1"
    }

    fn ask_blocking(&self) -> &'static str {
        let _under_way = self.begin();
        if self.hangs.load(Ordering::SeqCst) {
            self.gate.pass_blocking();
        }
        "value_1"
    }
}

/// A repo in memory that hangs while it is told to.
#[derive(Clone, Default)]
pub struct SlowRepo {
    content: MemoryRepo,
    hangs: Arc<AtomicBool>,
    gate: Gate,
    writes: Arc<AtomicUsize>,
}

impl SlowRepo {
    /// From now on every call waits at the gate.
    pub fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// Answers the requests that wait, and those from now on.
    pub fn go_on(&self) {
        self.gate.open();
    }

    /// Where the calls hang.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How many writes were begun.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    fn pass(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            self.gate.pass_blocking();
        }
    }
}

impl StateRepo for SlowRepo {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.pass();
        self.content.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.pass();
        self.content.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.pass();
        self.content.apply(batch)
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.content.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.content.close()
    }
}
