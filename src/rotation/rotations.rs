//! The rotations that have not ended, and each key's queue of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::name::KeyName;
use crate::key::state::Effect;
use crate::key::time::Time;
use crate::rotation::event::Lacks;
use crate::rotation::id::RotationId;
use crate::rotation::plan::{Header, Step};
use crate::rotation::report::UnreadableRotation;
use crate::rotation::steps::Steps;

/// A step that something is being done about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Active {
    /// It is not due yet: it gets ready while others run, so that it can be called as soon as it is.
    Ahead {
        /// Whether it is.
        ready: bool,
    },
    /// It is due and gets ready.
    Preparing {
        /// Since when.
        since: Time,
        /// What it is known to wait for.
        lacks: Option<Lacks>,
    },
    /// It is called.
    Running {
        /// Which attempt.
        attempt: u32,
    },
    /// It is of memory, and called at instances of other processes.
    Gathering {
        /// The instances that have not answered, and until when each may.
        given: BTreeMap<u64, Option<Time>>,
    },
    /// It did its work; the key takes the change into account.
    Settling {
        /// What it did to the data.
        effect: Effect,
        /// Whether it staged changes.
        staged: bool,
    },
}

impl Active {
    /// Whether it only gets ready, or is: nothing has been called.
    pub fn is_preparation(&self) -> bool {
        match self {
            Self::Ahead { .. } | Self::Preparing { .. } => true,
            Self::Running { .. } | Self::Gathering { .. } | Self::Settling { .. } => false,
        }
    }
}

/// Since when a due step waits for an instance of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Missing {
    /// Since when it is due.
    pub since: Time,
    /// When an instance joined meanwhile: the wait begins anew with that, once.
    pub joined: Option<Time>,
}

/// An instance that said how a call of data ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answered {
    /// Its number.
    pub number: u64,
    /// Which attempt it was.
    pub attempt: u32,
    /// Whether the callback has returned: that is durable with the end, and not before.
    pub returned: bool,
}

/// Until when a rotation that has turned waits for copies of other versions to be out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Drain {
    /// The key has not been asked in this life when it last answered another version.
    #[default]
    Unknown,
    /// It has been asked, as this question.
    Asked(u64),
    /// Until then.
    Until {
        /// When that is.
        end: Time,
        /// The same in milliseconds since 1970 by the wall clock, for people.
        wall_ms: u64,
    },
}

/// A rotation that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Live {
    /// What is durable, apart from the steps.
    pub header: Header,
    /// The steps.
    pub steps: Steps,
    /// What is being done about which step.
    pub active: BTreeMap<u32, Active>,
    /// The due steps that wait, and when operators are told of it.
    pub warned: BTreeMap<u32, Time>,
    /// The due steps that wait for instances of other processes.
    pub missing: BTreeMap<u32, Missing>,
    /// The steps that instances of other processes have ended: an instance is told once the end is
    /// durable.
    pub answered: BTreeMap<u32, Answered>,
    /// Whether the key has been asked what it has.
    pub snapping: bool,
    /// Until when it waits, once it has turned, for copies of other versions to be out of use.
    pub drain: Drain,
    /// The askers that wait for it to settle.
    pub waiters: BTreeSet<Ticket>,
}

impl Live {
    /// A rotation about which nothing is being done.
    pub fn new(header: Header, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            header,
            steps: steps.into_iter().collect(),
            active: BTreeMap::new(),
            warned: BTreeMap::new(),
            missing: BTreeMap::new(),
            answered: BTreeMap::new(),
            snapping: false,
            drain: Drain::Unknown,
            waiters: BTreeSet::new(),
        }
    }

    /// Whether a failed step keeps the others from running.
    pub fn is_stopping(&self) -> bool {
        self.header.strategy.stops() && self.steps.has_failed()
    }

    /// What a step waits for that is due and gets ready, as far as it is known.
    pub fn preparing(&self, no: u32) -> Option<Option<Lacks>> {
        match self.active.get(&no) {
            Some(Active::Preparing { lacks, .. }) => Some(*lacks),
            None
            | Some(
                Active::Ahead { .. }
                | Active::Running { .. }
                | Active::Gathering { .. }
                | Active::Settling { .. },
            ) => None,
        }
    }

    /// A step of this worker that is called or settling.
    pub fn running_step(&self, of: impl Fn(&Step) -> bool) -> Option<&Step> {
        let running = self.active.iter().filter(|(_, a)| !a.is_preparation());
        let mut steps = running.filter_map(|(no, _)| self.steps.get(*no));
        steps.find(|step| of(step))
    }

    /// The due steps that may be looked at next, with at most `at_once` workers at a time: each
    /// worker's own steps keep their order.
    pub fn candidates(&self, at_once: usize) -> Vec<u32> {
        let due = self.steps.fronts().take(at_once);
        due.filter(|step| step.is_due() && self.is_idle(step.no))
            .map(|step| step.no)
            .collect()
    }

    fn is_idle(&self, no: u32) -> bool {
        match self.active.get(&no) {
            None | Some(Active::Ahead { .. }) => true,
            Some(
                Active::Preparing { .. }
                | Active::Running { .. }
                | Active::Gathering { .. }
                | Active::Settling { .. },
            ) => false,
        }
    }

    /// The steps that are due when what runs now has ended, as far as that can be told; about which
    /// nothing is being done yet. Before anything runs, the first ones.
    pub fn next_candidates(&self, at_once: usize) -> Vec<u32> {
        let mut next = if self.header.begun {
            let running = self.active.iter().filter(|(_, a)| !a.is_preparation());
            let running: Vec<u32> = running.map(|(no, _)| *no).collect();
            let followers = running.iter().filter_map(|no| self.steps.follower(*no));
            let others = self.steps.fronts().skip(at_once).take(running.len());
            let mut next: Vec<u32> = followers.chain(others).map(|step| step.no).collect();
            next.sort_unstable();
            next.truncate(running.len());
            next
        } else {
            self.candidates(at_once)
        };
        next.retain(|no| !self.active.contains_key(no));
        next
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
    /// The one that has the turn.
    pub turn: Option<RotationId>,
    /// Rotations that cannot be read and had not ended, with the reason.
    pub unreadable: BTreeMap<RotationId, String>,
}

