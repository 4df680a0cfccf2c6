//! The calls that an instance was given and has not returned, as long as this keeper lives: what is needed
//! to take in how they ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::key::flow::SecretKeyUseCase;
use crate::key::name::KeyName;
use crate::key::state::{Snapshot, Staged};
use crate::rotation::event::{StepOutcome, StepRef};
use crate::rotation::instance::InstanceEvent;
use crate::secret::scrub::Scrubber;
use crate::secret::text::ForeignText;
use crate::secret::value::{SecretKeyPair, SecretKeyValue};
use crate::wire::ends::end;
use crate::wire::generated::ended;
use crate::worker::call::{Call, CallEnd};

/// A step and its attempt, from 1; 0 where the instance is caught up with the step.
pub(super) type CallId = (StepRef, u32);

/// A call that has not returned.
pub(super) struct OpenCall {
    pub(super) key: KeyName,
    pub(super) use_case: SecretKeyUseCase,
    /// Knows the keys that a text about it may quote.
    scrubber: Scrubber,
    /// Where it catches the instance up, the call itself: it may have to be given again.
    catches_up: Option<Call>,
    /// Whether its end was told to the coordinator, over the present connection.
    is_told: bool,
    /// Whether it had passed its limit when it ended, and runs on.
    runs_on: bool,
}

impl OpenCall {
    /// A call of this key. A text of it may quote these keys.
    pub(super) fn new(
        key: KeyName,
        use_case: SecretKeyUseCase,
        quoted: impl IntoIterator<Item = SecretKeyPair>,
    ) -> Self {
        let halves = |pair: SecretKeyPair| [pair.forward().clone(), pair.back().clone()];
        let values: Vec<SecretKeyValue> = quoted.into_iter().flat_map(halves).collect();
        Self {
            key,
            use_case,
            scrubber: Scrubber::new(values),
            catches_up: None,
            is_told: false,
            runs_on: false,
        }
    }
}

impl From<&Call> for OpenCall {
    fn from(call: &Call) -> Self {
        let previous = match &call.snapshot {
            Snapshot::Known { previous, .. } => previous.clone(),
            Snapshot::Unreadable { .. } => None,
        };
        let pairs = [call.old_keys.clone(), call.new_keys.clone(), previous];
        let quoted = pairs.into_iter().flatten();
        Self::new(call.key.clone(), call.behaviour.use_case, quoted)
    }
}

/// What comes of an end that an instance tells.
pub(super) enum Told {
    /// The instance has no such call.
    Unknown,
    /// It was told already, and is not durable yet.
    Again,
    /// The coordinator is to be told.
    Event(InstanceEvent, Vec<Staged>),
}

/// The calls of an instance.
#[derive(Default)]
pub(super) struct Calls {
    open: Mutex<BTreeMap<CallId, OpenCall>>,
    caught_up: Notify,
}

impl Calls {
    fn open(&self) -> MutexGuard<'_, BTreeMap<CallId, OpenCall>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is given this call.
    pub(super) fn give(&self, call: &Call) {
        self.open().insert((call.step, call.attempt), call.into());
    }

    /// It is given this call to catch up.
    pub(super) fn catch_up(&self, call: Call) {
        let open = OpenCall::from(&call);
        let id = (call.step, 0);
        let catches_up = Some(call);
        self.open().insert(id, OpenCall { catches_up, ..open });
    }

    /// It has this call since an earlier life of the keeper.
    pub(super) fn claim(&self, id: CallId, call: OpenCall) {
        self.open().entry(id).or_insert(call);
    }

    /// Key and use case of a call that is open.
    pub(super) fn of(&self, id: CallId) -> Option<(KeyName, SecretKeyUseCase)> {
        let open = self.open();
        let call = open.get(&id).filter(|call| !call.is_told)?;
        Some((call.key.clone(), call.use_case))
    }

    /// How a call ended.
    pub(super) fn end(&self, id: CallId, outcome: Option<ended::Outcome>) -> Told {
        let (step, attempt) = id;
        let mut all = self.open();
        let Some(call) = all.get_mut(&id) else {
            return Told::Unknown;
        };
        if call.is_told {
            return Told::Again;
        }
        let (ended, still_runs) = match end(outcome, call.use_case) {
            Ok(ended) => ended,
            Err(error) => (
                CallEnd::failed(format!("its end is refused: {error}")),
                false,
            ),
        };
        let outcome = match ended.outcome {
            StepOutcome::Failed { error } => StepOutcome::Failed {
                error: ForeignText::from(error).scrubbed(&call.scrubber),
            },
            outcome @ (StepOutcome::Done { .. } | StepOutcome::Lost) => outcome,
        };
        if attempt == 0 {
            all.remove(&id);
            self.caught_up.notify_waiters();
            let error = match outcome {
                StepOutcome::Failed { error } => Some(error),
                StepOutcome::Done { .. } | StepOutcome::Lost => None,
            };
            return Told::Event(InstanceEvent::CaughtUp { step, error }, Vec::new());
        }
        (call.is_told, call.runs_on) = (true, still_runs);
        let ended_as = InstanceEvent::Ended {
            step,
            attempt,
            outcome,
            returned: !still_runs,
        };
        Told::Event(ended_as, ended.staged)
    }

    /// A callback has returned; false where the instance has no such call.
    pub(super) fn returned(&self, id: CallId) -> bool {
        self.open().remove(&id).is_some()
    }

    /// How a call ended is durable, or counts no more; false where the instance has no such call.
    pub(super) fn heard(&self, id: CallId) -> bool {
        let mut open = self.open();
        let Some(call) = open.get(&id) else {
            return false;
        };
        if !call.runs_on {
            open.remove(&id);
        }
        true
    }

    /// The instance is connected anew and has these calls: the others never began there. Answers what it
    /// is still to be caught up with.
    pub(super) fn return_with(&self, has: &BTreeSet<CallId>) -> Vec<Call> {
        let mut open = self.open();
        open.retain(|id, call| has.contains(id) || call.catches_up.is_some());
        for call in open.values_mut() {
            call.is_told = false;
        }
        let again = open.iter().filter(|(id, _)| !has.contains(id));
        again
            .filter_map(|(_, call)| call.catches_up.clone())
            .collect()
    }

    /// Whether it has this call.
    pub(super) fn has(&self, id: CallId) -> bool {
        self.open().contains_key(&id)
    }

    /// Waits until it is not being caught up with a step of this key.
    pub(super) async fn caught_up_with(&self, key: &str) {
        loop {
            let ended = self.caught_up.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            let catches_up = |((_, attempt), call): (&CallId, &OpenCall)| {
                *attempt == 0 && call.key.as_str() == key
            };
            if !self.open().iter().any(catches_up) {
                return;
            }
            ended.await;
        }
    }
}
