//! The plan of a change: a header, who would do what, and what is in the way.

use std::time::Duration;

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::operator::plan;
use crate::wire::generated::{CallbackKind, PlanHeader, PlannedStep, PlannedVersions};
use crate::wire::instances::callback_of;
use crate::wire::invalid::{InvalidMessage, name};
use crate::wire::keys::strategy;
use crate::wire::reports::version;

impl From<&plan::PlannedStep> for PlannedStep {
    fn from(step: &plan::PlannedStep) -> Self {
        Self {
            worker: step.worker.as_str().to_owned(),
            callback: step.callback.as_str().to_owned(),
            kind: CallbackKind::from(step.kind).into(),
            instances: step.instances,
        }
    }
}

impl TryFrom<PlannedStep> for plan::PlannedStep {
    type Error = InvalidMessage;

    fn try_from(step: PlannedStep) -> Result<Self, InvalidMessage> {
        Ok(Self {
            worker: name("planned_step.worker", WorkerName::new(&step.worker))?,
            callback: name("planned_step.callback", CallbackName::new(&step.callback))?,
            kind: callback_of(step.kind)?,
            instances: step.instances,
        })
    }
}

impl TryFrom<PlanHeader> for plan::ChangePlan {
    type Error = InvalidMessage;

    /// A plan without steps.
    fn try_from(header: PlanHeader) -> Result<Self, InvalidMessage> {
        Ok(Self {
            key: name("plan.key", KeyName::new(&header.key))?,
            strategy: strategy("plan.strategy", header.strategy)?,
            steps: Vec::new(),
            waits_for: Vec::new(),
            versions: header.versions.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&plan::PlannedVersions> for PlannedVersions {
    fn from(versions: &plan::PlannedVersions) -> Self {
        Self {
            current: versions.current.to_string(),
            number: versions.number,
            drain_ms: u64::try_from(versions.drain.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl TryFrom<PlannedVersions> for plan::PlannedVersions {
    type Error = InvalidMessage;

    /// Without the workers that hold copies.
    fn try_from(versions: PlannedVersions) -> Result<Self, InvalidMessage> {
        Ok(Self {
            current: version("plan.versions.current", &versions.current)?,
            number: versions.number,
            drain: Duration::from_millis(versions.drain_ms),
            copies: Vec::new(),
        })
    }
}
