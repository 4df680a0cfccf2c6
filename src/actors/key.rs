//! The actor of one key: it steps the key's machine and starts what the effects ask for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use crate::actors::clock::Clock;
use crate::actors::fetch::{FetchEnd, fetch};
use crate::actors::journal_thread::JournalThread;
use crate::guard::plugins::Plugins;
use crate::journal::fingerprints::KeyFingerprints;
use crate::key::definition::KeyBehaviour;
use crate::key::effect::{Answer, KeyEffect};
use crate::key::error::KeyError;
use crate::key::event::{Ask, Event, Fetched, HalfPrints, Ticket};
use crate::key::machine::{KeyFacts, KeyMachine};
use crate::key::name::KeyName;
use crate::key::state::{Loaded, RecordChange, Snapshot, StateChange};
use crate::key::time::Time;
use crate::secret::scrub::Scrubber;
use crate::secret::value::SecretKeyPair;
use crate::store::keys_store::{KeysStore, StoreRequest};

/// After how long a look at a record is tried again that the repo did not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a key's actor works with.
pub struct KeyMeans {
    /// The key's name.
    pub name: KeyName,
    /// How it behaves.
    pub behaviour: KeyBehaviour,
    /// Its store.
    pub store: Arc<dyn KeysStore>,
    /// Where its records are.
    pub journal: JournalThread,
    /// Where its store runs.
    pub plugins: Arc<Plugins>,
    /// What tells whether its store answers the declared old keys.
    pub fingerprints: KeyFingerprints,
    /// The fingerprints of the old keys of the change that was declared last.
    pub declared_old: Option<HalfPrints>,
    /// The clock.
    pub clock: Clock,
}

/// What a proposal comes to.
#[derive(Debug)]
pub struct Proposed {
    /// Whether the change changes the key's state.
    pub applies: bool,
    /// What becomes of the record.
    pub record: Option<RecordChange>,
}

/// What a key's actor is told.
pub enum KeyMessage {
    /// Somebody asks.
    Ask {
        /// What.
        ask: Ask,
        /// Whom to answer.
        reply: oneshot::Sender<Result<Answer, KeyError>>,
    },
    /// Something happened that nobody waits for.
    Happened(Event),
    /// A rotation begins and wants to know what the key has.
    Snapshot {
        /// A ticket of the key's.
        ticket: Ticket,
        /// Whom to answer.
        reply: oneshot::Sender<Snapshot>,
    },
    /// A step wants to change the state.
    Propose {
        /// A ticket of the key's.
        ticket: Ticket,
        /// The change.
        change: StateChange,
        /// Whom to answer.
        reply: oneshot::Sender<Proposed>,
    },
    /// The repo did not answer a look: look again.
    LookLater {
        /// Whose look.
        ticket: Ticket,
    },
    /// What does the key hold?
    Held(oneshot::Sender<Option<SecretKeyPair>>),
    /// What may an operator know?
    Inspect(oneshot::Sender<KeyFacts>),
    /// The manager shuts down: whoever waits is told so by the end of the channel.
    Stop,
}

impl Message for KeyMessage {
    type Result = ();
}

/// The actor of one key.
pub struct KeyActor {
    machine: KeyMachine,
    means: KeyMeans,
    replies: HashMap<Ticket, oneshot::Sender<Result<Answer, KeyError>>>,
    snapshots: HashMap<Ticket, oneshot::Sender<Snapshot>>,
    proposals: HashMap<Ticket, oneshot::Sender<Proposed>>,
    timer: Option<Time>,
}

impl Actor for KeyActor {
    type Context = Context<Self>;
}

impl Handler<KeyMessage> for KeyActor {
    type Result = ();

