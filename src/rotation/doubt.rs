//! What becomes of effects that wait for a write that failed: askers are told, what was prepared is
//! let go, and what follows from a write that may have been made all the same is held.

use crate::key::event::{Ticket, WriteFailure};
use crate::key::journal_down::JournalDown;
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::engine::{Action, RotationEngine};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Event, Moment, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::InstanceEvent;
use crate::rotation::phase::Phase;
use crate::rotation::report::{RotationReport, WaitsFor};

impl RotationEngine {
    /// The reports of rotations that have ended, but not durably yet: until then they wait for the journal.
    pub fn ending(&self) -> impl Iterator<Item = RotationReport> {
        let waits = self.outbox.gated().chain(&self.held);
        waits.filter_map(|effect| match effect {
            RotationEffect::Settled { report, .. } if report.state.has_ended() => {
                let waits_for = vec![WaitsFor::Journal];
                let report = RotationReport::clone(report);
                Some(RotationReport {
                    waits_for,
                    ..report
                })
            }
            _ => None,
        })
    }

    /// A write failed.
    pub(crate) fn failed(&mut self, failure: WriteFailure, now: Moment) -> Vec<Action> {
        let WriteFailure { why, unknown } = failure;
        self.settling.clear();
        let mut actions = match self.phase {
            Phase::Going => self.pause(&why, now),
            Phase::Draining | Phase::Reading | Phase::Waiting(_) | Phase::Lost => Vec::new(),
        };
        for effect in self.outbox.doubt() {
            actions.extend(self.in_doubt(effect, &why, unknown, now));
        }
        if self.phase != Phase::Lost {
            actions.extend(self.lose_or_read(why, now));
        }
        actions
    }

    /// Writes nothing more; what waits for a write that was never begun is given up.
    pub(crate) fn pause(&mut self, why: &JournalDown, now: Moment) -> Vec<Action> {
        let given_up = self.outbox.halt();
        self.first_cause.clone_from(&why.why);
        let paused = Event::Paused { why: why.clone() };
        let effects = self.machine.step(paused, now);
        let mut actions = self.take_in(effects);
        for effect in given_up {
            actions.extend(self.in_doubt(effect, why, false, now));
        }
        actions
    }

    /// What waits for a write that failed: where that may have been made all the same, what follows
    /// from it waits until it is known; its asker is told now.
    pub(crate) fn in_doubt(
        &mut self,
        effect: RotationEffect,
        why: &JournalDown,
        unknown: bool,
        now: Moment,
    ) -> Vec<Action> {
        let why = why.clone();
        match effect {
            RotationEffect::Reply { ticket, reply, .. } => {
                if let Some(id) = self.waits.get(&ticket).copied() {
                    if self.machine.closed {
                        return self.shut_down(ticket, id).into_iter().collect();
                    }
                    self.wait_again.push(ticket);
                    return Vec::new();
                }
                let mut actions = self.unsay(ticket, &reply, now);
                let id = match &reply {
                    Ok(Reply::Accepted { id }) => Some(*id),
                    Ok(Reply::Report(report)) => Some(report.id),
                    Ok(
                        Reply::Done
                        | Reply::AskStores { .. }
                        | Reply::WithoutVersions { .. }
                        | Reply::Joined { .. }
                        | Reply::CaughtUp { .. }
                        | Reply::NotLive { .. },
                    )
                    | Err(_) => None,
                };
                let told = match (reply, unknown) {
                    // A refusal may rest on what was never made, and itself did nothing.
                    (Ok(_), true) => Err(RotationError::Unwritten { id, why: why.why }),
                    (Err(_), _) | (Ok(_), false) => Err(RotationError::of_journal(id, why)),
                };
                actions.extend(self.tell(ticket, told));
                actions
            }
            RotationEffect::Search { ticket, .. } | RotationEffect::FindOld { ticket, .. } => {
                let told = self.tell(ticket, Err(RotationError::of_journal(None, why)));
                told.into_iter().collect()
            }
            // Its asker is told that it has not joined, a call that was not handed over is none, and an end
            // that was not heard is told once more.
            RotationEffect::Joined { .. }
            | RotationEffect::Connected { .. }
            | RotationEffect::Give { .. }
            | RotationEffect::Heard { .. } => Vec::new(),
            RotationEffect::Call { step, .. } => {
                vec![Action::Perform(RotationEffect::Release { step })]
            }
            effect if unknown => {
                self.held.push(effect);
                Vec::new()
            }
            effect => self.take_back(effect).into_iter().collect(),
        }
    }

    /// The askers that wait for the journal to be read are told that this life ends.
    pub(crate) fn send_away(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for ticket in std::mem::take(&mut self.wait_again) {
            if let Some(id) = self.waits.get(&ticket).copied() {
                actions.extend(self.shut_down(ticket, id));
            }
        }
        actions
    }

    fn shut_down(&mut self, ticket: Ticket, id: RotationId) -> Option<Action> {
        let id = Some(id);
        self.tell(ticket, Err(RotationError::ShutDown { id }))
    }

