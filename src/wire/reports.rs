//! Reports of rotations: each is a header, followed by its steps and by what it waits for.

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::rotation::plan::{self, StepKind as Kind};
use crate::rotation::report::{self, RotationReport};
use crate::rotation::state;
use crate::rotation::status::CallbackStatus as Status;
use crate::wire::calls::effect;
use crate::wire::generated::{
    BetweenVersions, CallbackStatus, Effect, ForDefinition, ForDrain, ForJournal,
    InstancesCallback, RotationHeader, RotationState, Step, StepKind, Strategy, UnreadableRotation,
    VersionPhase, WaitsFor, WorkersCallback, waits_for,
};
use crate::wire::invalid::{InvalidMessage, enumerated, id, name, unspecified};
use crate::wire::keys::strategy;

impl From<state::RotationState> for RotationState {
    fn from(state: state::RotationState) -> Self {
        match state {
            state::RotationState::Waiting => Self::Waiting,
            state::RotationState::Running => Self::Running,
            state::RotationState::Completed => Self::Completed,
            state::RotationState::CompletedWithFailures => Self::CompletedWithFailures,
            state::RotationState::Stopped => Self::Stopped,
            state::RotationState::Aborted => Self::Aborted,
            state::RotationState::Obsolete => Self::Obsolete,
        }
    }
}

fn rotation_state(number: i32) -> Result<state::RotationState, InvalidMessage> {
    let field = "rotation.state";
    Ok(match enumerated(field, number)? {
        RotationState::Unspecified => return Err(unspecified(field)),
        RotationState::Waiting => state::RotationState::Waiting,
        RotationState::Running => state::RotationState::Running,
        RotationState::Completed => state::RotationState::Completed,
        RotationState::CompletedWithFailures => state::RotationState::CompletedWithFailures,
        RotationState::Stopped => state::RotationState::Stopped,
        RotationState::Aborted => state::RotationState::Aborted,
        RotationState::Obsolete => state::RotationState::Obsolete,
    })
}

impl From<&RotationReport> for RotationHeader {
    fn from(report: &RotationReport) -> Self {
        Self {
            id: report.id.to_string(),
            key: report.key.as_str().to_owned(),
            sequence: report.sequence,
            state: RotationState::from(report.state).into(),
            strategy: Strategy::from(report.strategy).into(),
            resumes: report.resumes,
            accepted_ms: report.accepted_ms,
            ended_ms: report.ended_ms,
            raises: report.raises(),
            versions: report.versions.map(Into::into),
        }
    }
}

impl From<plan::BetweenVersions> for BetweenVersions {
    fn from(between: plan::BetweenVersions) -> Self {
        let phase = match between.phase {
            plan::VersionPhase::Accepted => VersionPhase::Accepted,
            plan::VersionPhase::Turned => VersionPhase::Turned,
            plan::VersionPhase::AllWrite => VersionPhase::AllWrite,
        };
        Self {
            new: between.new.to_string(),
            old: between.old.map(|old| old.to_string()).unwrap_or_default(),
            phase: phase.into(),
        }
    }
}

impl TryFrom<BetweenVersions> for plan::BetweenVersions {
    type Error = InvalidMessage;

    fn try_from(between: BetweenVersions) -> Result<Self, InvalidMessage> {
        let field = "versions.phase";
        let phase = match enumerated(field, between.phase)? {
            VersionPhase::Unspecified => return Err(unspecified(field)),
            VersionPhase::Accepted => plan::VersionPhase::Accepted,
            VersionPhase::Turned => plan::VersionPhase::Turned,
            VersionPhase::AllWrite => plan::VersionPhase::AllWrite,
        };
        let old = (!between.old.is_empty()).then_some(&between.old);
        Ok(Self {
            new: version("versions.new", &between.new)?,
            old: old.map(|old| version("versions.old", old)).transpose()?,
            phase,
        })
    }
}

/// The id of a version.
pub fn version(field: &'static str, text: &str) -> Result<VersionId, InvalidMessage> {
    id(field, text).map(|id| VersionId::new(id.as_uuid()))
}

impl TryFrom<RotationHeader> for RotationReport {
    type Error = InvalidMessage;

    /// A report without steps. Whether it raises follows from them.
    fn try_from(header: RotationHeader) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: id("rotation.id", &header.id)?,
            key: name("rotation.key", KeyName::new(&header.key))?,
            sequence: header.sequence,
            state: rotation_state(header.state)?,
            strategy: strategy("rotation.strategy", header.strategy)?,
            resumes: header.resumes,
            accepted_ms: header.accepted_ms,
            ended_ms: header.ended_ms,
            steps: Vec::new(),
            waits_for: Vec::new(),
            acts: Vec::new(),
            versions: header.versions.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<Status> for CallbackStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::InProgress => Self::InProgress,
            Status::Failed => Self::Failed,
            Status::Succeeded => Self::Succeeded,
        }
    }
}

fn callback_status(number: i32) -> Result<Status, InvalidMessage> {
    let field = "step.status";
    Ok(match enumerated(field, number)? {
        CallbackStatus::Unspecified => return Err(unspecified(field)),
        CallbackStatus::Pending => Status::Pending,
        CallbackStatus::InProgress => Status::InProgress,
        CallbackStatus::Failed => Status::Failed,
        CallbackStatus::Succeeded => Status::Succeeded,
    })
}

fn step_kind(number: i32) -> Result<Kind, InvalidMessage> {
    Ok(match enumerated("step.kind", number)? {
        StepKind::Unspecified | StepKind::Callback => Kind::Callback,
        StepKind::Memory => Kind::Memory,
        StepKind::Switch => Kind::Switch,
    })
}

impl From<Kind> for StepKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Callback => Self::Callback,
            Kind::Memory => Self::Memory,
            Kind::Switch => Self::Switch,
        }
    }
}

