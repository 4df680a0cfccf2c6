//! The coordinator's actor: it steps the engine of all rotations and performs its actions. Its part
//! outlives it; a successor reads the journal anew, while callbacks are still under way.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actors::clock::Clock;
use crate::actors::coordinator::deferred::{Arrived, Deferred};
use crate::actors::coordinator::message::CoordinatorMessage;
use crate::actors::coordinator::work::{Requests, RotationWork, StepWork};
use crate::actors::declarer::Declarer;
use crate::actors::history_thread::HistoryThread;
use crate::actors::journal_thread::{DoubtfulBatch, JournalThread};
use crate::actors::supervision::actor::{self, ActorThread, Part, Then};
use crate::actors::supervision::slot::ActorSlot;
use crate::actors::supervision::supervisor::Supervision;
use crate::guard::events::Events;
use crate::guard::fault::keeping;
use crate::guard::plugins::Plugins;
use crate::journal::load::LoadedJournal;
use crate::key::event::WriteFailure;
use crate::key::journal_down::JournalDown;
use crate::key::name::WorkerName;
use crate::key::time::Time;
use crate::key::versions::held::VersionValues;
use crate::rotation::engine::{Action, Reread, RotationEngine};
use crate::rotation::event::{Event, StepRef};
use crate::rotation::half::Before;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{Declared, Header};
use crate::secret::value::SecretKeyValue;
use crate::worker::link::WorkerLink;
use crate::worker::names;

/// What the coordinator works with.
pub struct CoordinatorMeans {
    /// Where the facts go.
    pub journal: JournalThread,
    /// Where callbacks run.
    pub plugins: Arc<Plugins>,
    /// The clock.
    pub clock: Clock,
    /// Where the workers' actors run.
    pub thread: ActorThread,
    /// Starts actors again.
    pub supervision: Supervision,
    /// Keeps the history.
    pub history: HistoryThread,
    /// What is told to the log.
    pub events: Events,
    /// The database's random id.
    pub database: [u8; 16],
}

/// How far a shutdown is.
pub(super) enum Closing {
    /// There is none.
    No,
    /// Running callbacks have until then.
    Draining(oneshot::Sender<()>, Time),
    /// The last writes are awaited.
    Flushing(oneshot::Sender<()>),
    /// Everything is durable, and nothing is written any more.
    Flushed,
}

/// What the engine was taking in when an actor died.
pub(super) enum Half {
    /// An event, and what was before it.
    Step(Box<(Event, Before)>),
    /// The end of a batch.
    Written(u64, Result<(), WriteFailure>),
    /// What the journal has.
    Reread,
}

/// What the shell knows of the batch under way.
#[derive(Default)]
pub(super) struct BatchUnderWay {
    /// The rotations whose keys it has.
    pub(super) with_keys: Vec<RotationId>,
    /// What it declares.
    pub(super) declares: Vec<(Header, Declared)>,
}

/// What the coordinator may have done in its present life.
pub(super) type Ctx<'a> = actor::Ctx<'a, CoordinatorPart>;

/// What the coordinator knows.
pub struct CoordinatorPart {
    pub(super) engine: RotationEngine,
    pub(super) means: CoordinatorMeans,
    pub(super) slot: Arc<ActorSlot<CoordinatorPart>>,
    pub(super) declarer: Declarer,
    pub(super) requests: Requests,
    pub(super) steps: HashMap<StepRef, StepWork>,
    pub(super) rotations: BTreeMap<RotationId, RotationWork>,
    pub(super) workers: HashMap<WorkerName, Arc<dyn WorkerLink>>,
    /// The values of all versions of keys that are not destroyed.
    pub(super) values: VersionValues,
    /// The ways to the instances of other processes that are connected.
    pub(super) instances: BTreeMap<(WorkerName, u64), Arc<dyn WorkerLink>>,
    pub(super) searches: usize,
    pub(super) batch: BatchUnderWay,
    doubtful: Option<DoubtfulBatch>,
    /// Whether a successor still reads the journal; requests are deferred meanwhile.
    pub(super) catching_up: bool,
    deferred: Deferred,
    /// What is still to be performed, also by a successor.
    actions: VecDeque<Action>,
    /// What is being taken in; still here if that panicked.
    pub(super) half: Option<Half>,
    /// An event that is taken in once more, because the machine's step over it was lost in a panic.
    pub(super) again: Option<Event>,
    lives: u64,
    timer: Option<Time>,
    pub(super) closing: Closing,
}