impl KeyQueue {
    /// The rotation that runs, or is next.
    pub fn first(&self) -> Option<RotationId> {
        let waiting = self.waiting.first_key_value().map(|(_, id)| *id);
        self.turn.or(waiting)
    }

    /// Whether the key is defined as it was when a rotation was accepted. A rotation whose abort failed to be
    /// written may find it defined otherwise: it stays as it is until it is aborted once more.
    pub fn is_defined_for(&self, accepted: &Header) -> bool {
        let defined = self.defined.as_ref();
        defined.is_some_and(|(behaviour, _)| behaviour.use_case == accepted.use_case)
    }
}

/// The rotations that have not ended, by id and by key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Rotations {
    live: BTreeMap<RotationId, Live>,
    queues: BTreeMap<KeyName, KeyQueue>,
    /// In which queues an unreadable rotation is: mostly one, unless records were moved.
    unreadable: BTreeMap<RotationId, BTreeSet<KeyName>>,
    /// The rotation that each asker waits for.
    waits: BTreeMap<Ticket, RotationId>,
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

    /// Every living rotation behind this one by id.
    pub fn behind(&self, id: Option<RotationId>) -> impl Iterator<Item = &Live> {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.live
            .range((from, Bound::Unbounded))
            .map(|(_, live)| live)
    }

    /// Every rotation that cannot be read and had not ended.
    pub fn unreadable(&self) -> impl Iterator<Item = UnreadableRotation> {
        let all = self.unreadable.iter();
        let all = all.flat_map(|(id, keys)| keys.iter().map(|key| (*id, key)));
        all.filter_map(|(id, key)| {
            let why = self.queues.get(key)?.unreadable.get(&id)?;
            Some(UnreadableRotation::new(id, key.clone(), true, why.clone()))
        })
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

    /// Adds one that cannot be read.
    pub fn add_unreadable(&mut self, id: RotationId, key: KeyName, why: String) {
        self.queue_mut(&key).unreadable.insert(id, why);
        self.unreadable.entry(id).or_default().insert(key);
    }

    /// Why a rotation cannot be read, if it cannot.
    pub fn unreadable_why(&self, id: RotationId) -> Option<&str> {
        let key = self.unreadable.get(&id)?.first()?;
        let why = self.queues.get(key)?.unreadable.get(&id)?;
        Some(why)
    }

    /// Takes one out that cannot be read; answers the keys that had it in their queues.
    pub fn remove_unreadable(&mut self, id: RotationId) -> BTreeSet<KeyName> {
        let keys = self.unreadable.remove(&id).unwrap_or_default();
        for key in &keys {
            self.queue_mut(key).unreadable.remove(&id);
        }
        keys
    }

    /// An asker waits for a living rotation.
    pub fn add_waiter(&mut self, ticket: Ticket, id: RotationId) {
        if let Some(live) = self.live.get_mut(&id) {
            live.waiters.insert(ticket);
            self.waits.insert(ticket, id);
        }
    }

    /// An asker waits no more.
    pub fn remove_waiter(&mut self, ticket: Ticket) {
        let id = self.waits.remove(&ticket);
        if let Some(live) = id.and_then(|id| self.live.get_mut(&id)) {
            live.waiters.remove(&ticket);
        }
    }

    /// Takes out the askers that wait for a rotation.
    pub fn take_waiters(&mut self, id: RotationId) -> BTreeSet<Ticket> {
        let live = self.live.get_mut(&id);
        let waiters = live.map(|live| std::mem::take(&mut live.waiters));
        let waiters = waiters.unwrap_or_default();
        for ticket in &waiters {
            self.waits.remove(ticket);
        }
        waiters
    }

    /// Takes out all askers that wait.
    pub fn take_all_waiters(&mut self) -> BTreeMap<Ticket, RotationId> {
        for live in self.live.values_mut() {
            live.waiters.clear();
        }
        std::mem::take(&mut self.waits)
    }

    /// The living rotations of a key.
    pub fn of_key(&self, key: &KeyName) -> Vec<RotationId> {
        let live = |queue: &KeyQueue| queue.live.iter().copied().collect();
        self.queues.get(key).map(live).unwrap_or_default()
    }
}