impl From<&plan::Step> for Step {
    fn from(step: &plan::Step) -> Self {
        Self {
            no: step.no,
            kind: StepKind::from(step.kind).into(),
            worker: step.worker.as_str().to_owned(),
            callback: step.callback.as_str().to_owned(),
            status: CallbackStatus::from(step.status).into(),
            attempt: step.attempt,
            crashes: step.crashes,
            started_ms: step.started_ms,
            ended_ms: step.ended_ms,
            error: step.error.clone(),
            effect: Effect::from(step.effect).into(),
            removed: step.removed,
        }
    }
}

impl TryFrom<Step> for plan::Step {
    type Error = InvalidMessage;

    fn try_from(step: Step) -> Result<Self, InvalidMessage> {
        Ok(Self {
            no: step.no,
            kind: step_kind(step.kind)?,
            worker: name("step.worker", WorkerName::new(&step.worker))?,
            callback: name("step.callback", CallbackName::new(&step.callback))?,
            status: callback_status(step.status)?,
            attempt: step.attempt,
            crashes: step.crashes,
            started_ms: step.started_ms,
            ended_ms: step.ended_ms,
            error: step.error,
            effect: effect("step.effect", step.effect)?,
            removed: step.removed,
        })
    }
}

impl From<&report::WaitsFor> for WaitsFor {
    fn from(waits: &report::WaitsFor) -> Self {
        let of = |worker: &WorkerName, callback: &CallbackName| WorkersCallback {
            worker: worker.as_str().to_owned(),
            callback: callback.as_str().to_owned(),
        };
        let what = match waits {
            report::WaitsFor::Definition => waits_for::What::Definition(ForDefinition {}),
            report::WaitsFor::Rotation { id } => waits_for::What::Rotation(id.to_string()),
            report::WaitsFor::Unreadable { id } => waits_for::What::Unreadable(id.to_string()),
            report::WaitsFor::Worker { worker, callback } => {
                waits_for::What::Worker(of(worker, callback))
            }
            report::WaitsFor::EarlierCall { worker, callback } => {
                waits_for::What::EarlierCall(of(worker, callback))
            }
            report::WaitsFor::Thread { worker, callback } => {
                waits_for::What::Thread(of(worker, callback))
            }
            report::WaitsFor::Callback { worker, callback } => {
                waits_for::What::Callback(of(worker, callback))
            }
            report::WaitsFor::Journal => waits_for::What::Journal(ForJournal {}),
            report::WaitsFor::Drain { until_ms } => {
                let until_ms = *until_ms;
                waits_for::What::Drain(ForDrain { until_ms })
            }
            report::WaitsFor::Instance {
                worker,
                callback,
                instance,
            } => waits_for::What::Instance(InstancesCallback {
                worker: worker.as_str().to_owned(),
                callback: callback.as_str().to_owned(),
                instance: *instance,
            }),
        };
        let what = Some(what);
        Self { what }
    }
}

/// What a rotation waits for; none of what this version does not know.
#[cfg(feature = "client")]
pub fn waits_for(waits: WaitsFor) -> Result<Option<report::WaitsFor>, InvalidMessage> {
    let of = |of: WorkersCallback| {
        let worker = name("waits.worker", WorkerName::new(&of.worker))?;
        let callback = name("waits.callback", CallbackName::new(&of.callback))?;
        Ok((worker, callback))
    };
    let Some(what) = waits.what else {
        return Ok(None);
    };
    Ok(Some(match what {
        waits_for::What::Definition(ForDefinition {}) => report::WaitsFor::Definition,
        waits_for::What::Rotation(text) => {
            let id = id("waits.rotation", &text)?;
            report::WaitsFor::Rotation { id }
        }
        waits_for::What::Unreadable(text) => {
            let id = id("waits.unreadable", &text)?;
            report::WaitsFor::Unreadable { id }
        }
        waits_for::What::Worker(named) => {
            let (worker, callback) = of(named)?;
            report::WaitsFor::Worker { worker, callback }
        }
        waits_for::What::EarlierCall(named) => {
            let (worker, callback) = of(named)?;
            report::WaitsFor::EarlierCall { worker, callback }
        }
        waits_for::What::Thread(named) => {
            let (worker, callback) = of(named)?;
            report::WaitsFor::Thread { worker, callback }
        }
        waits_for::What::Callback(named) => {
            let (worker, callback) = of(named)?;
            report::WaitsFor::Callback { worker, callback }
        }
        waits_for::What::Journal(ForJournal {}) => report::WaitsFor::Journal,
        waits_for::What::Drain(ForDrain { until_ms }) => report::WaitsFor::Drain { until_ms },
        waits_for::What::Instance(InstancesCallback {
            worker,
            callback,
            instance,
        }) => {
            let (worker, callback) = of(WorkersCallback { worker, callback })?;
            report::WaitsFor::Instance {
                worker,
                callback,
                instance,
            }
        }
    }))
}

impl From<&report::UnreadableRotation> for UnreadableRotation {
    fn from(rotation: &report::UnreadableRotation) -> Self {
        Self {
            id: rotation.id.to_string(),
            key: rotation.key.as_str().to_owned(),
            unfinished: rotation.unfinished,
            why: rotation.why.clone(),
        }
    }
}

impl TryFrom<UnreadableRotation> for report::UnreadableRotation {
    type Error = InvalidMessage;

    fn try_from(rotation: UnreadableRotation) -> Result<Self, InvalidMessage> {
        let of = id("unreadable_rotation.id", &rotation.id)?;
        let key = name("unreadable_rotation.key", KeyName::new(&rotation.key))?;
        Ok(Self::new(of, key, rotation.unfinished, rotation.why))
    }
}
