//! A listing, as a client puts it together from the parts that the keeper sends.

use crate::key::keeper_error::documented;
use crate::key::name::WorkerName;
use crate::key::versions::listing::VersionListing;
use crate::operator::actor;
use crate::operator::plan::ChangePlan;
use crate::operator::status::{self, HistoryListing, Status};
use crate::rotation::act::Act;
use crate::rotation::report::{self, RotationReport};
use crate::wire::acts::acts;
use crate::wire::generated::listing_part::Part;
use crate::wire::generated::{KeeperStatus, ListingPart, PageEnd};
use crate::wire::instances::sharing;
use crate::wire::invalid::{InvalidMessage, name, needed};
use crate::wire::reports::waits_for;
use crate::wire::versions::arrow;

/// What the parts of a listing have told so far.
#[derive(Debug, Default)]
pub struct ListingParts {
    /// Rotations.
    pub rotations: Vec<RotationReport>,
    /// Rotations that cannot be read.
    pub unreadable_rotations: Vec<report::UnreadableRotation>,
    /// Keys.
    pub keys: Vec<status::KeyStatus>,
    /// Workers.
    pub workers: Vec<status::WorkerStatus>,
    /// Records that cannot be read.
    pub unreadable_records: Vec<status::UnreadableRecord>,
    /// Actors.
    pub actors: Vec<actor::ActorStatus>,
    /// The keeper as a whole, at the end of a status.
    pub keeper: Option<KeeperStatus>,
    /// Of a page of the history, what was done that stands with no rotation.
    pub acts: Vec<Act>,
    /// The end of a page of the history.
    pub page_end: Option<PageEnd>,
    /// The versions of a key.
    pub versions: Vec<VersionListing>,
    /// The plan of a change.
    pub plan: Option<ChangePlan>,
}

impl ListingParts {
    /// Takes the next part in. One that this version does not know is passed over.
    ///
    /// # Errors
    /// What is wrong with the part, which leaves the listing of no use.
    pub fn take(&mut self, part: ListingPart) -> Result<(), InvalidMessage> {
        let Some(part) = part.part else {
            return Ok(());
        };
        match part {
            Part::Rotation(header) => self.rotations.push(header.try_into()?),
            Part::Steps(steps) => {
                let of = needed("rotation", self.rotations.last_mut())?;
                for step in steps.steps {
                    of.steps.push(step.try_into()?);
                }
            }
            Part::Waits(waits) => {
                let of = match &mut self.plan {
                    Some(plan) => &mut plan.waits_for,
                    None => &mut needed("rotation", self.rotations.last_mut())?.waits_for,
                };
                for waits in waits.waits {
                    of.extend(waits_for(waits)?);
                }
            }
            Part::Plan(plan) => self.plan = Some(plan.try_into()?),
            Part::PlannedSteps(steps) => {
                let of = needed("plan", self.plan.as_mut())?;
                for step in steps.steps {
                    of.steps.push(step.try_into()?);
                }
            }
            Part::PlannedCopies(copies) => {
                let plan = needed("plan", self.plan.as_mut())?;
                let of = needed("plan.versions", plan.versions.as_mut())?;
                for worker in copies.workers {
                    let worker = name("planned_copies.worker", WorkerName::new(&worker))?;
                    of.copies.push(worker);
                }
            }
            Part::UnreadableRotation(one) => self.unreadable_rotations.push(one.try_into()?),
            Part::Key(key) => self.keys.push(key.try_into()?),
            Part::Worker(worker) => self.workers.push(status::WorkerStatus {
                worker: name("worker.worker", WorkerName::new(&worker.worker))?,
                alive: worker.alive,
                sharing: sharing("worker.sharing", worker.sharing)?,
                callbacks: Vec::new(),
                instances: Vec::new(),
            }),
            Part::Callbacks(callbacks) => {
                let of = needed("worker", self.workers.last_mut())?;
                for callback in callbacks.callbacks {
                    of.callbacks.push(callback.try_into()?);
                }
            }
            Part::UnreadableRecord(record) => self.unreadable_records.push(record.try_into()?),
            Part::Actor(actor) => self.actors.push(actor.try_into()?),
            Part::Keeper(keeper) => self.keeper = Some(keeper),
            Part::PageEnd(end) => self.page_end = Some(end),
            Part::Instance(instance) => {
                let of = needed("worker", self.workers.last_mut())?;
                of.instances.push(instance.into());
            }
            Part::Version(version) => self.versions.push(version.try_into()?),
            Part::Arrows(arrows) => {
                let of = needed("version", self.versions.last_mut())?;
                for one in arrows.arrows {
                    of.arrows.extend(arrow(one)?);
                }
            }
            Part::Debts(debts) => {
                let of = needed("version", self.versions.last_mut())?;
                for debt in debts.debts {
                    of.debts.push(debt.try_into()?);
                }
            }
            Part::Acts(more) => {
                let of_rotation = self.rotations.last_mut().map(|of| &mut of.acts);
                of_rotation.unwrap_or(&mut self.acts).extend(acts(more)?);
            }
        }
        Ok(())
    }

    /// The listing as a status.
    ///
    /// # Errors
    /// Where its last part did not come.
    pub fn into_status(self) -> Result<Status, InvalidMessage> {
        let keeper = needed("keeper", self.keeper)?;
        Ok(Status {
            keys: self.keys,
            workers: self.workers,
            rotations: self.rotations,
            unreadable_rotations: self.unreadable_rotations,
            unreadable_records: self.unreadable_records,
            paused: keeper.paused,
            lost: keeper
                .lost
                .map(|code| documented(&code).unwrap_or("unknown_code")),
            damaged_history: keeper.damaged_history,
            actors: self.actors,
        })
    }

    /// The listing as a page of the history.
    ///
    /// # Errors
    /// Where its last part did not come.
    pub fn into_history(self) -> Result<HistoryListing, InvalidMessage> {
        let end = needed("page_end", self.page_end)?;
        Ok(HistoryListing {
            rotations: self.rotations,
            unreadable: self.unreadable_rotations,
            acts: self.acts,
            next: end.next,
        })
    }

    /// The listing as the plan of a change.
    ///
    /// # Errors
    /// Where there is none.
    pub fn into_plan(self) -> Result<ChangePlan, InvalidMessage> {
        needed("plan", self.plan)
    }

    /// The listing as one report.
    ///
    /// # Errors
    /// Where there is none.
    pub fn into_report(self) -> Result<RotationReport, InvalidMessage> {
        needed("rotation", self.rotations.into_iter().next())
    }
}
