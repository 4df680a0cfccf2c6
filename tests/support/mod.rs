//! What several test files share: managers that are ready, gates for callbacks and stores that
//! block, and waiting for events under a time limit.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod alone;
pub mod faulty;
pub mod killer;
pub mod log;
pub mod refused_calls;

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use keyward::management::builder::KeysManagementBuilder;
use keyward::rotation::plan::Step;
use keyward::{
    CallbackStatus, Change, KeysManagement, MemoryRepo, RotationId, RotationReport,
    SecretKeyDefinition, StateRepo,
};
use tokio::sync::watch;

/// The master key of every test database.
pub const MASTER_KEY: &str = "a master key for tests: 32 bytes or more";

/// Longer than anything that does not hang takes.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A time limit that a test waits for; what is on time on a busy machine, a panic that prints where it
/// came from for example, is faster.
pub const SHORT: Duration = Duration::from_secs(1);

/// A builder with a master key, that shuts down fast.
pub fn builder() -> KeysManagementBuilder {
    KeysManagement::builder()
        .master_key(|| MASTER_KEY)
        .shutdown_grace(Duration::from_millis(20))
}

/// A manager on a repo in memory of its own.
pub async fn in_memory() -> KeysManagement {
    on(MemoryRepo::new()).await
}

/// A manager on this repo.
pub async fn on(repo: impl StateRepo) -> KeysManagement {
    let started = builder().state_repo(repo).start().await;
    started.expect("a manager on a good repo starts")
}

/// A manager with the key `documents`, whose store answers `value_1`.
pub async fn with_documents() -> KeysManagement {
    let manager = in_memory().await;
    define(&manager, documents()).await;
    manager
}

/// A change of the key `documents` from `value_1` to `value_2`.
pub fn change() -> Change {
    Change::of("documents").old("value_1").new_keys("value_2")
}

/// The round-trip key `documents`, whose store answers `value_1`.
pub fn documents() -> SecretKeyDefinition {
    SecretKeyDefinition::round_trip("documents", || "value_1")
}

/// Defines a key that can be defined.
pub async fn define(manager: &KeysManagement, definition: SecretKeyDefinition) {
    let defined = manager.define_key(definition).await;
    defined.expect("the definition is a good one");
}

/// What a future answers, which must not take long.
pub async fn within<F: Future>(future: F) -> F::Output {
    let ended = tokio::time::timeout(LIMIT, future).await;
    ended.expect("it hangs")
}

/// Waits until something holds, which must not take long.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let ended = tokio::time::timeout(LIMIT, waiting).await;
    ended.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

/// The step of a worker's callback.
pub fn step<'a>(report: &'a RotationReport, worker: &str, callback: &str) -> &'a Step {
    let this = |s: &&Step| s.worker.as_str() == worker && s.callback.as_str() == callback;
    let found = report.steps.iter().find(this);
    found.unwrap_or_else(|| panic!("no step {worker}/{callback} in {report:?}"))
}

/// The statuses of all steps, in the plan's order.
pub fn statuses(report: &RotationReport) -> Vec<CallbackStatus> {
    report.steps.iter().map(|step| step.status).collect()
}

/// The error text of a step that failed.
pub fn error<'a>(report: &'a RotationReport, worker: &str, callback: &str) -> &'a str {
    step(report, worker, callback)
        .error
        .as_deref()
        .unwrap_or("")
}

/// Asserts the code of an error and that its text names all of these.
#[track_caller]
pub fn assert_says(code: &str, wanted: &str, text: &str, names: &[&str]) {
    assert_eq!(code, wanted, "{text}");
    for name in names {
        assert!(text.contains(name), "`{text}` does not name `{name}`");
    }
}

/// A gate that blocking and async code waits at until a test opens it.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    open: Mutex<bool>,
    opened: Condvar,
    told: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            shared: Arc::new(Shared {
                open: Mutex::new(false),
                opened: Condvar::new(),
                told: watch::Sender::new(false),
                arrived: watch::Sender::new(0),
            }),
        }
    }
}

impl Gate {
    /// Lets all callers through, now and later.
    pub fn open(&self) {
        *self.shared.open.lock().expect("no panic under the lock") = true;
        self.shared.opened.notify_all();
        self.shared.told.send_replace(true);
    }

    /// Waits at the gate, for async code.
    pub async fn pass(&self) {
        self.shared.arrived.send_modify(|arrived| *arrived += 1);
        let mut told = self.shared.told.subscribe();
        drop(told.wait_for(|open| *open).await);
    }

    /// Waits at the gate, for blocking code.
    pub fn pass_blocking(&self) {
        self.shared.arrived.send_modify(|arrived| *arrived += 1);
        let open = self.shared.open.lock().expect("no panic under the lock");
        let passed = self.shared.opened.wait_while(open, |open| !*open);
        drop(passed.expect("no panic under the lock"));
    }

    /// Waits until so many have come to the gate.
    pub async fn arrived(&self, wanted: usize) {
        let mut arrived = self.shared.arrived.subscribe();
        let came = within(arrived.wait_for(|arrived| *arrived >= wanted)).await;
        drop(came.expect("the gate is there"));
    }

    /// How many have come to the gate.
    pub fn count(&self) -> usize {
        *self.shared.arrived.borrow()
    }
}

/// What happened, in order.
#[derive(Clone, Default)]
pub struct Story {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Story {
    /// Adds a line.
    pub fn tell(&self, line: impl Into<String>) {
        let mut lines = self.lines.lock().expect("no panic under the lock");
        lines.push(line.into());
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic under the lock").clone()
    }
}

/// The rotations of the history, the latest declaration first.
pub async fn remembered(manager: &KeysManagement) -> Vec<RotationId> {
    let history = within(manager.history(1_000)).await.unwrap();
    history.rotations.iter().map(|report| report.id).collect()
}