    fn handle(&mut self, message: KeyMessage, ctx: &mut Context<Self>) {
        match message {
            KeyMessage::Ask { ask, reply } => {
                self.replies.insert(ask.ticket, reply);
                self.step(Event::Asked(ask), ctx);
            }
            KeyMessage::Happened(event) => {
                if let Event::Gone { ticket } = event {
                    self.replies.remove(&ticket);
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
            KeyMessage::LookLater { ticket } => {
                ctx.run_later(LOOK_AGAIN, move |actor, ctx| actor.look(ticket, ctx));
            }
            KeyMessage::Held(reply) => {
                let held = self.machine.held().map(|held| held.pair.clone());
                drop(reply.send(held));
            }
            KeyMessage::Inspect(reply) => drop(reply.send(self.machine.facts())),
            KeyMessage::Stop => {
                self.replies.clear();
                actix::ActorContext::stop(ctx);
            }
        }
    }
}

impl KeyActor {
    /// A key in a new lifetime.
    pub fn new(means: KeyMeans) -> Self {
        let mut machine = KeyMachine::new(means.name.clone(), means.behaviour.clone());
        let old = means.declared_old;
        machine.step(Event::Declared { old }, means.clock.now());
        Self {
            machine,
            means,
            replies: HashMap::new(),
            snapshots: HashMap::new(),
            proposals: HashMap::new(),
            timer: None,
        }
    }

    fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        for effect in self.machine.step(event, self.means.clock.now()) {
            self.perform(effect, ctx);
        }
        self.set_timer(ctx);
    }

    fn set_timer(&mut self, ctx: &mut Context<Self>) {
        let Some(due) = self.machine.next_deadline() else {
            return;
        };
        if self.timer.is_some_and(|timer| timer <= due) {
            return;
        }
        self.timer = Some(due);
        ctx.run_later(self.means.clock.now().until(due), |actor, ctx| {
            actor.timer = None;
            actor.step(Event::Tick, ctx);
        });
    }

    fn perform(&mut self, effect: KeyEffect, ctx: &mut Context<Self>) {
        match effect {
            KeyEffect::Fetch { fetch } => self.fetch(fetch, ctx),
            KeyEffect::Load { ticket } => {
                self.read(ctx, move |found| Event::Loaded { ticket, found });
            }
            KeyEffect::Look { ticket } => self.look(ticket, ctx),
            KeyEffect::Write { ticket, change } => self.write(ticket, change, ctx),
            KeyEffect::Answer { ticket, answer } => {
                if let Some(reply) = self.replies.remove(&ticket) {
                    drop(reply.send(answer));
                }
            }
            KeyEffect::Snapped { ticket, snapshot } => {
                if let Some(reply) = self.snapshots.remove(&ticket) {
                    drop(reply.send(snapshot));
                }
            }
            KeyEffect::Proposed {
                ticket,
                applies,
                record,
            } => {
                if let Some(reply) = self.proposals.remove(&ticket) {
                    drop(reply.send(Proposed { applies, record }));
                }
            }
        }
    }

    fn fetch(&self, number: u64, ctx: &Context<Self>) {
        let request = StoreRequest::new(self.means.name.as_str());
        let held = self.machine.held().map(|held| held.pair.clone());
        let halves = held
            .iter()
            .flat_map(|p| [p.forward().clone(), p.back().clone()]);
        let scrubber = Scrubber::new(halves.collect::<Vec<_>>());
        let limit = self.means.behaviour.store_time_limit;
        let (plugins, store) = (
            Arc::clone(&self.means.plugins),
            Arc::clone(&self.means.store),
        );
        let fingerprints = self.means.fingerprints.clone();
        let key = self.means.name.clone();
        let actor = ctx.address();
        actix::spawn(async move {
            let FetchEnd {
                answer,
                still_running,
            } = fetch(plugins, store, request, limit, scrubber).await;
            actor.do_send(KeyMessage::Happened(Event::Fetched {
                fetch: number,
                answer: answer.map(|keys| Fetched {
                    prints: fingerprints.of(&key, &keys.to_pair()),
                    keys,
                }),
                still_running: still_running.is_some(),
            }));
            if let Some(returned) = still_running {
                returned.await;
                actor.do_send(KeyMessage::Happened(Event::Returned));
            }
        });
    }

    /// Looks at the record for a rotation, which waits where the repo does not answer.
    fn look(&self, ticket: Ticket, ctx: &Context<Self>) {
        let key = self.means.name.clone();
        let actor = ctx.address();
        self.means.journal.submit(
            move |journal| journal.load_state(&key),
            move |found| {
                actor.do_send(match found {
                    Ok(Loaded::Unavailable { .. }) | Err(_) => KeyMessage::LookLater { ticket },
                    Ok(found) => KeyMessage::Happened(Event::Looked { ticket, found }),
                });
            },
        );
    }

    fn read(&self, ctx: &Context<Self>, event: impl FnOnce(Loaded) -> Event + Send + 'static) {
        let key = self.means.name.clone();
        let actor = ctx.address();
        self.means.journal.submit(
            move |journal| journal.load_state(&key),
            move |found| {
                let found = found.unwrap_or_else(|closed| Loaded::Unavailable {
                    why: closed.to_string(),
                });
                actor.do_send(KeyMessage::Happened(event(found)));
            },
        );
    }

    fn write(&self, ticket: Option<Ticket>, change: RecordChange, ctx: &Context<Self>) {
        let key = self.means.name.clone();
        let actor = ctx.address();
        let written = change.clone();
        self.means.journal.submit(
            move |journal| journal.save_state(&key, &written),
            move |done| {
                let result = match done {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(closed) => Err(closed.to_string()),
                };
                actor.do_send(KeyMessage::Happened(Event::Saved {
                    ticket,
                    change,
                    result,
                }));
            },
        );
    }
}
