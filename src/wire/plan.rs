//! The plan of a change: a header, who would do what, and what is in the way.

use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::operator::plan;
use crate::wire::generated::listing_part::Part;
use crate::wire::generated::{
    CallbackKind, ListingPart, PlanHeader, PlannedStep, PlannedSteps, Strategy, Waits,
};
use crate::wire::instances::callback_of;
use crate::wire::invalid::{InvalidMessage, name};
use crate::wire::keys::strategy;
use crate::wire::listing::in_parts;

/// A plan in parts.
pub fn plan_parts(plan: &plan::ChangePlan) -> Vec<ListingPart> {
    let head = PlanHeader {
        key: plan.key.as_str().to_owned(),
        strategy: Strategy::from(plan.strategy).into(),
    };
    let mut parts = vec![Part::Plan(head).into()];
    let steps = plan.steps.iter().map(Into::into);
    let part = |steps| Part::PlannedSteps(PlannedSteps { steps });
    in_parts(steps, part, &mut parts);
    let waits = plan.waits_for.iter().map(Into::into);
    in_parts(waits, |waits| Part::Waits(Waits { waits }), &mut parts);
    parts
}

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
        })
    }
}