impl Part for CoordinatorPart {
    type Message = CoordinatorMessage;

    fn begin(&mut self, ctx: &mut Ctx) {
        self.timer = None;
        self.lives += 1;
        if self.lives > 1 {
            self.recover(ctx);
            names::may_be_free();
        } else {
            self.tell_who_needs_a_person();
        }
    }

    fn handle(&mut self, message: CoordinatorMessage, ctx: &mut Ctx) -> Then {
        match message {
            CoordinatorMessage::Ticket {
                request,
                reply,
                permit,
            } => {
                drop(permit);
                let arrived = Arrived { request, reply };
                if self.catching_up {
                    self.deferred.add(arrived);
                } else {
                    self.arrived(arrived, ctx);
                }
            }
            CoordinatorMessage::Happened(event) => self.happened(*event, ctx),
            CoordinatorMessage::OldFound {
                ticket,
                declaration,
                found,
            } => self.old_found(ticket, *declaration, found, ctx),
            CoordinatorMessage::Snapped { rotation, snapshot } => {
                // What the key had when it began is told once: a look that was asked for before the
                // journal was read anew may be answered after the first effect, or before the keys.
                let begins = self.engine.machine().is_beginning(rotation);
                let work = self.rotations.get_mut(&rotation).filter(|_| begins);
                if let Some(had) = work.and_then(RotationWork::snapshot) {
                    *had = Some(snapshot);
                    self.step(Event::Snapped { rotation }, ctx);
                }
            }
            CoordinatorMessage::Keys { rotation, found } => self.keys_read(rotation, found),
            CoordinatorMessage::ReadKeys { rotation } => self.read_keys_again(rotation),
            CoordinatorMessage::CatchUp(again) => self.catch_up_again(again),
            CoordinatorMessage::Proposed {
                step,
                ticket,
                proposed,
            } => self.proposed(step, ticket, proposed, ctx),
            CoordinatorMessage::Worker(message) => self.worker_told(message, ctx),
            CoordinatorMessage::Written { number, result } => self.written(number, result, ctx),
            CoordinatorMessage::InDoubt(why) => {
                self.tell_if_lost(&why);
                let actions = self.engine.interrupted(why, self.means.clock.moment());
                self.act(actions, ctx);
            }
            CoordinatorMessage::Reread(found) => self.reread(found, ctx),
            CoordinatorMessage::List(listing) => self.list(listing),
            CoordinatorMessage::Recover { id, reply, permit } => {
                drop(reply.send(self.secrets(id).cloned()));
                drop(permit);
            }
            CoordinatorMessage::Find { id, reply, permit } => {
                drop(reply.send(self.find(id)));
                drop(permit);
            }
            CoordinatorMessage::Halves { key, reply, permit } => {
                drop(reply.send(self.halves(&key)));
                drop(permit);
            }
            CoordinatorMessage::Close { grace, reply } => self.close(grace, reply, ctx),
        }
        Then::GoOn
    }

    fn fail(&mut self, _why: &str) {
        self.requests.fail();
        self.deferred.take();
        self.closing = Closing::No;
    }
}

impl CoordinatorPart {
    /// A coordinator with the engine and the secrets that the journal left. Callbacks declare
    /// changes through `declarer`.
    pub fn new(
        engine: RotationEngine,
        beginnings: BTreeMap<RotationId, Vec<SecretKeyValue>>,
        values: VersionValues,
        means: CoordinatorMeans,
        declarer: Declarer,
        slot: Arc<ActorSlot<CoordinatorPart>>,
    ) -> Self {
        let rotation = |(id, beginnings)| {
            let rotation = RotationWork {
                beginnings,
                ..RotationWork::default()
            };
            (id, rotation)
        };
        let rotations = beginnings.into_iter().map(rotation).collect();
        Self {
            engine,
            means,
            slot,
            declarer,
            requests: Requests::default(),
            steps: HashMap::new(),
            rotations,
            workers: HashMap::new(),
            values,
            instances: BTreeMap::new(),
            searches: 0,
            batch: BatchUnderWay::default(),
            doubtful: None,
            catching_up: false,
            deferred: Deferred::default(),
            actions: VecDeque::new(),
            half: None,
            again: None,
            lives: 0,
            timer: None,
            closing: Closing::No,
        }
    }

