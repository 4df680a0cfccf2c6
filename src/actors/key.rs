//! The actor of one key: it steps the key's machine and starts what the effects ask for. What it
//! knows outlives it, so that its successor goes on where it died.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actors::clock::Clock;
use crate::actors::end::End;
use crate::actors::fetch::Fetcher;
use crate::actors::journal_thread::JournalThread;
use crate::actors::key_message::{KeyMessage, Proposed};
use crate::actors::key_step::Step;
use crate::actors::replies::Replies;
use crate::actors::seen::{SeenFacts, Shown};
use crate::actors::supervision::actor::{self, Part, Then};
use crate::actors::supervision::slot::ActorSlot;
use crate::guard::events::Events;
use crate::guard::run::Returned;
use crate::journal::fingerprints::KeyFingerprints;
use crate::key::declared::Declared;
use crate::key::definition::KeyBehaviour;
use crate::key::effect::KeyEffect;
use crate::key::event::{Event, FetchFailure, Fetched, Ticket};
use crate::key::machine::KeyMachine;
use crate::key::name::KeyName;
use crate::key::state::{Loaded, RecordChange, Snapshot};
use crate::key::time::Time;
use crate::rotation::id::RotationId;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeyValue;

/// After how long a look at a record, or a write of one, is tried again that the repo refused.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a key's actor works with.
pub struct KeyMeans {
    /// The key's name.
    pub name: KeyName,
    /// How it behaves.
    pub behaviour: KeyBehaviour,
    /// What asks its store.
    pub fetcher: Arc<Fetcher>,
    /// Where its records are.
    pub journal: JournalThread,
    /// What tells whether its store answers what was declared.
    pub fingerprints: KeyFingerprints,
    /// The keys of the change that was declared last.
    pub declared: Declared,
    /// Told when it is unknown whether a write was made.
    pub in_doubt: Arc<dyn Fn(String) + Send + Sync>,
    /// The program's log.
    pub events: Events,
    /// The clock.
    pub clock: Clock,
}

/// What a key's actor may have done in its present life.
pub(super) type Ctx<'a> = actor::Ctx<'a, KeyPart>;

/// What a key's actor knows.
pub struct KeyPart {
    pub(super) machine: KeyMachine,
    pub(super) shown: Shown,
    pub(super) means: KeyMeans,
    pub(super) slot: Arc<ActorSlot<KeyPart>>,
    pub(super) replies: Replies,
    snapshots: HashMap<Ticket, oneshot::Sender<Snapshot>>,
    proposals: HashMap<Ticket, oneshot::Sender<Proposed>>,
    /// How the keys of rotations begin, which no text may show.
    known: HashMap<RotationId, Vec<SecretKeyValue>>,
    /// What is still to be performed, also by a successor.
    pub(super) effects: VecDeque<KeyEffect>,
    pub(super) step: Step,
    /// Whether somebody is told when the first of those who wait is due.
    timer: bool,
}

impl Part for KeyPart {
    type Message = KeyMessage;

    fn begin(&mut self, ctx: &mut Ctx) {
        self.timer = false;
        self.take_up(ctx);
        self.perform_all();
        self.set_timer(ctx);
    }

