//! What a keeper tells, as the parts of a listing: none of them is large, however long the listing is.

use prost::Message;

use crate::key::versions::listing::VersionListing;
use crate::operator::plan::ChangePlan;
use crate::operator::status::{self, HistoryListing, Status};
use crate::rotation::act::Act;
use crate::rotation::report::RotationReport;
use crate::wire::generated::listing_part::Part;
use crate::wire::generated::{
    Acts, Arrows, Callbacks, Debts, KeeperStatus, ListingPart, PageEnd, PlanHeader, PlannedCopies,
    PlannedSteps, Sharing, Steps, Strategy, Waits, WorkerStatus,
};

/// A part is sent once it has this many bytes; with what one more thing adds it has less than 64 KiB.
const FULL_BYTES: usize = 16 * 1024;

impl From<Part> for ListingPart {
    fn from(part: Part) -> Self {
        let part = Some(part);
        Self { part }
    }
}

/// Many things as few parts.
fn in_parts<T: Message>(
    things: impl IntoIterator<Item = T>,
    part: impl Fn(Vec<T>) -> Part,
    parts: &mut Vec<ListingPart>,
) {
    let (mut some, mut bytes) = (Vec::new(), 0_usize);
    for thing in things {
        bytes = bytes.saturating_add(thing.encoded_len());
        some.push(thing);
        if bytes >= FULL_BYTES {
            parts.push(part(std::mem::take(&mut some)).into());
            bytes = 0;
        }
    }
    if !some.is_empty() {
        parts.push(part(some).into());
    }
}

fn act_parts(acts: &[Act], parts: &mut Vec<ListingPart>) {
    let acts = acts.iter().map(Into::into);
    in_parts(acts, |acts| Part::Acts(Acts { acts }), parts);
}

/// A report in parts.
pub fn report_parts(report: &RotationReport) -> Vec<ListingPart> {
    let mut parts = vec![Part::Rotation(report.into()).into()];
    let steps = report.steps.iter().map(Into::into);
    in_parts(steps, |steps| Part::Steps(Steps { steps }), &mut parts);
    let waits = report.waits_for.iter().map(Into::into);
    in_parts(waits, |waits| Part::Waits(Waits { waits }), &mut parts);
    act_parts(&report.acts, &mut parts);
    parts
}

/// A worker in parts.
pub fn worker_parts(worker: &status::WorkerStatus) -> Vec<ListingPart> {
    let head = WorkerStatus {
        worker: worker.worker.as_str().to_owned(),
        alive: worker.alive,
        sharing: Sharing::from(worker.sharing).into(),
    };
    let mut parts = vec![Part::Worker(head).into()];
    let callbacks = worker.callbacks.iter().map(Into::into);
    let part = |callbacks| Part::Callbacks(Callbacks { callbacks });
    in_parts(callbacks, part, &mut parts);
    let instances = worker.instances.iter();
    parts.extend(instances.map(|one| Part::Instance(one.into()).into()));
    parts
}

/// A page of the history in parts.
pub fn history_parts(history: &HistoryListing) -> impl Iterator<Item = ListingPart> {
    let end = PageEnd { next: history.next };
    let rotations = history.rotations.iter().flat_map(report_parts);
    let unreadable = history.unreadable.iter();
    let unreadable = unreadable.map(|one| Part::UnreadableRotation(one.into()).into());
    let mut acts = Vec::new();
    act_parts(&history.acts, &mut acts);
    acts.into_iter()
        .chain(rotations)
        .chain(unreadable)
        .chain([Part::PageEnd(end).into()])
}

/// All that `status` says, in parts.
pub fn status_parts(status: &Status) -> impl Iterator<Item = ListingPart> {
    let keeper = KeeperStatus {
        paused: status.paused.clone(),
        lost: status.lost.map(str::to_owned),
        damaged_history: status.damaged_history.clone(),
        process: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let keys = status.keys.iter().map(|key| Part::Key(key.into()).into());
    let rotations = &status.unreadable_rotations;
    let rotations = rotations
        .iter()
        .map(|one| Part::UnreadableRotation(one.into()).into());
    let records = status.unreadable_records.iter();
    let records = records.map(|one| Part::UnreadableRecord(one.into()).into());
    let actors = status.actors.iter();
    let actors = actors.map(|one| Part::Actor(one.into()).into());
    keys.chain(status.workers.iter().flat_map(worker_parts))
        .chain(status.rotations.iter().flat_map(report_parts))
        .chain(rotations)
        .chain(records)
        .chain(actors)
        .chain([Part::Keeper(keeper).into()])
}

/// Versions in parts.
pub fn version_parts(versions: &[VersionListing]) -> Vec<ListingPart> {
    let mut parts = Vec::new();
    for version in versions {
        parts.push(Part::Version(version.into()).into());
        let arrows = version.arrows.iter().map(Into::into);
        in_parts(arrows, |arrows| Part::Arrows(Arrows { arrows }), &mut parts);
        let debts = version.debts.iter().map(Into::into);
        in_parts(debts, |debts| Part::Debts(Debts { debts }), &mut parts);
    }
    parts
}

/// A plan in parts.
pub fn plan_parts(plan: &ChangePlan) -> Vec<ListingPart> {
    let head = PlanHeader {
        key: plan.key.as_str().to_owned(),
        strategy: Strategy::from(plan.strategy).into(),
        versions: plan.versions.as_ref().map(Into::into),
    };
    let mut parts = vec![Part::Plan(head).into()];
    let steps = plan.steps.iter().map(Into::into);
    let part = |steps| Part::PlannedSteps(PlannedSteps { steps });
    in_parts(steps, part, &mut parts);
    let waits = plan.waits_for.iter().map(Into::into);
    in_parts(waits, |waits| Part::Waits(Waits { waits }), &mut parts);
    let copies = plan.versions.iter().flat_map(|versions| &versions.copies);
    let copies = copies.map(|worker| worker.as_str().to_owned());
    let part = |workers| Part::PlannedCopies(PlannedCopies { workers });
    in_parts(copies, part, &mut parts);
    parts
}