    /// Steps the engine.
    pub(super) fn step(&mut self, event: Event, ctx: &mut Ctx) {
        let frees = event.may_free_a_name();
        let before = self.engine.before(&event);
        self.half = Some(Half::Step(Box::new((event.clone(), before))));
        self.slot.fault_points().pass();
        let actions = self.engine.step(event, self.means.clock.moment());
        self.slot.fault_points().pass();
        self.act(actions, ctx);
        if frees {
            names::may_be_free();
        }
    }

    /// Performs what the engine wants done. It is kept until it is performed, by a successor if it must
    /// be.
    pub(super) fn act(&mut self, actions: Vec<Action>, ctx: &mut Ctx) {
        self.actions.extend(actions);
        self.half = None;
        while !self.actions.is_empty() {
            self.slot.fault_points().pass();
            match self.actions.pop_front() {
                Some(Action::Write(batch)) => self.write(batch),
                Some(action) => {
                    let put_back = |part: &mut Self, action| part.actions.push_front(action);
                    keeping(self, action, Self::do_it, put_back);
                }
                None => {}
            }
        }
        self.set_timer(ctx);
        self.close_if_drained(ctx);
    }

    fn do_it(&mut self, action: &Action) {
        self.slot.fault_points().pass();
        match action {
            Action::Write(_) => {}
            Action::Reopen => self.reopen(),
            Action::Perform(effect) => self.perform(effect),
        }
    }

    fn set_timer(&mut self, ctx: &mut Ctx) {
        let Some(due) = self.engine.next_deadline() else {
            return;
        };
        if self.timer.is_some_and(|timer| timer <= due) {
            return;
        }
        self.timer = Some(due);
        let wait = self.means.clock.now().until(due);
        ctx.later(wait, |part, ctx| {
            part.timer = None;
            part.step(Event::Tick, ctx);
        });
    }

    pub(super) fn written(&mut self, number: u64, result: Result<(), WriteFailure>, ctx: &mut Ctx) {
        if let Err(WriteFailure { why, unknown }) = result.clone() {
            self.doubtful = unknown.then(|| DoubtfulBatch::new(number));
            if !self.tell_if_lost(&why) {
                self.means.events.tell(move || {
                    tracing::error!(%why, unknown, "a write to the journal failed; rotations pause");
                });
            }
        }
        let failed = result.as_ref().err().map(|failure| failure.why.why.clone());
        if let Err(failure) = &result {
            self.tell_debtors(&failure.why);
        }
        let with_keys = std::mem::take(&mut self.batch.with_keys);
        if self.doubtful.is_none() {
            self.tell_declared(result.is_ok());
        }
        self.half = Some(Half::Written(number, result.clone()));
        self.slot.fault_points().pass();
        let actions = self.engine.written(result, self.means.clock.moment());
        self.act(actions, ctx);
        match failed {
            Some(why) => self.doubt_proposals(&why),
            None => self.put_keys_away(&with_keys),
        }
    }

    fn reread(&mut self, found: Result<(bool, Box<LoadedJournal>), JournalDown>, ctx: &mut Ctx) {
        self.half = Some(Half::Reread);
        self.slot.fault_points().pass();
        let found = match found {
            Ok((batch_was_made, loaded)) => {
                self.tell_declared(batch_was_made);
                let LoadedJournal {
                    facts,
                    beginnings,
                    values,
                    ..
                } = *loaded;
                self.values = values;
                self.take_beginnings(beginnings);
                let text = "the journal was read anew; rotations go on";
                self.means.events.tell(move || tracing::info!("{text}"));
                Ok(Reread {
                    facts,
                    batch_was_made,
                })
            }
            Err(why) => {
                let text = "the journal cannot be read; rotations stay paused";
                if !self.tell_if_lost(&why) {
                    let why = why.clone();
                    self.means
                        .events
                        .tell(move || tracing::error!(%why, "{text}"));
                }
                Err(why)
            }
        };
        let is_known = found.is_ok();
        let actions = self.engine.reopened(found, self.means.clock.moment());
        if is_known {
            self.doubtful = None;
        }
        self.act(actions, ctx);
        if is_known {
            self.put_all_keys_away();
        }
        self.catching_up = false;
        for arrived in self.deferred.take() {
            self.arrived(arrived, ctx);
        }
    }

    pub(super) fn doubtful(&self) -> Option<DoubtfulBatch> {
        self.doubtful.clone()
    }
}