    fn handle(&mut self, message: KeyMessage, ctx: &mut Ctx) -> Then {
        match message {
            KeyMessage::Ask { ask, reply } => {
                if !reply.is_closed() {
                    self.replies.asks(ask.ticket, reply);
                    self.step(Event::Asked(ask), ctx);
                    self.replies.wait();
                }
            }
            KeyMessage::Happened(event) => {
                if let Event::Gone { ticket } = event {
                    drop(self.replies.take(ticket));
                }
                if let Event::Withdraw { ticket } = event {
                    self.proposals.remove(&ticket);
                }
                self.step(event, ctx);
            }
            KeyMessage::Fetched {
                fetch,
                answer,
                still_running,
            } => {
                let event = Event::Fetched {
                    fetch,
                    answer,
                    still_running: still_running.is_some(),
                };
                if let Some(returned) = still_running {
                    self.post_when(returned);
                }
                self.step(event, ctx);
            }
            KeyMessage::Snapshot { ticket, reply } => {
                self.snapshots.insert(ticket, reply);
                self.step(Event::Snapshot { ticket }, ctx);
            }
            KeyMessage::Propose {
                ticket,
                change,
                reply,
            } => {
                self.proposals.insert(ticket, reply);
                self.step(Event::Propose { ticket, change }, ctx);
            }
            KeyMessage::LookLater { ticket, why } => {
                self.post_later(KeyMessage::LookAgain { ticket });
                self.step(Event::InDoubt { ticket, why }, ctx);
            }
            KeyMessage::LookAgain { ticket } => self.look(ticket),
            KeyMessage::Held(reply) => {
                let held = self.machine.held().map(|held| held.pair.clone());
                drop(reply.send(held));
            }
            KeyMessage::Scrubber(also, reply) => drop(reply.send(self.scrubber_of(also))),
            KeyMessage::Knows {
                rotation,
                beginnings,
            } => drop(self.known.insert(rotation, beginnings)),
            KeyMessage::Forgets { rotation } => drop(self.known.remove(&rotation)),
            KeyMessage::Inspect(reply) => drop(reply.send(self.machine.facts())),
            KeyMessage::Stop => return Then::End,
        }
        Then::GoOn
    }

    fn fail(&mut self, _why: &str) {
        self.forget_requests();
    }

    fn deadline(&self) -> Option<Time> {
        self.machine.next_deadline()
    }

    fn scrubber(&self) -> Scrubber {
        self.scrubber_of(Vec::new())
    }
}

impl KeyPart {
    /// A key in a new lifetime.
    pub fn new(means: KeyMeans, seen: Arc<SeenFacts>, slot: Arc<ActorSlot<KeyPart>>) -> Self {
        let mut machine = KeyMachine::new(means.name.clone(), means.behaviour.clone());
        machine.step(Event::Declared(means.declared), means.clock.now());
        Self {
            machine,
            shown: Shown::new(seen),
            means,
            slot,
            replies: Replies::default(),
            snapshots: HashMap::new(),
            proposals: HashMap::new(),
            known: HashMap::new(),
            effects: VecDeque::new(),
            step: Step::Done,
            timer: false,
        }
    }

    /// Tells itself something after a while, in whichever life of the actor that is.
    fn post_later(&self, message: KeyMessage) {
        let slot = Arc::clone(&self.slot);
        actor::spawn(async move {
            tokio::time::sleep(LOOK_AGAIN).await;
            slot.post(message);
        });
    }

    pub(super) fn set_timer(&mut self, ctx: &mut Ctx) {
        // All requests of a key have the same limit: who comes later is not due before.
        if self.timer {
            return;
        }
        let Some(due) = self.machine.next_deadline() else {
            return;
        };
        self.timer = true;
        ctx.later(self.means.clock.now().until(due), |part, ctx| {
            part.timer = false;
            part.step(Event::Tick, ctx);
        });
    }

    pub(super) fn perform(&mut self, effect: &KeyEffect) {
        self.slot.fault_points().pass();
        match effect {
            KeyEffect::Fetch { fetch } => self.fetch(*fetch),
            KeyEffect::GiveUpFetch => self.means.fetcher.give_up(),
            KeyEffect::Load { ticket } => self.read(*ticket),
            KeyEffect::Look { ticket } => self.look(*ticket),
            KeyEffect::Write { ticket, change } => self.write(*ticket, change.clone()),
            KeyEffect::WriteLater => self.post_later(KeyMessage::Happened(Event::WriteAgain)),
            KeyEffect::WarnOfStore { has_old } => self.warn_of_store(*has_old),
            KeyEffect::Answer { .. } => {}
            KeyEffect::Snapped { ticket, snapshot } => {
                if let Some(reply) = self.snapshots.remove(ticket) {
                    drop(reply.send(snapshot.clone()));
                }
            }
            KeyEffect::Proposed {
                ticket,
                applies,
                record,
            } => {
                if let Some(reply) = self.proposals.remove(ticket) {
                    let (applies, record) = (*applies, record.clone());
                    drop(reply.send(Proposed { applies, record }));
                }
            }
        }
    }

