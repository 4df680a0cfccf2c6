//! Where the keys are: the way from a key's name to its actor, with admission on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::oneshot;

use crate::actors::admission::{Permit, Permits};
use crate::actors::clock::Clock;
use crate::actors::fetch::Fetcher;
use crate::actors::key_actor::{KeyMeans, KeyPart};
use crate::actors::key_message::KeyMessage;
use crate::actors::new_keys::NewKeysTurns;
use crate::actors::seen::SeenFacts;
use crate::actors::supervision::actor::ActorThread;
use crate::actors::supervision::inbox::{Full, Inbox};
use crate::actors::supervision::slot::{ActorSlot, RestartPolicy};
use crate::actors::supervision::supervisor::Supervision;
use crate::guard::fork;
use crate::key::definition::KeyBehaviour;
use crate::key::effect::Answer;
use crate::key::error::KeyError;
use crate::key::event::{Admitted, Event, Request, Ticket};
use crate::key::facts::KeyFacts;
use crate::key::flow::{SecretKeyFlow, SecretKeyUseCase};
use crate::key::name::KeyName;
use crate::key::time::Time;
use crate::operator::actor::ActorName;
use crate::worker::names;

/// How many messages more than requests may lie in a key's inbox: those of askers that are gone.
const MAX_IN_INBOX: usize = 1_024;

/// How many requests of callbacks' handles a key admits at once.
const MAX_OF_HANDLES: usize = 256;

/// A defined key: its actor, and the permits of the requests for it.
pub struct KeyEntry {
    name: KeyName,
    behaviour: Arc<KeyBehaviour>,
    slot: Arc<ActorSlot<KeyPart>>,
    inbox: Arc<Inbox<KeyMessage>>,
    seen: Arc<SeenFacts>,
    permits: Arc<Permits>,
    for_store: Arc<Permits>,
    of_handles: Arc<Permits>,
    new_keys: Arc<NewKeysTurns>,
    fetcher: Arc<Fetcher>,
    tickets: AtomicU64,
    clock: Clock,
    closed: Arc<AtomicBool>,
}

impl KeyEntry {
    /// The key's name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// How the key behaves.
    pub fn behaviour(&self) -> &Arc<KeyBehaviour> {
        &self.behaviour
    }

    /// What asks its store.
    pub(super) fn fetcher(&self) -> &Arc<Fetcher> {
        &self.fetcher
    }

    /// The turns of those requests that ask a store of new keys for this key.
    pub(super) fn new_keys(&self) -> &Arc<NewKeysTurns> {
        &self.new_keys
    }

    /// What an operator may know of it, after all that it was told so far. An actor that has dealt with
    /// everything is not asked, and one that has failed or dies answers what it knew.
    pub fn facts(self: &Arc<Self>) -> impl Future<Output = KeyFacts> + use<> {
        let asked = (!self.inbox.is_at_rest()).then(|| {
            let (reply, facts) = oneshot::channel();
            self.post(KeyMessage::Inspect(reply));
            facts
        });
        let seen = Arc::clone(&self.seen);
        async move {
            let told = match asked {
                Some(asked) => asked.await.ok(),
                None => None,
            };
            told.unwrap_or_else(|| seen.get())
        }
    }

    /// Tells the key's actor something.
    pub fn post(&self, message: KeyMessage) {
        self.slot.post(message);
    }