    pub(crate) fn tell(
        &mut self,
        ticket: Ticket,
        reply: Result<Reply, RotationError>,
    ) -> Option<Action> {
        let after = 0;
        self.perform(RotationEffect::Reply {
            after,
            ticket,
            reply,
        })
    }

    /// A worker that is told that its join or registration failed is not here, and has not
    /// registered. One that is told that its leave or removal failed is here, with its callbacks, as
    /// far as the journal will have them.
    fn unsay(
        &mut self,
        ticket: Ticket,
        reply: &Result<Reply, RotationError>,
        now: Moment,
    ) -> Vec<Action> {
        if let Ok(Reply::Joined { incarnation, .. }) = reply {
            let incarnation = *incarnation;
            // It may be on its way out already, and would be here again if that is not made.
            for (_, entry) in self.leaving.values_mut() {
                entry.die(incarnation, now.time);
            }
            let Some(worker) = self.machine.roster().worker_of(incarnation) else {
                return self.unsay_instance(reply, now);
            };
            let died = Event::Died {
                worker,
                incarnation,
            };
            let effects = self.machine.step(died, now);
            return self.take_in(effects);
        }
        if !matches!(reply, Ok(Reply::Done | Reply::CaughtUp { .. })) {
            return Vec::new();
        }
        if let Some((worker, life, key, callback)) = self.registering.remove(&ticket) {
            let roster = &mut self.machine.roster;
            roster.unregister((&worker, life), &key, &callback);
        }
        if let Some((worker, entry)) = self.leaving.remove(&ticket) {
            self.machine.roster.put_back(&worker, entry);
        }
        if let Some((life, worker, key, callback)) = self.removing.remove(&ticket)
            && self.machine.roster.worker_of(life).as_ref() == Some(&worker)
        {
            self.machine.roster.attach(&worker, &key, &callback);
        }
        Vec::new()
    }

    /// An instance of another process is told that it has not joined: it is none.
    fn unsay_instance(&mut self, reply: &Result<Reply, RotationError>, now: Moment) -> Vec<Action> {
        let Ok(Reply::Joined {
            worker,
            incarnation,
        }) = reply
        else {
            return Vec::new();
        };
        let event = Event::Instance {
            worker: worker.clone(),
            number: *incarnation,
            event: InstanceEvent::Dropped,
        };
        self.step(event, now)
    }

    /// An effect with a write that was not made.
    pub(crate) fn take_back(&self, effect: RotationEffect) -> Option<Action> {
        match effect {
            RotationEffect::Adopt { step, .. } => {
                Some(Action::Perform(RotationEffect::Withdraw { step }))
            }
            RotationEffect::Write { .. }
            | RotationEffect::Defined { .. }
            | RotationEffect::Joined { .. }
            | RotationEffect::Connected { .. }
            | RotationEffect::Gone { .. }
            | RotationEffect::Give { .. }
            | RotationEffect::Heard { .. }
            | RotationEffect::CatchUp { .. }
            | RotationEffect::LeftOut { .. }
            | RotationEffect::Registered { .. }
            | RotationEffect::Left { .. }
            | RotationEffect::Removed { .. }
            | RotationEffect::Accepted { .. }
            | RotationEffect::Reply { .. }
            | RotationEffect::Search { .. }
            | RotationEffect::FindOld { .. }
            | RotationEffect::Snapshot { .. }
            | RotationEffect::Prepare { .. }
            | RotationEffect::Release { .. }
            | RotationEffect::Call { .. }
            | RotationEffect::Propose { .. }
            | RotationEffect::Withdraw { .. }
            | RotationEffect::TakeValues { .. }
            | RotationEffect::VersionsChanged { .. }
            | RotationEffect::Versions { .. }
            | RotationEffect::AskLastWritten { .. }
            | RotationEffect::Supersede { .. }
            | RotationEffect::Stopped { .. }
            | RotationEffect::Waits { .. }
            | RotationEffect::Settled { .. } => None,
        }
    }

    /// The steps with an end of a callback in a batch.
    pub(crate) fn ends_in(&self, batch: &[Fact]) -> Vec<StepRef> {
        let mut steps = Vec::new();
        for fact in batch {
            match fact {
                Fact::Step(rotation, _, step) => {
                    let at = StepRef {
                        rotation: *rotation,
                        step: step.no,
                    };
                    // What follows from a lost call is that its step is to be called again.
                    let lost = matches!(self.results.get(&at), Some((_, StepOutcome::Lost)));
                    if lost || step.is_settled() {
                        steps.push(at);
                    }
                }
                Fact::Ended(header, of) => steps.extend(of.iter().map(|step| StepRef {
                    rotation: header.id,
                    step: step.no,
                })),
                Fact::NextSequence(_)
                | Fact::Member(_)
                | Fact::MemberGone(_)
                | Fact::Callback(_)
                | Fact::CallbackGone { .. }
                | Fact::Instance(_)
                | Fact::InstanceGone { .. }
                | Fact::Rotation(_)
                | Fact::Keys(_)
                | Fact::Snapshot(_)
                | Fact::Record(_)
                | Fact::Version(..)
                | Fact::Dismissed(_)
                | Fact::Act(_) => {}
            }
        }
        steps
    }
}
