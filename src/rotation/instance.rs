//! Instances: the processes that have joined under a worker's name, what is durable of each, and what
//! they tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::outcome::{StepOutcome, StepRef};

/// How many processes may have a worker's name at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum Sharing {
    /// One.
    #[default]
    Sole,
    /// Any number: the processes of a server that forks its workers ahead.
    Shared,
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sole => "sole",
            Self::Shared => "shared",
        })
    }
}

/// What a callback changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
pub enum CallbackOf {
    /// What outlives the process: files, a table. One instance is called.
    #[default]
    Data,
    /// What dies with the process: a client's token, a loaded key. Every instance is called.
    Memory,
}

impl fmt::Display for CallbackOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Memory => "memory",
        })
    }
}

/// A process other than the keeper's. What tells it from every other process is made and understood
/// outside: here it is only compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Its process id, for people.
    pub id: u32,
    /// The user whose process it is, for people.
    pub user: u32,
    /// Whether a keeper that starts again can tell by itself that it lives. Else it may be called twice then.
    pub is_known_again: bool,
    /// What tells it from every other process, also from a later one of the same id.
    pub identity: Vec<u8>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({})", self.id)
    }
}

/// A call that an instance was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GivenCall {
    /// Which attempt.
    pub attempt: u32,
    /// The key that changes.
    pub key: KeyName,
    /// What its callback changes.
    pub of: CallbackOf,
    /// Whether it has done its work for a step of memory, which others are still to do. Else it has not
    /// returned: the process may be running it.
    pub done: bool,
}

/// What is durable of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// Its worker.
    pub worker: WorkerName,
    /// Its number, which no other instance ever has.
    pub number: u64,
    /// Its process.
    pub process: Process,
    /// Whether it has said that it is ready to be called.
    pub ready: bool,
    /// Whether its handle was dropped: it only ends what it runs.
    pub dropped: bool,
    /// The callbacks that it has registered.
    pub registered: BTreeSet<(KeyName, CallbackName)>,
    /// The calls that it was given and that have not returned, and those that are done.
    pub calls: BTreeMap<StepRef, GivenCall>,
}

impl Instance {
    /// One that has just joined.
    pub fn new(worker: WorkerName, number: u64, process: Process) -> Self {
        Self {
            worker,
            number,
            process,
            ready: false,
            dropped: false,
            registered: BTreeSet::new(),
            calls: BTreeMap::new(),
        }
    }

    /// Whether it has registered this callback.
    pub fn has(&self, key: &KeyName, callback: &CallbackName) -> bool {
        let mut registered = self.registered.iter();
        registered.any(|(of, name)| of == key && name == callback)
    }

    /// The calls that have not returned.
    pub fn unreturned(&self) -> impl Iterator<Item = (&StepRef, &GivenCall)> {
        self.calls.iter().filter(|(_, call)| !call.done)
    }

    /// Whether it may be running a callback for this key.
    pub fn is_busy_with(&self, key: &KeyName) -> bool {
        self.unreturned().any(|(_, call)| call.key == *key)
    }

    /// This attempt of a step, if it was given that.
    pub fn given(&self, step: StepRef, attempt: u32) -> Option<&GivenCall> {
        let call = self.calls.get(&step);
        call.filter(|call| call.attempt == attempt)
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, process) = (self.number, self.process.id);
        write!(f, "instance {number} (process {process})")
    }
}

/// What happens at an instance of another process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum InstanceEvent {
    /// Nothing connects it with the keeper.
    Absent,
    /// Its handle was dropped: its name is free, and what it runs it still ends.
    Dropped,
    /// Its process has ended, by the kernel's word, and all that it had sent was read.
    ProcessEnded,
    /// A call was never handed to it.
    Uncalled {
        /// Which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
    },
    /// A call ended. It is told once more after each new connection, until it is told to be durable.
    Ended {
        /// Which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
        /// How.
        outcome: StepOutcome,
        /// Whether the callback has returned; one that passed its time limit may not have.
        returned: bool,
    },
    /// A callback has returned, which ended before.
    Returned {
        /// Which step.
        step: StepRef,
        /// Which attempt.
        attempt: u32,
    },
    /// It was caught up with a step, however that ended.
    CaughtUp {
        /// Which step.
        step: StepRef,
        /// Why that failed, if it did.
        error: Option<String>,
    },
}

impl InstanceEvent {
    /// Whether the name of its worker may be free after it.
    pub fn may_free_a_name(&self) -> bool {
        matches!(self, Self::Dropped | Self::ProcessEnded)
    }

    /// Whether it is told once, and has to become durable.
    pub fn is_told_once(&self) -> bool {
        match self {
            Self::Dropped
            | Self::ProcessEnded
            | Self::Uncalled { .. }
            | Self::Ended { .. }
            | Self::Returned { .. } => true,
            Self::Absent | Self::CaughtUp { .. } => false,
        }
    }
}
