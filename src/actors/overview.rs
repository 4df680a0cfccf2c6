//! What the coordinator tells an operator.

use crate::actors::coordinator::CoordinatorPart;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::rotation::report::{RotationReport, UnreadableRotation};
use crate::rotation::roster::WorkerEntry;

/// A worker as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its name.
    pub worker: WorkerName,
    /// Whether it is here in this life of the program.
    pub alive: bool,
    /// Its callbacks on the roster: key, name, and whether it is registered in this life.
    pub callbacks: Vec<(KeyName, CallbackName, bool)>,
}

/// What the coordinator tells an operator.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The roster, in the order of joining.
    pub workers: Vec<WorkerStatus>,
    /// Every rotation that has not ended, in the order of the declarations.
    pub rotations: Vec<RotationReport>,
    /// Those that had not ended and cannot be read.
    pub unreadable: Vec<UnreadableRotation>,
    /// Why rotations are paused, if they are.
    pub paused: Option<String>,
}

impl Overview {
    /// What is known while the coordinator has failed.
    pub fn of_failed(why: &str) -> Self {
        Self {
            workers: Vec::new(),
            rotations: Vec::new(),
            unreadable: Vec::new(),
            paused: Some(format!("the coordinator has failed: {why}; restart it")),
        }
    }
}

impl CoordinatorPart {
    pub(super) fn overview(&self) -> Overview {
        let worker = |(name, entry): (&WorkerName, &WorkerEntry)| {
            let here = |(key, callback): (&KeyName, &CallbackName)| {
                let here = entry.has_attached(key, callback);
                (key.clone(), callback.clone(), here)
            };
            WorkerStatus {
                worker: name.clone(),
                alive: entry.incarnation().is_some(),
                callbacks: entry.callbacks().map(here).collect(),
            }
        };
        let machine = self.engine.machine();
        Overview {
            workers: machine.roster().in_order().map(worker).collect(),
            rotations: machine.reports(),
            unreadable: machine.unreadable(),
            paused: machine.paused().map(str::to_owned),
        }
    }
}
