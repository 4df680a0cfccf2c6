//! A state of the model: the real engine, and the world around it.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use keyward::key::time::Time;
use keyward::rotation::effect::Fact;
use keyward::rotation::engine::RotationEngine;
use keyward::rotation::event::{Moment, StepRef};
use keyward::rotation::plan::Step;

use crate::durable::{Broken, Journal};
use crate::model::shape::Counts;
use crate::model::versions::Versions;

/// Something that many states share and that rarely changes: its hash is taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared<T> {
    hash: u64,
    it: Arc<T>,
}

impl<T: Hash> Shared<T> {
    pub fn new(it: T) -> Self {
        let mut hasher = DefaultHasher::new();
        it.hash(&mut hasher);
        let hash = hasher.finish();
        Self {
            hash,
            it: Arc::new(it),
        }
    }
}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.it
    }
}

/// What is durable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Durable {
    pub journal: Journal,
    /// The steps with the key's state record in the state repo.
    pub records: BTreeSet<StepRef>,
}

impl Durable {
    pub fn step(&self, step: StepRef) -> Option<&Step> {
        let rotation = self.journal.rotations.get(&step.rotation);
        rotation.and_then(|(_, steps)| steps.get(&step.step))
    }
}

/// How a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Life {
    /// It has never joined: it is late.
    Never,
    /// It died, or its process ended; it will join again.
    Away,
    Joining,
    Here(u64),
    /// It wants to leave.
    Leaving(u64),
    /// It left.
    Gone,
}

impl Life {
    pub fn incarnation(self) -> Option<u64> {
        match self {
            Self::Here(incarnation) | Self::Leaving(incarnation) => Some(incarnation),
            Self::Never | Self::Away | Self::Joining | Self::Gone => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Worker {
    pub life: Life,
    /// How many of its callbacks it has registered in this life.
    pub registered: usize,
    /// Whether it waits for the answer to a registration.
    pub registering: bool,
}

/// A thread that is reserved for a callback, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thread {
    pub step: StepRef,
    pub worker: usize,
    pub key: usize,
    /// Whether it was not due when it was last prepared.
    pub ahead: bool,
    pub is_there: bool,
}

/// A callback that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    pub step: StepRef,
    pub attempt: u32,
    pub worker: usize,
    pub callback: usize,
    pub key: usize,
}

/// What a key was asked to take into account and has not adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proposal {
    pub step: StepRef,
    pub overtaken: bool,
    pub resumed: bool,
    /// Whether the key has answered.
    pub answered: bool,
}

/// A promise that was broken on the way to a state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    Again,
    NotDurable,
    Order,
    Turn,
    Atomic,
    Lost,
    Crash,
    Late,
    /// Steps began while a copy of another version may be written with.
    Early,
    /// A version does not owe who wrote with it.
    Debt,
    Journal(Broken),
    Shell(&'static str),
}

/// A state of the model. Two states are one if nothing that can be told apart later differs:
/// what would only grow (times, ask numbers) is kept still, so that the derived comparison is
/// enough. The engine's number of the last write still tells apart what a failed write or a death
/// of the coordinator has made equal: that makes more states than there need be, and hides none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub engine: RotationEngine,
    pub durable: Shared<Durable>,
    /// The batch under way.
    pub batch: Option<Shared<Vec<Fact>>>,
    /// Whether the last batch with an unknown outcome was made.
    pub was_made: bool,
    pub is_reading: bool,
    /// Whether this life is being ended in an orderly way.
    pub is_closing: bool,
    /// The rotations for which a key was asked what it has.
    pub snapshots: Vec<usize>,
    pub threads: Vec<Thread>,
    pub calls: Vec<Call>,
    pub proposals: Vec<Proposal>,
    /// What is recorded and not adopted yet, in the order of the journal.
    pub owed: Vec<StepRef>,
    pub workers: Vec<Worker>,
    /// Which keys are defined in this life.
    pub defined: Vec<bool>,
    /// How many rotations were declared, and which of them were accepted.
    pub declared: usize,
    pub accepted: BTreeSet<usize>,
    /// The rotations that a client waits for.
    pub waited: BTreeSet<usize>,
    pub versions: Versions,
    pub used: Counts,
    pub time: Time,
    pub broken: Option<Rule>,
}

impl State {
    pub fn now(&self) -> Moment {
        Moment {
            time: self.time,
            wall_ms: 0,
        }
    }

    /// Notes the first promise that is broken.
    pub fn expect(&mut self, holds: bool, rule: Rule) {
        if !holds && self.broken.is_none() {
            self.broken = Some(rule);
        }
    }
}
