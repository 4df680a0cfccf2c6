//! What the engine notes of events: what is under way, and what instances of other processes tell, which is
//! told once, and kept until it is durable.

use crate::key::name::WorkerName;
use crate::rotation::engine::RotationEngine;
use crate::rotation::event::{Event, Moment, StepRef};
use crate::rotation::instance::InstanceEvent;
use crate::rotation::phase::Phase;
use crate::rotation::roster::WorkerEntry;

impl RotationEngine {
    /// A handle that is gone of an instance of another process is that instance's event.
    pub(crate) fn of_instance(&self, event: Event) -> Event {
        match event {
            Event::Died {
                worker,
                incarnation: number,
            } if self.machine.roster().has_instance(&worker, number) => Event::Instance {
                worker,
                number,
                event: InstanceEvent::Dropped,
            },
            event => event,
        }
    }

    /// Keeps what an instance of another process told, as long as it is not durable.
    pub(crate) fn keep(&mut self, told: Option<Event>) {
        let Some(event) = told else {
            return;
        };
        let after = self.machine.writes;
        let is_request = event.ticket().is_some();
        if is_request && self.phase != Phase::Going {
            return;
        }
        let kept = event
            .ended_step()
            .is_some_and(|step| self.results.contains_key(&step));
        if self.phase != Phase::Going || !self.outbox.is_durable(after) || kept {
            self.told.push_back((after, event));
        }
    }

    /// What is durable of it need not be kept.
    pub(crate) fn forget_what_is_durable(&mut self) {
        if self.phase == Phase::Going {
            let outbox = &self.outbox;
            let results = &self.results;
            let durable = |(after, event): &&(u64, Event)| {
                let kept = event
                    .ended_step()
                    .is_some_and(|step| results.contains_key(&step));
                outbox.is_durable(*after) && !kept
            };
            let done = self.told.iter().take_while(durable).count();
            self.told.drain(..done);
        }
    }

    fn note_of_instance(
        &mut self,
        worker: &WorkerName,
        number: u64,
        event: &InstanceEvent,
        now: Moment,
    ) {
        match event {
            InstanceEvent::Ended {
                step,
                attempt,
                outcome,
                ..
            } if self.running.get(step) == Some(attempt)
                && self.machine.runs_at(*step, *attempt) == Some(number) =>
            {
                self.running.remove(step);
                self.results.insert(*step, (*attempt, outcome.clone()));
            }
            InstanceEvent::Uncalled { step, attempt }
                if self.machine.runs_at(*step, *attempt) == Some(number) =>
            {
                self.running.remove(step);
            }
            InstanceEvent::ProcessEnded => {
                let machine = &self.machine;
                let elsewhere =
                    |step: &StepRef, attempt: u32| machine.runs_at(*step, attempt) == Some(number);
                self.running
                    .retain(|step, attempt| !elsewhere(step, *attempt));
                let leaving = self.leaving.values_mut();
                for (_, entry) in leaving.filter(|(name, _)| name == worker) {
                    entry.die(number, now.time);
                }
            }
            InstanceEvent::Ended { .. }
            | InstanceEvent::Uncalled { .. }
            | InstanceEvent::Absent
            | InstanceEvent::Dropped
            | InstanceEvent::Returned { .. }
            | InstanceEvent::CaughtUp { .. } => {}
        }
    }

    /// What has to be known of an event, whatever becomes of what follows from it.
    pub(crate) fn note(&mut self, event: &Event, now: Moment) {
        match event {
            Event::Died {
                worker,
                incarnation,
            } => {
                let leaving = self.leaving.values_mut();
                for (_, entry) in leaving.filter(|(name, _)| name == worker) {
                    entry.die(*incarnation, now.time);
                }
            }
            Event::Instance {
                worker,
                number,
                event,
            } => self.note_of_instance(worker, *number, event, now),
            Event::Leave { ticket, worker, .. } => {
                if let Some(entry) = self.machine.roster().get(worker) {
                    let leaving = (worker.clone(), entry.clone());
                    self.leaving.insert(*ticket, leaving);
                }
            }
            Event::RemoveCallback {
                ticket,
                worker,
                key,
                callback,
                ..
            } => {
                let entry = self.machine.roster().get(worker);
                let here = entry.filter(|entry| entry.has_attached(key, callback));
                if let Some(life) = here.and_then(WorkerEntry::incarnation) {
                    let removing = (life, worker.clone(), key.clone(), callback.clone());
                    self.removing.insert(*ticket, removing);
                }
            }
            Event::Ended {
                step,
                attempt,
                outcome,
            } if self.running.get(step) == Some(attempt) => {
                self.running.remove(step);
                self.results.insert(*step, (*attempt, outcome.clone()));
            }
            Event::Uncalled { step, attempt } if self.running.get(step) == Some(attempt) => {
                self.running.remove(step);
            }
            Event::Wait { ticket, id } => {
                self.waits.insert(*ticket, *id);
            }
            Event::Gone { ticket } => {
                self.waits.remove(ticket);
                self.registering.remove(ticket);
            }
            Event::Register {
                ticket,
                worker,
                incarnation,
                key,
                callback,
                ..
            } => {
                let registering = (worker.clone(), *incarnation, key.clone(), callback.clone());
                self.registering.insert(*ticket, registering);
            }
            Event::Define { .. }
            | Event::LookForVersions { .. }
            | Event::BeginVersions { .. }
            | Event::Join { .. }
            | Event::Return { .. }
            | Event::Ready { .. }
            | Event::RemoveInstance { .. }
            | Event::Declare { .. }
            | Event::Searched { .. }
            | Event::OldFound { .. }
            | Event::Resume { .. }
            | Event::Abort { .. }
            | Event::Dismiss { .. }
            | Event::Snapped { .. }
            | Event::Prepared { .. }
            | Event::Lacks { .. }
            | Event::Ended { .. }
            | Event::Uncalled { .. }
            | Event::Proposed { .. }
            | Event::LastWritten { .. }
            | Event::HandOut { .. }
            | Event::Paused { .. }
            | Event::Recovered(_)
            | Event::Close
            | Event::Interrupt
            | Event::Tick => {}
        }
    }
}
