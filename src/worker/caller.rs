//! Running one callback inside its guard: time limit, panic to error, texts scrubbed, and the
//! handle closed when the call is over.

use std::sync::Arc;
use std::time::Duration;

use crate::guard::events::Events;
use crate::guard::fault::Fault;
use crate::guard::foreign_call::Ended;
use crate::guard::plugins::Plugins;
use crate::guard::this_thread::Role;
use crate::key::name::WorkerName;
use crate::key::state::Staged;
use crate::rotation::outcome::StepOutcome;
use crate::secret::scrub::Scrubber;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};
use crate::worker::call::{Call, CallEnd};
use crate::worker::callback::{Callback, CallbackKind, CallbackResult, KeyChange};
use crate::worker::handle::{KeyLink, OnChangeKeyDefinition, Staging};
use crate::worker::ready::Ready;

/// What a worker calls its callbacks with.
pub struct Caller {
    /// The worker's name.
    pub worker: WorkerName,
    /// Where callbacks run.
    pub plugins: Arc<Plugins>,
    /// The program's log.
    pub events: Events,
    /// What the handles of callbacks ask.
    pub link: Arc<dyn KeyLink>,
}

impl Caller {
    /// Makes a call. `told` is told its end or that its limit passed, on the thread that has it.
    #[cfg(feature = "embedded")]
    pub fn call(&self, ready: Ready, call: Call, told: impl FnOnce(CallEnd) + Send + 'static) {
        let limit = call.behaviour.callback_time_limit;
        self.call_within(ready, call, limit, |end, _| told(end));
    }

    /// As [`call`](Self::call), with what is left of the limit; `told` is also told whether the callback
    /// still runs.
    pub fn call_within(
        &self,
        ready: Ready,
        call: Call,
        left: Duration,
        told: impl FnOnce(CallEnd, bool) + Send + 'static,
    ) {
        let staging = Staging::open();
        let link = Arc::clone(&self.link);
        let handle =
            OnChangeKeyDefinition::new(&call, self.worker.clone(), Arc::clone(&staging), link);
        let limit = call.behaviour.callback_time_limit;
        let blocks = self.tells_that_it_blocks(&call);
        let previous = handle.previous_keys().ok().flatten();
        let pairs = [call.old_keys.clone(), call.new_keys.clone(), previous];
        let change = KeyChange {
            old_keys: call.old_keys,
            new_keys: call.new_keys,
            key: handle,
        };
        let Ready {
            callback: Callback { runs, in_memory },
            turn,
            thread,
        } = ready;
        let ended = move |result, still_runs| {
            let staged = staging.close();
            let scrubber = Scrubber::new(values(pairs.iter().flatten(), &staged));
            let end = end(result, limit, staged, still_runs, &scrubber);
            told(if in_memory { end.of_memory() } else { end }, still_runs);
        };
        match (runs, thread) {
            (CallbackKind::Async(function), _) => {
                let run = async move || {
                    let result = function(change).await;
                    drop(turn);
                    result
                };
                let ended = |run: Ended<_>| ended(run.answer, run.still_runs);
                let plugins = &self.plugins;
                plugins.run_async(Role::Callback, run, left, blocks, ended);
            }
            (CallbackKind::Blocking(function), Some(thread)) => {
                let run = move || {
                    let result = function(change);
                    drop(turn);
                    result
                };
                thread.run(run, left, |run| ended(run.answer, run.still_runs));
            }
            (CallbackKind::Blocking(_), None) => ended(Err(Fault::NoThread { threads: 0 }), false),
        }
    }

    /// Tells, once, that a callback blocks a thread that others need.
    fn tells_that_it_blocks(&self, call: &Call) -> impl FnOnce() + Send + use<> {
        let (key, callback) = (call.key.clone(), call.callback.clone());
        let (worker, events) = (self.worker.clone(), self.events.clone());
        move || {
            events.tell(move || {
                tracing::warn!(
                    %key,
                    %worker,
                    %callback,
                    "an async callback blocks its thread beyond its time limit; others go on, on \
                     the threads that are left: let it await, or make it a blocking callback"
                );
            });
        }
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
    limit: Duration,
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
        Err(Fault::TimedOut { .. }) if still_runs => {
            format!("time limit of {limit:?} passed; still running")
        }
        Err(Fault::TimedOut { .. }) => format!("time limit of {limit:?} passed; it was dropped"),
        Err(fault) => fault.described(scrubber),
    };
    CallEnd::failed(error)
}
