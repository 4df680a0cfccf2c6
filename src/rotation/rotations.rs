//! The rotations that have not ended, and each key's queue of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::definition::KeyBehaviour;
use crate::key::name::{KeyName, WorkerName};
use crate::key::state::Effect;
use crate::key::time::Time;
use crate::rotation::event::Ask;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{Header, Step};
use crate::rotation::status::CallbackStatus;

/// A step that something is being done about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Active {
    /// Its thread is being reserved.
    Preparing {
        /// Since when.
        since: Time,
        /// For which life of its worker.
        incarnation: u64,
    },
    /// It is called.
    Running {
        /// Which attempt.
        attempt: u32,
    },
    /// It did its work; the key takes the change into account.
    Settling {
        /// What it did to the data.
        effect: Effect,
        /// Whether it staged changes.
        staged: bool,
    },
}

/// A rotation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Live {
    /// What is durable, apart from the steps.
    pub header: Header,
    /// The steps, by number, which is the plan's order.
    pub steps: BTreeMap<u32, Step>,
    /// All steps before this one are settled.
    pub first_open: u32,
    /// What is being done about which step.
    pub active: BTreeMap<u32, Active>,
    /// Whether the key has been asked what it has.
    pub snapping: bool,
    /// Who waits for it to settle.
    pub waiters: BTreeSet<Ask>,
}

impl Live {
    /// A rotation about which nothing is being done.
    pub fn new(header: Header, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            header,
            steps: steps.into_iter().map(|step| (step.no, step)).collect(),
            first_open: 0,
            active: BTreeMap::new(),
            snapping: false,
            waiters: BTreeSet::new(),
        }
    }

    /// Whether a failed step keeps the others from running.
    pub fn is_stopping(&self) -> bool {
        self.header.strategy.stops() && self.has_failed()
    }

    /// Whether a step has Failed.
    pub fn has_failed(&self) -> bool {
        let failed = |s: &Step| s.status == CallbackStatus::Failed && !s.removed;
        self.steps.values().any(failed)
    }

    /// Whether a callback said that it re-encrypted the data.
    pub fn has_reencrypted(&self) -> bool {
        let reencrypted =
            |s: &Step| s.status == CallbackStatus::Succeeded && s.effect == Effect::Reencrypted;
        self.steps.values().any(reencrypted)
    }

    /// A step of this worker that is called or settling.
    pub fn running_step(&self, of: impl Fn(&Step) -> bool) -> Option<&Step> {
        let running = |active: &Active| !matches!(active, Active::Preparing { .. });
        let numbers = self.active.iter().filter(|(_, active)| running(active));
        let mut steps = numbers.filter_map(|(no, _)| self.steps.get(no));
        steps.find(|step| of(step))
    }

    /// The number of the next step to be added.
    pub fn next_no(&self) -> u32 {
        self.steps.keys().next_back().map_or(0, |no| no + 1)
    }

    /// Moves on past the steps that are settled.
    pub fn skip_settled(&mut self) {
        let open = self
            .steps
            .range(self.first_open..)
            .find(|(_, s)| !s.is_settled());
        self.first_open = open.map_or_else(|| self.next_no(), |(no, _)| *no);
    }

    /// The due steps that may be looked at next, with at most `at_once` workers at a time: each
    /// worker's own steps keep their order.
    pub fn candidates(&self, at_once: usize) -> Vec<u32> {
        let mut busy: BTreeSet<&WorkerName> = BTreeSet::new();
        let mut candidates = Vec::new();
        for (no, step) in self.steps.range(self.first_open..) {
            if step.is_settled() {
                continue;
            }
            let free = busy.insert(&step.worker);
            if free && !self.active.contains_key(no) && step.is_due() {
                candidates.push(*no);
            }
            if busy.len() >= at_once {
                break;
            }
        }
        candidates
    }
}

/// A key as the coordinator knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyQueue {
    /// How the key behaves, and since when it is defined in this life.
    pub defined: Option<(KeyBehaviour, Time)>,
    /// Every rotation of it that has not ended.
    pub live: BTreeSet<RotationId>,
    /// Those that wait, by their place.
    pub waiting: BTreeMap<u64, RotationId>,
    /// The one whose turn it is.
    pub turn: Option<RotationId>,
    /// Rotations that cannot be read and had not ended, with the reason.
    pub unreadable: BTreeMap<RotationId, String>,
}

/// The rotations that have not ended, by id and by key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Rotations {
    live: BTreeMap<RotationId, Live>,
    queues: BTreeMap<KeyName, KeyQueue>,
}

impl Rotations {
    /// A living rotation.
    pub fn get(&self, id: RotationId) -> Option<&Live> {
        self.live.get(&id)
    }

    /// A living rotation, to be changed.
    pub fn get_mut(&mut self, id: RotationId) -> Option<&mut Live> {
        self.live.get_mut(&id)
    }

    /// Every living rotation.
    pub fn iter(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }

    /// Every living rotation, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        self.live.values_mut()
    }

    /// Adds one.
    pub fn add(&mut self, live: Live) {
        let id = live.header.id;
        self.queue_mut(&live.header.key).live.insert(id);
        self.live.insert(id, live);
    }

    /// Takes one out.
    pub fn remove(&mut self, id: RotationId) -> Option<Live> {
        let live = self.live.remove(&id)?;
        if let Some(queue) = self.queues.get_mut(&live.header.key) {
            queue.live.remove(&id);
            queue.waiting.remove(&live.header.place);
            queue.turn.take_if(|turn| *turn == id);
        }
        Some(live)
    }

    /// A key's queue.
    pub fn queue(&self, key: &KeyName) -> Option<&KeyQueue> {
        self.queues.get(key)
    }

    /// A key's queue, which may be new.
    pub fn queue_mut(&mut self, key: &KeyName) -> &mut KeyQueue {
        self.queues.entry(key.clone()).or_default()
    }

    /// Every key's queue.
    pub fn queues(&self) -> impl Iterator<Item = (&KeyName, &KeyQueue)> {
        self.queues.iter()
    }

    /// The living rotations of a key.
    pub fn of_key(&self, key: &KeyName) -> Vec<RotationId> {
        let live = |queue: &KeyQueue| queue.live.iter().copied().collect();
        self.queues.get(key).map(live).unwrap_or_default()
    }
}
