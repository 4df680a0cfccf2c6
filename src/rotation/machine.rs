//! The coordinator's machine: `step(event, now)` answers the effects, in order. This file takes
//! events in and serves definitions; `presence` serves workers and registrations, `declare` declarations;
//! `run` takes the rotations through their plans, `given` and `memory` call instances of other processes,
//! `operate` serves the operator, `replay` starts after a crash, `recover` goes on in the same process.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::time::Time;
use crate::key::versions::table::VersionTable;
use crate::rotation::catching_up::CatchingUp;
use crate::rotation::counting::Counting;
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Event, Moment, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::roster::{MemberCallback, Roster};
use crate::rotation::rotations::Rotations;

/// The coordinator's settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationConfig {
    /// How long a due step waits for its worker and callback; none for ever.
    pub worker_wait: Option<Duration>,
    /// How long a due step waits until an operator is told; none for never.
    pub warn_after: Option<Duration>,
    /// After how many crashes in a row a step has Failed.
    pub max_crashes: u32,
    /// How many callbacks a worker may have.
    pub max_callbacks: usize,
    /// How many instances are called at once for a step of memory.
    pub instances_at_once: usize,
    /// How long after one attempt to read a journal anew that failed the next one is made.
    pub reopen_every: Duration,
}

/// From how many crashes on a step is only called while no other such step runs.
pub const SUSPECT_CRASHES: u32 = 2;

/// The coordinator's state and rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationMachine {
    pub(crate) config: RotationConfig,
    pub(crate) roster: Roster,
    pub(crate) rotations: Rotations,
    pub(crate) next_sequence: u64,
    pub(crate) incarnations: u64,
    pub(crate) timers: BTreeSet<(Time, StepRef)>,
    pub(crate) due: BTreeMap<StepRef, Time>,
    /// When operators are told of steps that wait long.
    pub(crate) warnings: BTreeSet<(Time, StepRef)>,
    pub(crate) suspect: Option<StepRef>,
    pub(crate) after_suspect: BTreeSet<RotationId>,
    /// The searches of the history that are under way, with the id that each is for. One is taken
    /// out when what it finds will not be true any more.
    pub(crate) searching: BTreeMap<Ticket, RotationId>,
    /// The searches of old keys that are under way, with the key and the id that each is for. One is
    /// taken out as `searching` is.
    pub(crate) finding: BTreeMap<Ticket, (KeyName, RotationId)>,
    /// The instances that are being caught up, by their registrations.
    pub(crate) catching_up: BTreeMap<Ticket, CatchingUp>,
    /// How many processes in a row ended while they were caught up with a callback.
    pub(crate) ends_in_catching_up: BTreeMap<(WorkerName, KeyName, CallbackName), u32>,
    /// How many calls instances were given in this life.
    pub(crate) given: u64,
    /// The versions of each key that has some.
    pub(crate) versions: BTreeMap<KeyName, Result<VersionTable, String>>,
    /// How many questions keys were asked in this life about what they answered.
    pub(crate) questions: u64,
    /// Of which keys it is counted how long nothing is written with versions of theirs.
    pub(crate) counting: BTreeMap<KeyName, Counting>,
    pub(crate) closed: bool,
    pub(crate) paused: Option<JournalDown>,
    pub(crate) writes: u64,
    pub(crate) facts: Vec<Fact>,
    pub(crate) effects: Vec<RotationEffect>,
}

