//! What is seen of one key from outside, each thing with the moments at which it began and ended.
//! The moments are numbers of one counter, so that they are in the order of real time.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyward::key::event::Request;
use keyward::key::flow::SecretKeyFlow;
use keyward::key::state::{Effect, Staged};
use keyward::{RotationId, RotationState};

use crate::linearizability::operation::{Halves, StoreAnswer, Told};

/// From when to when something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Before it began.
    pub began: u64,
    /// After it ended.
    pub ended: u64,
}

/// A request of a worker.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Before it was made.
    pub began: u64,
    /// After it was answered, and what; none if the worker did not wait for it.
    pub told: Option<(u64, Told)>,
    /// What was asked.
    pub request: Request,
}

/// A call of the store.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// When.
    pub span: Span,
    /// What it answered.
    pub answer: StoreAnswer,
}

/// A call of a callback.
#[derive(Debug, Clone)]
pub struct Call {
    /// When.
    pub span: Span,
    /// For which rotation.
    pub rotation: RotationId,
    /// The worker that has the callback.
    pub worker: String,
    /// The old keys that it was given.
    pub old: Option<Halves>,
    /// The new keys that it was given.
    pub new: Option<Halves>,
    /// The last flow that its handle told.
    pub flow: Option<SecretKeyFlow>,
    /// The previous keys that its handle told.
    pub previous: Option<Halves>,
    /// What it staged by setters.
    pub staged: Vec<Staged>,
    /// The save that it staged after that.
    pub save: Option<(Span, Told)>,
    /// What it answered.
    pub answer: Result<Effect, &'static str>,
}

impl Call {
    /// The effect of its success; none if it has failed.
    pub fn effect(&self) -> Option<Effect> {
        match (self.answer, &self.new) {
            (Ok(Effect::Reencrypted), None) | (Err(_), _) => None,
            (Ok(effect), _) => Some(effect),
        }
    }

    /// Whether it staged a save.
    pub fn saves(&self) -> bool {
        matches!(self.save, Some((_, Told::Saved)))
    }

    /// Whether it may change the key's state or record.
    pub fn changes(&self) -> bool {
        let staged = !self.staged.is_empty() || self.saves();
        self.effect()
            .is_some_and(|effect| staged || effect != Effect::Nothing)
    }
}

/// A change that was declared, or resumed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// From before it was declared, or resumed, until a client knew of its end.
    pub span: Span,
    /// When a client knew that it was accepted.
    pub accepted: Option<u64>,
    /// Its rotation.
    pub rotation: RotationId,
    /// The rotation's place in the order of declarations.
    pub sequence: u64,
    /// What became of it.
    pub state: RotationState,
    /// Whether its old keys were declared.
    pub names_old: bool,
    /// Whether it was resumed.
    pub resumed: bool,
}

/// All that was seen of a key.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What workers asked.
    pub asked: Vec<Asked>,
    /// The store's calls.
    pub fetches: Vec<Fetch>,
    /// The callbacks' calls.
    pub calls: Vec<Call>,
    /// The changes.
    pub changes: Vec<Changed>,
    /// The ends of lives, until the next one had begun.
    pub restarts: Vec<Span>,
}

/// Keeps a history while it happens.
#[derive(Debug, Default)]
pub struct Recorder {
    clock: AtomicU64,
    history: Mutex<History>,
    open: Mutex<BTreeMap<u64, String>>,
}

impl Recorder {
    /// This moment, which no other call has.
    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// This moment, at which something begins.
    pub fn begin(&self, what: &dyn Debug) -> u64 {
        let began = self.now();
        self.open().insert(began, format!("{what:?}"));
        began
    }

    /// What began then and ends now.
    pub fn since(&self, began: u64) -> Span {
        let ended = self.now();
        self.open().remove(&began);
        Span { began, ended }
    }

    /// What has begun and has not ended, for a run that hangs.
    pub fn open(&self) -> MutexGuard<'_, BTreeMap<u64, String>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has been seen, to add to it.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
