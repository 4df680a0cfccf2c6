//! What operators ask for: waiting, resume, abort, dismissal, and the end of this life.

use std::collections::BTreeSet;

use crate::key::event::Ticket;
use crate::key::journal_down::JournalDown;
use crate::key::name::WorkerName;
use crate::rotation::act::{About, By, Deed};
use crate::rotation::effect::{Fact, Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Moment, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::machine::RotationMachine;
use crate::rotation::plan::Step;
use crate::rotation::roster::Roster;
use crate::rotation::rotations::{Active, Live};
use crate::rotation::state::{RotationEvent, RotationState};
use crate::rotation::status::StatusEvent;
use crate::rotation::versions_error::VersionsError;

impl RotationMachine {
    pub(crate) fn wait(&mut self, ticket: Ticket, id: RotationId) {
        if let Some(why) = self.unreadable_why(id) {
            self.reply(ticket, Err(RotationError::Unreadable { id, why }));
            return;
        }
        let closed = self.closed;
        let Some(live) = self.rotations.get(id) else {
            // While paused it may be that only its end is not durable, and then it has not ended.
            let reply = match self.paused.clone() {
                Some(why) => Err(RotationError::of_journal(Some(id), why)),
                None => Ok(Reply::NotLive { id }),
            };
            self.reply(ticket, reply);
            return;
        };
        if live.header.state.goes_on() {
            if closed {
                let id = Some(id);
                self.reply(ticket, Err(RotationError::ShutDown { id }));
            } else if let Some(why) = self.paused.clone().filter(JournalDown::is_for_good) {
                self.reply(ticket, Err(RotationError::of_journal(Some(id), why)));
            } else {
                self.rotations.add_waiter(ticket, id);
            }
            return;
        }
        if let Some(why) = self.paused.clone() {
            self.reply(ticket, Err(RotationError::of_journal(Some(id), why)));
        } else if let Some(report) = self.report(id) {
            self.reply(ticket, Ok(Reply::Report(Box::new(report))));
        }
    }

    pub(crate) fn gone(&mut self, ticket: Ticket) {
        self.rotations.remove_waiter(ticket);
        self.searching.remove(&ticket);
        self.finding.remove(&ticket);
    }

    pub(crate) fn resume(&mut self, ticket: Ticket, id: RotationId, by: By, now: Moment) {
        if !self.admits(ticket) {
            return;
        }
        if let Err(error) = self.try_resume(id, by, now) {
            self.refuse(ticket, id, error);
            return;
        }
        self.reply(ticket, Ok(Reply::Accepted { id }));
        if let Some(key) = self.rotations.get(id).map(|live| live.header.key.clone()) {
            self.advance_key(&key, now);
        }
    }

    fn try_resume(&mut self, id: RotationId, by: By, now: Moment) -> Result<(), RotationError> {
        let live = self.living(id)?;
        let header = &live.header;
        let state = header.state;
        let Some(resumed) = RotationEvent::Resume.apply_to(state) else {
            let why = match state {
                RotationState::Waiting | RotationState::Running => "it goes on by itself",
                RotationState::Obsolete => "a later change has completed; abort it instead",
                RotationState::Completed
                | RotationState::CompletedWithFailures
                | RotationState::Stopped
                | RotationState::Aborted => "it has ended; there is nothing to resume",
            };
            return Err(RotationError::WrongState { id, state, why });
        };
        let key = header.key.clone();
        let queue = self.rotations.queue_mut(&key);
        let bound = queue.defined.as_ref().map(|(b, _)| b.max_waiting_rotations);
        if let Some(bound) = bound.filter(|bound| queue.waiting.len() >= *bound) {
            return Err(RotationError::TooManyWaiting { key, bound });
        }
        self.old_keys_change(&key, id);
        let place = self.number();
        self.rotations.queue_mut(&key).waiting.insert(place, id);
        let roster = &self.roster;
        let Some(live) = self.rotations.get_mut(id) else {
            return Ok(());
        };
        live.header.state = resumed;
        live.header.place = place;
        live.header.resumes += 1;
        live.header.ended_ms = None;
        live.header
            .acts
            .push(by.did(Deed::Resumed, None, now.wall_ms));
        self.facts.push(Fact::Rotation(live.header.clone()));
        for no in live.steps.numbers(|step| !step.removed) {
            let renew = |step: &mut Step| {
                let worker = roster.get(&step.worker);
                let has = worker.is_some_and(|entry| entry.has(&key, &step.callback));
                step.removed = !has && !step.is_own();
                step.crashes = 0;
            };
            if let Some(step) = live.steps.happen(no, StatusEvent::Resume, renew) {
                self.facts.push(Fact::Step(id, key.clone(), step.clone()));
            }
        }
        Ok(())
    }

    pub(crate) fn abort(
        &mut self,
        ticket: Ticket,
        (id, confirmed): (RotationId, &BTreeSet<WorkerName>),
        by: By,
        now: Moment,
    ) {
        if !self.admits(ticket) {
            return;
        }
        match self.may_abort(id, confirmed) {
            Err(error) => self.refuse(ticket, id, error),
            Ok(()) => {
                self.give_up(id, by, now);
                self.reply(ticket, Ok(Reply::Done));
            }
        }
    }

    fn may_abort(
        &self,
        id: RotationId,
        confirmed: &BTreeSet<WorkerName>,
    ) -> Result<(), RotationError> {
        let live = self.living(id)?;
        if let Some(step) = live.running_step(|_| true) {
            return Err(runs(format!("rotation {id}"), step));
        }
        if self.is_turning(id) {
            let key = live.header.key.clone();
            return Err(VersionsError::MixedWriters { key, id }.into());
        }
        let workers = live
            .header
            .report(live.steps.iter().cloned().collect())
            .unsucceeded_workers();
        if workers.iter().any(|worker| !confirmed.contains(worker)) {
            return Err(RotationError::NotConfirmed { id, workers });
        }
        Ok(())
    }

    fn give_up(&mut self, id: RotationId, by: By, now: Moment) {
        let waiters = self.rotations.take_waiters(id);
        let Some(mut live) = self.rotations.remove(id) else {
            return;
        };
        self.searching.retain(|_, sought| *sought != id);
        self.old_keys_change(&live.header.key, id);
        if let Some(state) = RotationEvent::Abort.apply_to(live.header.state) {
            live.header.state = state;
        }
        live.header.ended_ms = Some(now.wall_ms);
        live.header
            .acts
            .push(by.did(Deed::Aborted, None, now.wall_ms));
        self.versions_after(&mut live, now);
        for (no, _) in std::mem::take(&mut live.active) {
            let step = StepRef {
                rotation: id,
                step: no,
            };
            self.wait_until(step, None);
            self.effects.push(RotationEffect::Release { step });
            self.suspect_ended(step, now);
        }
        let steps: Vec<Step> = live.steps.iter().cloned().collect();
        let key = live.header.key.clone();
        self.facts
            .push(Fact::Ended(live.header.clone(), steps.clone()));
        let report = live.header.report(steps);
        self.settled(Some(report), waiters);
        self.advance_key(&key, now);
    }

    fn living(&self, id: RotationId) -> Result<&Live, RotationError> {
        if let Some(why) = self.unreadable_why(id) {
            return Err(RotationError::Unreadable { id, why });
        }
        self.rotations.get(id).ok_or(RotationError::Unknown { id })
    }

    /// Tells why not; whether an unknown rotation has ended, the history knows.
    fn refuse(&mut self, ticket: Ticket, id: RotationId, error: RotationError) {
        let reply = match error {
            RotationError::Unknown { .. } => Ok(Reply::NotLive { id }),
            error => Err(error),
        };
        self.reply(ticket, reply);
    }

    pub(crate) fn unreadable_why(&self, id: RotationId) -> Option<String> {
        self.rotations.unreadable_why(id).map(str::to_owned)
    }

    pub(crate) fn dismiss(&mut self, ticket: Ticket, id: RotationId, by: By, now: Moment) {
        if !self.admits(ticket) {
            return;
        }
        let keys = self.rotations.remove_unreadable(id);
        if keys.is_empty() {
            let reply = match self.rotations.get(id).map(|live| live.header.state) {
                None => Ok(Reply::NotLive { id }),
                Some(state) => {
                    let why = "its records can be read; abort it instead";
                    Err(RotationError::WrongState { id, state, why })
                }
            };
            self.reply(ticket, reply);
            return;
        }
        self.facts.push(Fact::Dismissed(id));
        for key in keys.iter().cloned() {
            let about = About::Rotation { id, key };
            self.note_act(by.clone(), Deed::Dismissed, about, now);
        }
        self.reply(ticket, Ok(Reply::Done));
        for key in keys {
            self.advance_key(&key, now);
        }
    }

    /// Something was done that stands with no rotation.
    pub(crate) fn note_act(&mut self, by: By, deed: Deed, about: About, now: Moment) {
        self.facts
            .push(Fact::Act(by.did(deed, Some(about), now.wall_ms)));
    }

    /// Every step that was running in this process is to be called again in the next life; what instances of
    /// other processes run goes on. All askers that wait are
    /// told that this one is over.
    pub(crate) fn interrupt(&mut self, now: Moment) {
        self.count_all_lifetimes(now);
        for live in self.rotations.iter_mut() {
            let (id, key) = (live.header.id, live.header.key.clone());
            for (no, active) in std::mem::take(&mut live.active) {
                if is_elsewhere(&self.roster, live, no, &active) {
                    live.active.insert(no, active);
                    continue;
                }
                let step = live.steps.happen(no, StatusEvent::Interrupt, |_| {});
                if let Some(step) = step.filter(|_| self.paused.is_none()) {
                    self.facts.push(Fact::Step(id, key.clone(), step.clone()));
                }
            }
        }
        for (ticket, id) in self.rotations.take_all_waiters() {
            self.reply(ticket, Err(RotationError::ShutDown { id: Some(id) }));
        }
    }
}

/// Whether a step is called at instances of other processes, which live on.
fn is_elsewhere(roster: &Roster, live: &Live, no: u32, active: &Active) -> bool {
    let Some(of) = live.steps.get(no) else {
        return false;
    };
    let entry = roster.get(&of.worker);
    let rotation = live.header.id;
    let step = StepRef { rotation, step: no };
    match active {
        Active::Gathering { .. } => entry.is_some_and(|entry| entry.instances().next().is_some()),
        Active::Running { .. } | Active::Settling { .. } => {
            entry.is_some_and(|entry| entry.runs_at(step, of.attempt).is_some())
        }
        Active::Ahead { .. } | Active::Preparing { .. } => false,
    }
}

/// The refusal while a callback runs.
pub(crate) fn runs(what: String, step: &Step) -> RotationError {
    RotationError::CallbackRuns {
        what,
        worker: step.worker.clone(),
        callback: step.callback.clone(),
    }
}
