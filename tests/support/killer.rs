//! A repo that kills the process at one of its durable writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keyward::repo::batch::Batch;
use keyward::repo::error::RepoError;
use keyward::repo::rocks::RocksDbRepo;
use keyward::repo::space::Space;
use keyward::repo::state_repo::{StateRepo, Visitor};

/// When the process is to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// Not at all.
    Never,
    /// Before the write of this number is made.
    Before(u64),
    /// As soon as the write of this number is durable.
    After(u64),
    /// In the call of a callback of this number.
    InCall(u64),
}

impl Kill {
    /// As a word in the environment.
    pub fn to_word(self) -> String {
        match self {
            Self::Never => "never 0".to_owned(),
            Self::Before(no) => format!("before {no}"),
            Self::After(no) => format!("after {no}"),
            Self::InCall(no) => format!("call {no}"),
        }
    }

    /// From a word in the environment.
    pub fn of_word(word: &str) -> Self {
        let (when, no) = word.split_once(' ').expect("two words");
        let no = no.parse().expect("a number");
        match when {
            "before" => Self::Before(no),
            "after" => Self::After(no),
            "call" => Self::InCall(no),
            _ => Self::Never,
        }
    }
}

/// Ends this process as nothing in it can prevent.
pub fn die() -> ! {
    let this = rustix::process::getpid();
    rustix::process::kill_process(this, rustix::process::Signal::KILL).expect("it may be killed");
    loop {
        std::thread::park();
    }
}

/// Counts writes, from the moment on when it is armed.
#[derive(Clone)]
pub struct Counter {
    shared: Arc<(AtomicBool, AtomicU64, AtomicU64)>,
    kill: Kill,
}

impl Counter {
    /// One that counts nothing yet.
    pub fn new(kill: Kill) -> Self {
        let shared = Arc::new((AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0)));
        Self { shared, kill }
    }

    /// From now on writes are counted.
    pub fn arm(&self) {
        self.shared.0.store(true, Ordering::SeqCst);
    }

    /// A callback was called: dies if this is the one.
    pub fn called(&self) {
        let no = self.shared.2.fetch_add(1, Ordering::SeqCst) + 1;
        if self.kill == Kill::InCall(no) {
            die();
        }
    }

    fn next(&self) -> Option<u64> {
        let armed = self.shared.0.load(Ordering::SeqCst);
        armed.then(|| self.shared.1.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// RocksDB, with a counter on its writes.
pub struct KillingRepo {
    /// The repo.
    pub repo: RocksDbRepo,
    /// The counter.
    pub counter: Counter,
}

impl StateRepo for KillingRepo {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, RepoError> {
        self.repo.get(space, key)
    }

    fn scan(&self, space: Space, prefix: &[u8], visit: Visitor<'_>) -> Result<(), RepoError> {
        self.repo.scan(space, prefix, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), RepoError> {
        let no = self.counter.next();
        if no.is_some_and(|no| self.counter.kill == Kill::Before(no)) {
            die();
        }
        let written = self.repo.apply(batch);
        if no.is_some_and(|no| self.counter.kill == Kill::After(no)) {
            die();
        }
        written
    }

    fn reopen(&self) -> Result<(), RepoError> {
        self.repo.reopen()
    }

    fn close(&self) -> Result<(), RepoError> {
        self.repo.close()
    }
}