    /// A ticket that no request has had.
    pub fn ticket(&self) -> Ticket {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Asks the key, if a permit is free.
    ///
    /// # Errors
    /// `busy`, `shut_down`, `unavailable`, `key_failed`, and what the key answers.
    pub async fn ask(&self, request: Request) -> Result<Answer, KeyError> {
        self.ask_by(request, self.deadline()).await
    }

    /// When a request that arrives now must have been answered.
    pub fn deadline(&self) -> Time {
        self.clock.now().after(self.behaviour.request_time_limit)
    }

    /// As [`ask`](Self::ask), to be answered by this time.
    ///
    /// # Errors
    /// `busy`, `shut_down`, `unavailable`, `key_failed`, `forked`, and what the key answers.
    pub async fn ask_by(&self, request: Request, deadline: Time) -> Result<Answer, KeyError> {
        fork::refuse_child()?;
        if self.closed.load(Ordering::SeqCst) {
            return Err(self.gone());
        }
        let _for_store = match self.needs_store(&request) {
            true => Some(self.lend(&self.for_store)?),
            false => None,
        };
        let _permit = self.lend(&self.permits)?;
        self.send(request, deadline).await
    }

    fn needs_store(&self, request: &Request) -> bool {
        let one_way = self.behaviour.use_case == SecretKeyUseCase::OneWayTrip;
        match request {
            Request::Get { flow } => one_way || *flow == Some(SecretKeyFlow::ForwardPath),
            Request::AskStore => true,
            Request::Candidates
            | Request::Current { .. }
            | Request::Version { .. }
            | Request::Versions
            | Request::Save
            | Request::StageSave { .. } => false,
        }
    }

    fn lend<'a>(&self, permits: &'a Permits) -> Result<Permit<&'a Permits>, KeyError> {
        permits.lend().ok_or_else(|| self.busy(permits.bound()))
    }

    fn busy(&self, bound: usize) -> KeyError {
        let key = self.name.clone();
        KeyError::Busy { key, bound }
    }

    /// Asks the key on behalf of a callback's handle, which has a permit of its own, and goes on being
    /// answered while a shutdown gives running callbacks their time.
    ///
    /// # Errors
    /// `shut_down`, `unavailable`, `key_failed`, and what the key answers.
    pub async fn ask_of_handle(&self, request: Request) -> Result<Answer, KeyError> {
        fork::refuse_child()?;
        let _permit = self.lend(&self.of_handles)?;
        self.send(request, self.deadline()).await
    }

    async fn send(&self, request: Request, deadline: Time) -> Result<Answer, KeyError> {
        let (reply, answer) = oneshot::channel();
        let ticket = self.ticket();
        let ask = Admitted {
            ticket,
            request,
            deadline,
        };
        let bound = self.behaviour.max_requests.saturating_add(MAX_IN_INBOX);
        let asked = self.inbox.ask(KeyMessage::Ask { ask, reply }, bound);
        asked.map_err(|Full| self.busy(bound))?;
        let mut asking = PendingRequest {
            inbox: &self.inbox,
            ticket: Some(ticket),
        };
        let answered = answer.await;
        asking.ticket = None;
        answered.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Why the key has not answered.
    pub fn gone(&self) -> KeyError {
        let key = self.name.clone();
        if self.closed.load(Ordering::SeqCst) {
            return KeyError::ShutDown { key };
        }
        match self.slot.failure() {
            Some(why) => KeyError::Failed { key, why },
            None => KeyError::Unavailable { key },
        }
    }
}

/// A key that is to be defined. Nothing of it lives before it is, so that a definition that is
/// refused, or that its caller gave up, leaves nothing.
pub struct NewKey {
    /// What its actor works with.
    pub means: KeyMeans,
    /// Where its actor is to run.
    pub thread: ActorThread,
}

/// Tells the key when a caller gives up.
struct PendingRequest<'a> {
    inbox: &'a Inbox<KeyMessage>,
    ticket: Option<Ticket>,
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            drop(
                self.inbox
                    .offer(KeyMessage::Happened(Event::Gone { ticket })),
            );
        }
    }
}

/// Every defined key.
#[derive(Default)]
pub struct Directory {
    entries: RwLock<HashMap<KeyName, Arc<KeyEntry>>>,
    closed: Arc<AtomicBool>,
}

impl Directory {
    /// Gives a key that is defined now its actor, and makes it known.
    pub fn add(&self, key: NewKey, supervision: Supervision) -> Arc<KeyEntry> {
        let NewKey { means, thread } = key;
        let (name, behaviour, clock) = (means.name.clone(), means.behaviour.clone(), means.clock);
        let fetcher = Arc::clone(&means.fetcher);
        let (actor, kind) = (ActorName::Key(name.clone()), RestartPolicy::Permanent);
        let seen = Arc::<SeenFacts>::default();
        let of_actor = Arc::clone(&seen);
        let slot = ActorSlot::take(actor, kind, thread, supervision, |slot| {
            KeyPart::new(means, of_actor, Arc::clone(slot))
        });
        slot.make_known();
        let entry = Arc::new(KeyEntry {
            name: name.clone(),
            permits: Permits::new(behaviour.max_requests),
            for_store: Permits::new(behaviour.max_waiting_for_store()),
            of_handles: Permits::new(MAX_OF_HANDLES),
            new_keys: Arc::default(),
            fetcher,
            behaviour: Arc::new(behaviour),
            inbox: Arc::clone(slot.inbox()),
            slot,
            seen,
            tickets: AtomicU64::new(1),
            clock,
            closed: Arc::clone(&self.closed),
        });
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.insert(name, Arc::clone(&entry));
        entry
    }

    /// A key.
    ///
    /// # Errors
    /// `invalid_name`, `key_not_defined`, `forked`.
    pub fn find(&self, name: &str) -> Result<Arc<KeyEntry>, KeyError> {
        fork::refuse_child()?;
        match self.get(name) {
            Some(entry) => Ok(entry),
            None => {
                let key = KeyName::new(name)?;
                Err(KeyError::NotDefined { key })
            }
        }
    }

    /// A key, if it is defined.
    pub fn get(&self, key: &str) -> Option<Arc<KeyEntry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).cloned()
    }

    /// Every key, in no order.
    pub fn all(&self) -> Vec<Arc<KeyEntry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().cloned().collect()
    }

    /// Whether the manager is shut down or shutting down.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Admits no request any more; answers whether it was open.
    pub fn close(&self) -> bool {
        let was_open = !self.closed.swap(true, Ordering::SeqCst);
        names::may_be_free();
        was_open
    }

    /// Ends every key's actor.
    pub fn stop_keys(&self) {
        for entry in self.all() {
            entry.slot.post(KeyMessage::Stop);
        }
    }
}
