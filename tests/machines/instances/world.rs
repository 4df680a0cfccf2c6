//! A state: the real engine, what is durable, and the processes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyward::key::definition::{KeyBehaviour, OnKeyChangedCallbackErrorStrategy};
use keyward::key::flow::SecretKeyUseCase;
use keyward::key::name::{CallbackName, KeyName, WorkerName};
use keyward::key::time::Time;
use keyward::rotation::effect::Fact;
use keyward::rotation::engine::RotationEngine;
use keyward::rotation::event::{Declaration, DeclaredVersion, Moment, OldKeys, StepRef};
use keyward::rotation::id::RotationId;
use keyward::rotation::instance::{CallbackOf, Process};
use keyward::rotation::machine::{RotationConfig, RotationMachine};
use keyward::rotation::plan::Declared;
use uuid::Uuid;

use crate::durable::Journal;
use crate::instances::moves::Move;

/// How often what may happen at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// The keeper is killed, and started again.
    pub crashes: u8,
    /// A write fails.
    pub writes: u8,
    /// A connection is cut.
    pub cuts: u8,
    /// A process dies; another one comes in its place.
    pub deaths: u8,
    /// Time passes while something is still under way.
    pub late: u8,
    /// A callback fails.
    pub failures: u8,
    /// An operator resumes.
    pub resumes: u8,
    /// The repo does not answer the keys of a call.
    pub unread: u8,
}

/// A world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// What the callback of each worker changes.
    pub workers: &'static [CallbackOf],
    /// How many instances each has.
    pub instances: usize,
    pub rotations: usize,
    pub most: Counts,
}

/// How far a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    Dead,
    Fresh,
    Joining,
    Joined,
    Registering,
    Registered,
    Readying,
    Ready,
}

/// A process with a worker's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proc {
    pub worker: usize,
    pub id: u32,
    pub life: Life,
    pub number: Option<u64>,
    pub connected: bool,
    pub returning: bool,
    pub running: Vec<(StepRef, u32)>,
    /// The ends of calls that it was not told to be durable.
    pub ended: Vec<(StepRef, u32, bool)>,
    /// The steps of memory that it has done.
    pub did: BTreeSet<StepRef>,
    /// The attempts that began here.
    pub began: BTreeSet<(StepRef, u32)>,
}

impl Proc {
    pub fn new(worker: usize, id: u32) -> Self {
        Self {
            worker,
            id,
            life: Life::Fresh,
            number: None,
            connected: false,
            returning: false,
            running: Vec::new(),
            ended: Vec::new(),
            did: BTreeSet::new(),
            began: BTreeSet::new(),
        }
    }

    pub fn process(&self) -> Process {
        Process {
            id: self.id,
            user: 0,
            is_known_again: true,
            identity: self.id.to_be_bytes().to_vec(),
        }
    }
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub shape: Shape,
    pub engine: RotationEngine,
    pub journal: Journal,
    pub batch: Option<Vec<Fact>>,
    pub was_made: bool,
    pub reading: bool,
    pub procs: Vec<Proc>,
    pub next_process: u32,
    pub snapshots: Vec<RotationId>,
    pub proposals: BTreeMap<StepRef, bool>,
    pub defined: bool,
    pub declared: usize,
    pub declaring: bool,
    pub used: Counts,
    pub time: Time,
    /// The keys of the next call are not answered.
    pub keys_away: bool,
    pub broken: Option<String>,
}

pub fn rid(rotation: usize) -> RotationId {
    let number = u128::try_from(rotation).expect("small");
    RotationId::new(Uuid::from_u128(number + 1))
}

pub fn worker(number: usize) -> WorkerName {
    WorkerName::new(&format!("w{number}")).expect("a name")
}

pub fn key() -> KeyName {
    KeyName::new("k").expect("a name")
}

pub fn callback() -> CallbackName {
    CallbackName::new("c").expect("a name")
}

pub fn config() -> RotationConfig {
    RotationConfig {
        worker_wait: Some(Duration::from_secs(60)),
        warn_after: None,
        max_crashes: 5,
        max_callbacks: 8,
        instances_at_once: 2,
        reopen_every: Duration::from_secs(5),
    }
}

pub fn behaviour() -> KeyBehaviour {
    KeyBehaviour {
        use_case: SecretKeyUseCase::RoundTrip,
        stateless: false,
        keep_in_cache: true,
        error_strategy: OnKeyChangedCallbackErrorStrategy::Halt,
        store_time_limit: Duration::from_secs(10),
        request_time_limit: Duration::from_secs(15),
        callback_time_limit: Duration::from_secs(30),
        workers_at_once: 1,
        max_requests: 8,
        max_waiting_rotations: 8,
        versions: None,
    }
}

pub fn declaration(rotation: usize) -> Declaration {
    let id = rid(rotation);
    Declaration {
        id,
        chosen: true,
        key: key(),
        declared: Declared::default(),
        old: OldKeys::Given,
        new_unasked: false,
        old_keys: None,
        new_keys: Some(id.as_uuid().as_u128()),
        by: Default::default(),
        version: DeclaredVersion::default(),
    }
}

impl World {
    /// Every process is ready, and nothing is declared.
    pub fn new(shape: &Shape) -> Self {
        let mut world = Self {
            shape: *shape,
            engine: RotationEngine::new(RotationMachine::new(config())),
            journal: Journal::default(),
            batch: None,
            was_made: false,
            reading: false,
            procs: Vec::new(),
            next_process: 100,
            snapshots: Vec::new(),
            proposals: BTreeMap::new(),
            defined: false,
            declared: 0,
            declaring: false,
            used: Counts::default(),
            time: Time::default(),
            keys_away: false,
            broken: None,
        };
        world.journal.next_sequence = 1;
        for worker in 0..shape.workers.len() {
            for _ in 0..shape.instances {
                world.next_process += 1;
                world.procs.push(Proc::new(worker, world.next_process));
            }
        }
        loop {
            let moves = world.going_on(shape);
            let begins = |next: &&Move| !matches!(next, Move::Declare);
            let Some(next) = moves.iter().find(begins).copied() else {
                return world;
            };
            world.play(shape, next);
        }
    }

    pub fn now(&self) -> Moment {
        Moment {
            time: self.time,
            wall_ms: 0,
        }
    }

    pub fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// Where nothing happens any more: every rotation has ended or was stopped, and no process has an end
    /// that it was not told to be durable.
    pub fn check_rest(&self, way: &[Move]) {
        let told = way.len().saturating_sub(60);
        let way = &way[told..];
        let open = self.journal.rotations.values();
        let open = open.filter(|(header, _)| header.state.goes_on()).count();
        assert_eq!(open, 0, "a rotation goes on for ever, after {way:#?}");
        let most = &self.shape.most;
        if [most.late, most.failures, most.deaths, most.writes] == [0; 4] {
            let stopped = self.journal.rotations.len();
            assert_eq!(stopped, 0, "nothing fails, and one stops, after {way:#?}");
        }
        for one in self.procs.iter().filter(|one| one.life != Life::Dead) {
            assert!(one.ended.is_empty(), "{one:?} keeps an end, after {way:#?}");
        }
        assert_eq!(self.broken, None, "after {way:#?}");
    }
}