    /// What clears texts of the keys that this key knows, and of others.
    fn scrubber_of(&self, also: Vec<SecretKeyValue>) -> Scrubber {
        let held = self.machine.held().map(|held| &held.pair);
        let held = held.into_iter().flat_map(|p| [p.forward(), p.back()]);
        let known = held.chain(self.known.values().flatten()).cloned();
        Scrubber::new(known.chain(also))
    }

    fn warn_of_store(&self, has_old: bool) {
        let what = if has_old {
            "neither the old nor the new keys of the change that was declared last; compare them: \
             is there a line end too many, or is it another value?"
        } else {
            "others than the new keys of the change that was declared last, which named no old keys; \
             if the store has switched, compare them: is there a line end too many?"
        };
        let key = self.means.name.clone();
        self.means
            .events
            .tell(move || tracing::warn!(%key, "the store answers {what}"));
    }

    fn fetch(&self, number: u64) {
        let fingerprints = self.means.fingerprints.clone();
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        let scrubber = self.scrubber();
        let why = "how the fetch ended was lost in a panic".to_owned();
        let lost = (Err(FetchFailure::Failed { why }), None);
        let end = End::new(lost, move |(answer, still_running)| {
            slot.post(KeyMessage::Fetched {
                fetch: number,
                answer,
                still_running,
            });
        });
        self.means.fetcher.fetch(scrubber, move |fetched| {
            let answer = fetched.answer.map(|fetched| Fetched {
                prints: fingerprints.of(&key, &fetched.keys.to_pair()),
                keys: fetched.keys,
            });
            end.tell((answer, fetched.still_running));
        });
    }

    /// Tells itself when the thread of a fetch has come back that had passed its limit.
    fn post_when(&self, returned: Returned) {
        let slot = Arc::clone(&self.slot);
        actor::spawn(async move {
            returned.await;
            slot.post(KeyMessage::Happened(Event::Returned));
        });
    }

    /// Looks at the record for a rotation, which waits where the repo does not answer.
    fn look(&self, ticket: Ticket) {
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        self.means.journal.submit(
            move |journal| journal.load_state(&key),
            move |found| {
                slot.post(match found {
                    Ok(Loaded::Unavailable { why }) => KeyMessage::LookLater { ticket, why },
                    Ok(found) => KeyMessage::Happened(Event::Looked { ticket, found }),
                    Err(closed) => {
                        let why = closed.to_string();
                        KeyMessage::LookLater { ticket, why }
                    }
                });
            },
        );
    }

    fn read(&self, ticket: Ticket) {
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        self.means.journal.submit(
            move |journal| journal.load_state(&key),
            move |found| {
                let found = found.unwrap_or_else(|closed| Loaded::Unavailable {
                    why: closed.to_string(),
                });
                slot.post(KeyMessage::Happened(Event::Loaded { ticket, found }));
            },
        );
    }

    fn write(&self, ticket: Option<Ticket>, change: RecordChange) {
        let key = self.means.name.clone();
        let slot = Arc::clone(&self.slot);
        let in_doubt = Arc::clone(&self.means.in_doubt);
        let written = change.clone();
        self.means.journal.save(key, written, move |result| {
            if let Err(failure) = &result
                && failure.unknown
            {
                in_doubt(failure.why.clone());
            }
            slot.post(KeyMessage::Happened(Event::Saved {
                ticket,
                change,
                result,
            }));
        });
    }
}
