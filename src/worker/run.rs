//! Running one callback inside its guard: time limit, panic to error, texts scrubbed, and the
//! handle closed when the call is over.

use std::sync::Arc;
use std::time::Duration;

use crate::guard::fault::Fault;
use crate::guard::place::Role;
use crate::guard::plugins::Plugins;
use crate::guard::threads::Slot;
use crate::key::state::Staged;
use crate::rotation::event::StepOutcome;
use crate::secret::scrub::Scrubber;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};
use crate::worker::callback::{Callback, CallbackResult, KeyChange, Kind};
use crate::worker::handle::Staging;
use crate::worker::running::Turn;

/// How a call ended, and what it staged.
#[derive(Debug)]
pub struct CallEnd {
    /// The outcome.
    pub outcome: StepOutcome,
    /// What the handle staged, if the callback succeeded.
    pub staged: Vec<Staged>,
}

impl CallEnd {
    /// A call that failed, for a reason that quotes no foreign text.
    pub fn failed(why: impl Into<String>) -> Self {
        Self {
            outcome: StepOutcome::Failed { error: why.into() },
            staged: Vec::new(),
        }
    }
}

/// What a call needs apart from what the callback is given.
pub struct CallMeans {
    /// The right to call, given back when the callback has really returned.
    pub turn: Turn,
    /// The thread, for a blocking callback.
    pub thread: Option<Slot>,
    /// How long it may take.
    pub limit: Duration,
    /// Told if it is async and blocks its thread beyond its limit. It must be quick.
    pub blocks: Box<dyn FnOnce() + Send>,
}

/// Calls a callback. `told` is told its end or that its limit passed, on the thread that has it.
pub fn call(
    plugins: &Plugins,
    callback: Callback,
    change: KeyChange,
    staging: Arc<Staging>,
    means: CallMeans,
    told: impl FnOnce(CallEnd) + Send + 'static,
) {
    let previous = change.key.previous_keys().ok().flatten();
    let pairs = [change.old_keys.clone(), change.new_keys.clone(), previous];
    let ended = move |result, still_runs| {
        let staged = staging.close();
        let scrubber = Scrubber::new(values(pairs.iter().flatten(), &staged));
        told(end(result, staged, still_runs, &scrubber));
    };
    let CallMeans {
        turn,
        thread,
        limit,
        blocks,
    } = means;
    match (callback.0, thread) {
        (Kind::Async(call), _) => {
            let run = async move || {
                let result = call(change).await;
                drop(turn);
                result
            };
            plugins.run_async(Role::Callback, run, limit, blocks, |run| {
                ended(run.answer, run.still_runs);
            });
        }
        (Kind::Blocking(call), Some(thread)) => {
            let run = move || {
                let result = call(change);
                drop(turn);
                result
            };
            thread.run(run, limit, |run| ended(run.answer, run.still_runs));
        }
        (Kind::Blocking(_), None) => ended(Err(Fault::NoThread { threads: 0 }), false),
    }
}

/// The key values that a callback may quote: those that it was given, and those that it staged.
fn values<'a>(
    given: impl Iterator<Item = &'a SecretKeyPair>,
    staged: &[Staged],
) -> Vec<SecretKeyValue> {
    let halves = |pair: &SecretKeyPair| [pair.forward().clone(), pair.back().clone()];
    let mut values: Vec<_> = given.flat_map(halves).collect();
    for staged in staged {
        match staged {
            Staged::PreviousKeys(pair) => values.extend(halves(pair)),
            Staged::Save { asked } => values.extend(asked.clone()),
            Staged::LastFlow(_) | Staged::Clean => {}
        }
    }
    values
}

fn end(
    result: Result<CallbackResult, Fault>,
    staged: Vec<Staged>,
    still_runs: bool,
    scrubber: &Scrubber,
) -> CallEnd {
    let error = match result {
        Ok(Ok(effect)) => {
            let outcome = StepOutcome::Done {
                effect,
                staged: !staged.is_empty(),
            };
            return CallEnd { outcome, staged };
        }
        Ok(Err(text)) => text.scrubbed(scrubber),
        Err(Fault::TimedOut { limit }) if still_runs => {
            format!("time limit of {limit:?} passed; still running")
        }
        Err(Fault::TimedOut { limit }) => format!("time limit of {limit:?} passed; it was dropped"),
        Err(fault) => fault.described(scrubber),
    };
    CallEnd::failed(error)
}