impl RotationMachine {
    /// A coordinator that knows of nothing; `replay` fills it.
    pub fn new(config: RotationConfig) -> Self {
        Self {
            config,
            roster: Roster::default(),
            rotations: Rotations::default(),
            next_sequence: 1,
            incarnations: 0,
            timers: BTreeSet::new(),
            due: BTreeMap::new(),
            warnings: BTreeSet::new(),
            suspect: None,
            after_suspect: BTreeSet::new(),
            searching: BTreeMap::new(),
            finding: BTreeMap::new(),
            catching_up: BTreeMap::new(),
            ends_in_catching_up: BTreeMap::new(),
            given: 0,
            versions: BTreeMap::new(),
            questions: 0,
            counting: BTreeMap::new(),
            closed: false,
            paused: None,
            writes: 0,
            facts: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Takes one event in; answers what is to be done, in order.
    pub fn step(&mut self, event: Event, now: Moment) -> Vec<RotationEffect> {
        self.handle(event, now);
        self.take_effects()
    }

    /// The effects so far, the facts of this step first and as one write.
    pub(crate) fn take_effects(&mut self) -> Vec<RotationEffect> {
        let effects = std::mem::take(&mut self.effects);
        if self.facts.is_empty() {
            return effects;
        }
        let no = self.writes + 1;
        self.writes = no;
        let facts = std::mem::take(&mut self.facts);
        let mut all = vec![RotationEffect::Write { no, facts }];
        all.extend(effects);
        all
    }

    /// The write that what is said now must wait for: this step's, or else the last one.
    pub(crate) fn this_write(&self) -> u64 {
        self.writes + u64::from(!self.facts.is_empty())
    }

    #[rustfmt::skip] // One event a line, as in a table.
    fn handle(&mut self, event: Event, now: Moment) {
        match event {
            Event::Define { ticket, keys } => self.define(ticket, keys, now),
            Event::LookForVersions { ticket, keys } => self.look_for_versions(ticket, keys),
            Event::BeginVersions { ticket, key, first } => self.begin_versions(ticket, key, first, now),
            Event::Join { ticket, worker, sharing, process: None } => self.join(ticket, worker, sharing),
            Event::Join { ticket, worker, sharing, process: Some(process) } => {
                self.join_from(ticket, worker, sharing, process, now);
            }
            Event::Return { ticket, worker, number, process, has } => {
                self.returns(ticket, (worker, number), &process, &has, now);
            }
            Event::Ready { ticket, worker, number } => self.ready(ticket, worker, number, now),
            Event::RemoveInstance { ticket, worker, number, by } => {
                self.remove_instance(ticket, (worker, number), by, now);
            }
            Event::Instance { worker, number, event } => self.at_instance(&worker, number, event, now),
            Event::Died { worker, incarnation } => self.died(&worker, incarnation, now),
            Event::Leave { ticket, worker, incarnation, by } => self.leave(ticket, (worker, incarnation), by, now),
            Event::RemoveCallback { ticket, worker, key, callback, by } => {
                self.remove_callback(ticket, (worker, key, callback), by, now);
            }
            Event::Register { ticket, worker, incarnation, key, callback, of } => {
                let callback = MemberCallback { worker, key, callback, registered: 0, of };
                self.register(ticket, callback, incarnation, now);
            }
            Event::Declare { ticket, declaration } => self.declare(ticket, declaration, now),
            Event::Searched { ticket, declaration, found } => {
                self.searched(ticket, declaration, found, now);
            }
            Event::OldFound { ticket, declaration, found } => {
                self.old_found(ticket, declaration, found, now);
            }
            Event::Wait { ticket, id } => self.wait(ticket, id),
            Event::Gone { ticket } => self.gone(ticket),
            Event::Resume { ticket, id, by } => self.resume(ticket, id, by, now),
            Event::Abort { ticket, id, confirmed, by } => self.abort(ticket, (id, &confirmed), by, now),
            Event::Dismiss { ticket, id, by } => self.dismiss(ticket, id, by, now),
            Event::Snapped { rotation } => self.snapped(rotation, now),
            Event::Prepared { step } => self.prepared(step, now),
            Event::Lacks { step, lacks } => self.lacks(step, lacks),
            Event::Ended { step, attempt, outcome } => self.ended(step, attempt, outcome, now),
            Event::Uncalled { step, attempt } => self.uncalled(step, attempt, now),
            Event::Proposed { step, applies } => self.proposed(step, applies, now),
            Event::LastWritten { rotation, asked, last } => self.last_written(rotation, asked, last, now),
            Event::HandOut { key, version, worker } => self.hand_out(&key, version, &worker, now),
            Event::Paused { why } => self.pause(why),
            Event::Recovered(recovery) => self.recover(*recovery, now),
            Event::Close => self.closed = true,
            Event::Interrupt => self.interrupt(now),
            Event::Tick => self.tick(now),
        }
    }

    /// Tells an asker, as soon as what it is told is durable. While rotations are paused no write
    /// ends any more: what is told then rests on none.
    pub(crate) fn reply(&mut self, ticket: Ticket, reply: Result<Reply, RotationError>) {
        let after = if self.paused.is_some() {
            0
        } else {
            self.this_write()
        };
        self.effects.push(RotationEffect::Reply {
            after,
            ticket,
            reply,
        });
    }

    /// Whether requests that need the journal are admitted; answers the asker if not.
    pub(crate) fn admits(&mut self, ticket: Ticket) -> bool {
        let refusal = if self.closed {
            RotationError::ShutDown { id: None }
        } else if let Some(why) = self.paused.clone() {
            RotationError::of_journal(None, why)
        } else {
            return true;
        };
        self.effects.push(RotationEffect::Reply {
            after: 0,
            ticket,
            reply: Err(refusal),
        });
        false
    }

    /// Whether callbacks may be called: not at the end of this life, and not while nothing can be
    /// made durable.
    pub(crate) fn goes_on(&self) -> bool {
        !self.closed && self.paused.is_none()
    }

    /// The next number of the one sequence.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next_sequence;
        self.next_sequence += 1;
        self.facts.push(Fact::NextSequence(self.next_sequence));
        number
    }

    fn define(&mut self, ticket: Ticket, keys: Vec<(KeyName, KeyBehaviour)>, now: Moment) {
        if self.closed {
            self.reply(ticket, Err(RotationError::ShutDown { id: None }));
            return;
        }
        let mut names = BTreeSet::new();
        for (key, behaviour) in &keys {
            let twice = !names.insert(key);
            if let Some(why) = self.not_definable(key, behaviour, twice) {
                let key = key.clone();
                self.reply(ticket, Err(RotationError::InvalidDefinition { key, why }));
                return;
            }
        }
        let names: Vec<KeyName> = keys.iter().map(|(key, _)| key.clone()).collect();
        let mut versions = false;
        for (key, behaviour) in keys {
            versions |= behaviour.versions.is_some();
            self.end_versions(&key, &behaviour);
            self.rotations.queue_mut(&key).defined = Some((behaviour, now.time));
            // A definition is of this life only: it waits for no write.
            let of = key.clone();
            self.effects
                .push(RotationEffect::Defined { ticket, key: of });
            self.tell_versions(&key);
        }
        // It waits for the versions that a key is told, or that are gone where it is defined without.
        let waits = (versions || !self.facts.is_empty()) && self.paused.is_none();
        let after = if waits { self.this_write() } else { 0 };
        self.effects.push(RotationEffect::Reply {
            after,
            ticket,
            reply: Ok(Reply::Done),
        });
        for key in names {
            self.time_answers(&key, now);
            self.begin_counting(&key, now);
            self.advance_key(&key, now);
        }
    }

    /// Why a key cannot be defined as it is meant to be, if it cannot.
    fn not_definable(
        &self,
        key: &KeyName,
        behaviour: &KeyBehaviour,
        twice: bool,
    ) -> Option<String> {
        let misfit = self.rotations.of_key(key).into_iter().find(|id| {
            self.rotations.get(*id).is_some_and(|live| {
                live.header.state.is_unfinished() && live.header.use_case != behaviour.use_case
            })
        });
        match (twice || self.is_defined(key), misfit) {
            (true, _) => Some("it is defined already in this manager; define it once".to_owned()),
            (false, Some(id)) => Some(format!(
                "rotation {id} was accepted with another use case and is unfinished; define the \
                 key as it was, or abort the rotation"
            )),
            (false, None) => self.misfit_of_versions(key, behaviour),
        }
    }
}
