//! What the coordinator tells of the rotations and the roster.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actors::admission::Permit;
use crate::journal::secrets::RotationSecrets;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::operator::plan::PlannedStep;
use crate::operator::status::{InstanceStatus, RosterCallback, WorkerStatus};
use crate::rotation::id::RotationId;
use crate::rotation::instance::CallbackOf;
#[cfg(feature = "server")]
use crate::rotation::instance::Instance;
use crate::rotation::listing::{self, RotationView};
use crate::rotation::report::{RotationReport, UnreadableRotation, WaitsFor};
use crate::rotation::roster::{Present, WorkerEntry};
use crate::rotation::state::RotationState;

/// What the coordinator tells an operator.
#[derive(Debug, Default)]
pub struct Overview {
    /// The roster, in the order of joining.
    pub(super) workers: Vec<(WorkerName, Arc<WorkerEntry>)>,
    /// Every rotation that has not ended, each as it was at some moment of the listing.
    pub(super) rotations: Vec<RotationView>,
    /// Those that have ended, but not durably yet: they are not in the history.
    pub(super) ending: Vec<RotationReport>,
    /// Those that had not ended and cannot be read.
    pub unreadable: Vec<UnreadableRotation>,
    /// Why rotations are paused, if they are.
    pub paused: Option<String>,
    /// The code of the cause where nothing is written any more, for good.
    pub lost: Option<&'static str>,
}

/// A listing that is being made, a piece at a time, so that others go before the next one.
pub struct Listing {
    /// Where the answer goes.
    pub reply: oneshot::Sender<Overview>,
    /// Its permit.
    pub permit: Permit,
    /// What is known so far.
    pub(super) overview: Overview,
    /// The rotation behind which the next piece begins.
    pub(super) behind: Option<RotationId>,
}

impl Listing {
    /// A listing that has not begun.
    pub fn new(reply: oneshot::Sender<Overview>, permit: Permit) -> Box<Self> {
        Box::new(Self {
            reply,
            permit,
            overview: Overview::default(),
            behind: None,
        })
    }
}

/// What was found of one rotation among those that have not ended.
#[derive(Debug)]
pub enum FoundRotation {
    /// It is there.
    Readable(Box<RotationReport>),
    /// It is there, and cannot be read.
    Unreadable(UnreadableRotation),
    /// It has ended, or never was.
    NotHere,
}

/// The halves of a key's rotations.
#[derive(Debug, Default)]
pub struct RotationHalves {
    /// Each that has begun and holds its keys, the one that was declared last first: whether it is
    /// obsolete, and its keys, where they are not in the journal only.
    pub begun: Vec<(RotationId, bool, Option<RotationSecrets>)>,
    /// What tells whether one has begun, ended or been declared since.
    pub mark: (u64, Vec<(RotationId, RotationState, bool)>),
}

impl Overview {
    /// What is known while the coordinator has failed.
    pub fn of_failed(why: &str) -> Self {
        Self {
            paused: Some(format!("the coordinator has failed: {why}; restart it")),
            ..Self::default()
        }
    }

    /// Every rotation that has not ended, in the order of the declarations.
    pub fn reports(&mut self) -> Vec<RotationReport> {
        let mut reports = listing::reports(std::mem::take(&mut self.rotations));
        for report in std::mem::take(&mut self.ending) {
            // One that ended while the listing was made is in it as it was.
            let at = reports.binary_search_by_key(&report.sequence, |report| report.sequence);
            if let Err(at) = at {
                reports.insert(at, report);
            }
        }
        reports
    }

    /// The roster, in the order of joining.
    pub fn workers(&self) -> Vec<WorkerStatus> {
        let worker = |(name, entry): &(WorkerName, Arc<WorkerEntry>)| {
            let shown = |(key, callback, kind): (&KeyName, &CallbackName, _)| RosterCallback {
                key: key.clone(),
                callback: callback.clone(),
                kind,
                registered: entry.serving(key, callback) > 0,
            };
            WorkerStatus {
                worker: name.clone(),
                alive: entry.is_here(),
                sharing: entry.sharing(),
                callbacks: entry.callbacks().map(shown).collect(),
                instances: entry.instances().map(instance_status).collect(),
            }
        };
        self.workers.iter().map(worker).collect()
    }

    /// Which callbacks would be called if this key changed now, in the plan's order; and what is missing.
    pub fn planned(&self, key: &KeyName) -> (Vec<PlannedStep>, Vec<WaitsFor>) {
        let (mut steps, mut missing) = (Vec::new(), Vec::new());
        for (worker, entry) in &self.workers {
            for (_, callback, kind) in entry.callbacks().filter(|(of, ..)| *of == key) {
                let instances = entry.serving(key, callback);
                let missed = entry.missed(key, callback);
                if missed.is_empty() && instances == 0 {
                    missing.push(WaitsFor::Worker {
                        worker: worker.clone(),
                        callback: callback.clone(),
                    });
                }
                if instances == 0 || kind == CallbackOf::Memory {
                    missing.extend(missed);
                }
                steps.push(PlannedStep {
                    worker: worker.clone(),
                    callback: callback.clone(),
                    kind,
                    instances: instances as u64,
                });
            }
        }
        (steps, missing)
    }

    /// Every instance of another process that is not gone.
    #[cfg(feature = "server")]
    pub fn instances(&self) -> Vec<Instance> {
        let all = self.workers.iter();
        let all = all.flat_map(|(_, entry)| entry.instances());
        all.map(|one| one.instance.clone()).collect()
    }
}

/// An instance as an operator sees it.
fn instance_status(one: &Present) -> InstanceStatus {
    let Present {
        instance,
        connected,
        ..
    } = one;
    InstanceStatus {
        instance: instance.number,
        process: instance.process.id,
        user: instance.process.user,
        connected: *connected,
        ready: instance.ready,
        may_be_called_twice: !instance.process.is_known_again,
        calls: instance.unreturned().count(),
    }
}
