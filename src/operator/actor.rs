//! Actors as an operator sees them.

use std::fmt;

use crate::key::name::{KeyName, WorkerName};

/// Which actor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum ActorName {
    /// The coordinator of all rotations.
    Coordinator,
    /// The actor of a key.
    Key(KeyName),
    /// The actor of a worker.
    Worker(WorkerName),
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinator => f.write_str("coordinator"),
            Self::Key(name) => write!(f, "key {name}"),
            Self::Worker(name) => write!(f, "worker {name}"),
        }
    }
}

/// How an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum ActorState {
    /// It runs.
    Running,
    /// It died and is about to be started again.
    Restarting,
    /// It died too often and stays down until an operator restarts it. A worker's actor other than
    /// that of `main` is not started again: the worker is dead until one of its name joins.
    Failed,
}

impl fmt::Display for ActorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Failed => "failed",
        })
    }
}

/// What an operator is told of an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ActorStatus {
    /// Which one.
    pub actor: ActorName,
    /// How it is.
    pub state: ActorState,
    /// How often it was started again in this life of the program.
    pub restarts: u64,
    /// Why it died last, if it ever did.
    pub last_failure: Option<String>,
}
