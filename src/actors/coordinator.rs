//! The coordinator's actor: it steps the rotation machine, writes the facts, and performs what
//! waits for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use crate::actors::clock::Clock;
use crate::actors::declare::Declarer;
use crate::actors::directory::KeyEntry;
use crate::actors::journal_thread::JournalThread;
use crate::actors::key::Proposed;

use crate::actors::overview::Overview;
use crate::actors::worker::{WorkerActor, WorkerMessage};
use crate::guard::plugins::Plugins;
use crate::journal::load::RotationSecrets;
use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Effect, RecordChange, Snapshot, Staged};
use crate::key::time::Time;
use crate::rotation::effect::{Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Event, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::outbox::Outbox;
use crate::worker::callback::Callback;

/// What comes with a request, apart from what its event says.
pub enum With {
    /// Nothing.
    Nothing,
    /// The keys of a declared change.
    Secrets(RotationSecrets),
    /// A key that is being defined.
    Key(Arc<KeyEntry>),
    /// A worker that joins.
    Worker(WorkerName),
    /// A callback that is being registered.
    Callback {
        /// Whose.
        worker: WorkerName,
        /// For which key.
        key: KeyName,
        /// Its name.
        name: CallbackName,
        /// The callback.
        callback: Callback,
    },
}

/// What the coordinator is told.
pub enum CoordinatorMessage {
    /// Somebody asks.
    Ask {
        /// Makes the event.
        make: Box<dyn FnOnce(Ask) -> Event + Send>,
        /// What comes with it.
        with: Box<With>,
        /// Whom to answer.
        reply: oneshot::Sender<Result<Reply, RotationError>>,
    },
    /// Something happened that nobody waits for.
    Happened(Box<Event>),
    /// A key told what it has.
    Snapped {
        /// For which rotation.
        rotation: RotationId,
        /// What it has.
        snapshot: Snapshot,
    },
    /// A key told what becomes of its state.
    Proposed {
        /// For which step.
        step: StepRef,
        /// What it told.
        proposed: Proposed,
    },
    /// The batch under way ended.
    Written(Result<(), String>),
    /// What may an operator know?
    Overview(oneshot::Sender<Overview>),
    /// An operator takes the keys of a rotation that still holds them.
    Recover {
        /// Which.
        id: RotationId,
        /// Whom to answer.
        reply: oneshot::Sender<Option<RotationSecrets>>,
    },
    /// The manager shuts down.
    Close {
        /// How long running callbacks may go on.
        grace: Duration,
        /// Whom to tell when everything is durable.
        reply: oneshot::Sender<()>,
    },
}

impl Message for CoordinatorMessage {
    type Result = ();
}

/// What the coordinator works with.
pub struct CoordinatorMeans {
    /// Where the facts go.
    pub journal: JournalThread,
    /// Where callbacks run.
    pub plugins: Arc<Plugins>,
    /// The clock.
    pub clock: Clock,
    /// Where the workers' actors run.
    pub arbiter: ArbiterHandle,
    /// The database's random id.
    pub database: [u8; 16],
}

/// A call of a callback that is prepared or under way.
pub(super) struct Calling {
    pub(super) worker: Addr<WorkerActor>,
    pub(super) name: WorkerName,
}

enum Closing {
    No,
    Draining(oneshot::Sender<()>),
    Flushing(oneshot::Sender<()>),
}

/// After so many requests the coordinator lets go of those who do not wait any more.
const FORGET_EVERY: Ask = 1_024;

/// The coordinator's actor.
pub struct CoordinatorActor {
    pub(super) machine: RotationMachine,
    pub(super) means: CoordinatorMeans,
    pub(super) declarer: Declarer,
    pub(super) outbox: Outbox,
    pub(super) replies: HashMap<Ask, oneshot::Sender<Result<Reply, RotationError>>>,
    pub(super) offered: HashMap<Ask, RotationSecrets>,
    pub(super) joining: HashMap<Ask, WorkerName>,
    pub(super) secrets: BTreeMap<RotationId, RotationSecrets>,
    pub(super) keys: HashMap<KeyName, Arc<KeyEntry>>,
    pub(super) workers: HashMap<WorkerName, Addr<WorkerActor>>,
    pub(super) calls: HashMap<StepRef, Calling>,
    pub(super) done: HashMap<StepRef, (Effect, Vec<Staged>)>,
    pub(super) proposals: HashMap<StepRef, (Ticket, KeyName, Option<RecordChange>)>,
    next_ask: Ask,
    timer: Option<Time>,
    closing: Closing,
}

impl Actor for CoordinatorActor {
    type Context = Context<Self>;
}

impl CoordinatorActor {
    /// A coordinator with the machine and the secrets that the journal left. Callbacks declare
    /// changes through `declarer`.
    pub fn new(
        machine: RotationMachine,
        secrets: BTreeMap<RotationId, RotationSecrets>,
        means: CoordinatorMeans,
        declarer: Declarer,
    ) -> Self {
        Self {
            machine,
            means,
            declarer,
            outbox: Outbox::default(),
            replies: HashMap::new(),
            offered: HashMap::new(),
            joining: HashMap::new(),
            secrets,
            keys: HashMap::new(),
            workers: HashMap::new(),
            calls: HashMap::new(),
            done: HashMap::new(),
            proposals: HashMap::new(),
            next_ask: 0,
            timer: None,
            closing: Closing::No,
        }
    }

    fn asked(
        &mut self,
        make: Box<dyn FnOnce(Ask) -> Event + Send>,
        with: With,
        reply: oneshot::Sender<Result<Reply, RotationError>>,
        ctx: &mut Context<Self>,
    ) {
        self.next_ask += 1;
        let ask = self.next_ask;
        if ask.is_multiple_of(FORGET_EVERY) {
            self.forget_the_gone(ctx);
        }
        self.replies.insert(ask, reply);
        let mut registering = None;
        let mut defining = None;
        match with {
            With::Nothing => {}
            With::Secrets(secrets) => {
                self.offered.insert(ask, secrets);
            }
            With::Key(entry) => {
                let name = entry.name().clone();
                if !self.keys.contains_key(&name) {
                    self.keys.insert(name.clone(), entry);
                    defining = Some(name);
                }
            }
            With::Worker(worker) => {
                self.joining.insert(ask, worker);
            }
            With::Callback {
                worker,
                key,
                name,
                callback,
            } => {
                registering = Some((worker, key, name, callback));
            }
        }
        let effects = self.machine.step(make(ask), self.means.clock.moment());
        if refuses(&effects, ask) {
            defining.map(|name| self.keys.remove(&name));
        } else if let Some(entry) = defining.and_then(|name| self.keys.get(&name)) {
            self.declarer.directory.add(Arc::clone(entry));
        } else if let Some((worker, key, name, callback)) = registering {
            self.add_callback(&worker, key, name, callback);
        }
        self.take_in(effects, ctx);
    }

    /// Lets go of those who asked and do not wait any more.
    fn forget_the_gone(&mut self, ctx: &mut Context<Self>) {
        let gone = self.replies.extract_if(|_, reply| reply.is_closed());
        let asks: Vec<Ask> = gone.map(|(ask, _)| ask).collect();
        for ask in asks {
            self.step(Event::Gone { ask }, ctx);
        }
    }

    /// Steps the machine.
    pub(super) fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        let effects = self.machine.step(event, self.means.clock.moment());
        self.take_in(effects, ctx);
    }

    fn take_in(&mut self, effects: Vec<RotationEffect>, ctx: &mut Context<Self>) {
        self.keep_secrets(&effects);
        self.tell_removals(&effects);
        for effect in self.outbox.take_in(effects) {
            self.perform(effect, ctx);
        }
        if let Some(batch) = self.outbox.next_batch() {
            self.write(batch, ctx);
        }
        self.set_timer(ctx);
        self.close_if_drained(ctx);
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

    fn written(&mut self, result: Result<(), String>, ctx: &mut Context<Self>) {
        match result {
            Ok(()) => {
                for effect in self.outbox.written() {
                    self.perform(effect, ctx);
                }
                self.take_in(Vec::new(), ctx);
            }
            Err(why) => {
                tracing::error!(
                    %why,
                    "a write to the journal failed, whether it was made is unknown; rotations pause"
                );
                for effect in self.outbox.fail() {
                    self.give_up(effect, &why);
                }
                self.step(Event::Paused { why }, ctx);
            }
        }
    }

    fn close(&mut self, grace: Duration, reply: oneshot::Sender<()>, ctx: &mut Context<Self>) {
        self.closing = Closing::Draining(reply);
        ctx.run_later(grace, |actor, ctx| actor.interrupt(ctx));
        self.step(Event::Close, ctx);
    }

    fn interrupt(&mut self, ctx: &mut Context<Self>) {
        match std::mem::replace(&mut self.closing, Closing::No) {
            Closing::Draining(reply) => {
                self.closing = Closing::Flushing(reply);
                self.step(Event::Interrupt, ctx);
            }
            other => self.closing = other,
        }
    }

    fn close_if_drained(&mut self, ctx: &mut Context<Self>) {
        match std::mem::replace(&mut self.closing, Closing::No) {
            Closing::No => {}
            Closing::Draining(reply) => {
                let drained = !self.machine.has_running();
                self.closing = Closing::Draining(reply);
                if drained {
                    self.interrupt(ctx);
                }
            }
            Closing::Flushing(reply) if self.outbox.is_settled() => drop(reply),
            Closing::Flushing(reply) => self.closing = Closing::Flushing(reply),
        }
    }
}

fn refuses(effects: &[RotationEffect], asked: Ask) -> bool {
    effects.iter().any(|effect| {
        matches!(effect, RotationEffect::Reply { ask, reply: Err(_), .. } if *ask == asked)
    })
}

impl Handler<CoordinatorMessage> for CoordinatorActor {
    type Result = ();

    fn handle(&mut self, message: CoordinatorMessage, ctx: &mut Context<Self>) {
        match message {
            CoordinatorMessage::Ask { make, with, reply } => self.asked(make, *with, reply, ctx),
            CoordinatorMessage::Happened(event) => self.step(*event, ctx),
            CoordinatorMessage::Snapped { rotation, snapshot } => {
                if let Some(secrets) = self.secrets.get_mut(&rotation) {
                    secrets.snapshot = Some(snapshot);
                }
                self.step(Event::Snapped { rotation }, ctx);
            }
            CoordinatorMessage::Proposed { step, proposed } => {
                if self.machine.paused().is_some() {
                    self.withdraw(step);
                } else if let Some((_, _, record)) = self.proposals.get_mut(&step) {
                    *record = proposed.record;
                }
                let applies = proposed.applies;
                self.step(Event::Proposed { step, applies }, ctx);
            }
            CoordinatorMessage::Written(result) => self.written(result, ctx),
            CoordinatorMessage::Overview(reply) => drop(reply.send(self.overview())),
            CoordinatorMessage::Recover { id, reply } => {
                drop(reply.send(self.secrets.get(&id).cloned()));
            }
            CoordinatorMessage::Close { grace, reply } => self.close(grace, reply, ctx),
        }
    }
}

impl Handler<WorkerMessage> for CoordinatorActor {
    type Result = ();

    fn handle(&mut self, message: WorkerMessage, ctx: &mut Context<Self>) {
        match message {
            WorkerMessage::Prepared { step } => self.step(Event::Prepared { step }, ctx),
            WorkerMessage::Ended { step, attempt, end } => {
                if let StepOutcome::Done { effect, .. } = &end.outcome {
                    self.done.insert(step, (*effect, end.staged));
                }
                self.calls.remove(&step);
                let outcome = end.outcome;
                self.step(
                    Event::Ended {
                        step,
                        attempt,
                        outcome,
                    },
                    ctx,
                );
                // What the step wanted of it has been taken; the rest is of no use to anybody.
                self.done.remove(&step);
            }
        }
    }
}
