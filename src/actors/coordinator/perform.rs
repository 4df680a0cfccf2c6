//! What the coordinator's effects do: the batch to the journal, messages to keys and workers, and
//! answers to askers.

use std::sync::Arc;

use crate::actors::coordinator::message::{CatchUp, CoordinatorMessage};
use crate::actors::coordinator::part::CoordinatorPart;
use crate::actors::coordinator::work::{Proposal, StepWork};
use crate::actors::key_message::KeyMessage;
use crate::key::event::{Event as KeyEvent, Supersede, Ticket};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Effect, StateChange};
use crate::rotation::effect::RotationEffect;
use crate::rotation::event::{Declaration, EndedRotation, Event, StepRef};
use crate::rotation::report::RotationReport;
use crate::worker::link::{WorkerEvent, WorkerRequest};

/// How many searches of the history may be under way.
const MAX_SEARCHES: usize = 1_024;

impl CoordinatorPart {
    pub(super) fn perform(&mut self, effect: &RotationEffect) {
        match effect {
            RotationEffect::Write { .. } => {}
            RotationEffect::Defined { ticket, key } => self.defined(*ticket, key),
            RotationEffect::Joined {
                worker,
                incarnation,
                ..
            } => self.start_worker(worker, *incarnation),
            RotationEffect::Registered {
                ticket,
                worker,
                key,
                callback,
            } => self.registered(*ticket, worker, key, callback),
            RotationEffect::Connected {
                ticket,
                worker,
                number,
                ..
            } => self.connected(*ticket, worker, *number),
            RotationEffect::Gone { worker, number, .. } => self.gone(worker, *number),
            RotationEffect::Give {
                step,
                attempt,
                key,
                worker,
                number,
                callback,
                ..
            } => self.give((worker, *number), (*step, *attempt), key, callback),
            RotationEffect::Heard {
                worker,
                number,
                step,
                attempt,
                ..
            } => self.heard(worker, *number, *step, *attempt),
            RotationEffect::CatchUp {
                step,
                attempt,
                key,
                worker,
                life,
                callback,
            } => self.catch_up(CatchUp {
                worker: worker.clone(),
                life: *life,
                step: *step,
                attempt: *attempt,
                key: key.clone(),
                callback: callback.clone(),
            }),
            RotationEffect::LeftOut {
                worker,
                key,
                callback,
                ends,
            } => self.left_out(worker, key, callback, *ends),
            RotationEffect::Left { worker, .. } => {
                self.stop_worker(worker);
                self.stop_instances(worker);
            }
            RotationEffect::Removed {
                worker,
                key,
                callback,
                ..
            } => {
                self.remove_callback(worker, key, callback);
                self.remove_from_instances(worker, key, callback);
            }
            RotationEffect::Accepted { ticket, id, key } => self.accepted(*ticket, *id, key),
            RotationEffect::Reply { ticket, reply, .. } => self.reply(*ticket, reply),
            RotationEffect::Search {
                ticket,
                declaration,
                ..
            } => self.search(*ticket, declaration.clone()),
            RotationEffect::FindOld {
                ticket,
                declaration,
                of,
                ..
            } => self.find_old(*ticket, declaration.clone(), *of),
            RotationEffect::Snapshot { rotation, key } => self.begin_with(*rotation, key),
            RotationEffect::Prepare {
                step,
                key,
                worker,
                callback,
                ahead,
                ..
            } => {
                let named = (worker.clone(), callback.clone());
                self.prepare(*step, key.clone(), named, *ahead);
            }
            RotationEffect::Release { step } => self.release(*step),
            RotationEffect::Call {
                step, attempt, key, ..
            } => self.call(*step, *attempt, key),
            RotationEffect::Propose {
                step,
                key,
                overtaken,
                resumed,
            } => {
                self.propose(*step, key, *overtaken, *resumed);
            }
            RotationEffect::Withdraw { step } => self.withdraw(*step),
            RotationEffect::Adopt { step, .. } => {
                let proposal = self.steps.get(step).and_then(StepWork::proposal);
                if let Some(Proposal { ticket, key, .. }) = proposal {
                    self.tell_key(key, KeyEvent::Adopt { ticket: *ticket });
                }
                self.forget_done(*step);
            }
            RotationEffect::Supersede {
                rotation,
                key,
                only_old,
                ..
            } => {
                let secrets = self.secrets(*rotation);
                let old = secrets.and_then(|secrets| secrets.old.clone());
                let which = if *only_old {
                    Supersede::Only(old)
                } else {
                    Supersede::Any
                };
                self.tell_key(key, KeyEvent::Supersede(which));
            }
            RotationEffect::TakeValues { ticket } => self.take_values(*ticket),
            RotationEffect::VersionsChanged { key, facts, .. } => {
                self.versions_changed(key, facts);
            }
            RotationEffect::Versions { key, table, .. } => self.tell_versions(key, table),
            RotationEffect::AskLastWritten {
                rotation,
                key,
                asked,
                ..
            } => self.ask_last_written(*rotation, key, *asked),
            RotationEffect::Stopped { rotation, key, .. } => {
                let rotation = rotation.as_uuid().as_u128();
                self.tell_key(key, KeyEvent::Stopped { rotation });
            }
            RotationEffect::Waits {
                rotation,
                key,
                waits_for,
            } => self.tell_long_wait(*rotation, key, waits_for),
            RotationEffect::Settled { report, .. } => self.settled(report),
        }
    }

    fn search(&mut self, ticket: Ticket, declaration: Declaration) {
        let slot = Arc::clone(&self.slot);
        self.searches += 1;
        if self.searches > MAX_SEARCHES {
            let why = format!("{MAX_SEARCHES} searches of the history are under way");
            let event = Event::Searched {
                ticket,
                declaration,
                found: Err(why.into()),
            };
            slot.post(CoordinatorMessage::Happened(Box::new(event)));
            return;
        }
        let id = declaration.id;
        self.means.journal.submit(
            move |journal| journal.find_ended(id),
            move |done| {
                let found = match done {
                    Ok(Ok(found)) => Ok(found.map(|(header, _)| EndedRotation {
                        key: header.key,
                        declared: header.declared,
                    })),
                    Ok(Err(error)) => Err((&error).into()),
                    Err(closed) => Err(closed.into()),
                };
                let event = Event::Searched {
                    ticket,
                    declaration,
                    found,
                };
                slot.post(CoordinatorMessage::Happened(Box::new(event)));
            },
        );
    }

    fn prepare(
        &mut self,
        step: StepRef,
        key: KeyName,
        (name, callback): (WorkerName, CallbackName),
        ahead: bool,
    ) {
        let own = self.own_link(step, &key);
        let Some(worker) = own.or_else(|| self.workers.get(&name).cloned()) else {
            return;
        };
        worker.ask(WorkerRequest::Prepare {
            step,
            key,
            callback: callback.clone(),
            ahead,
        });
        self.steps.insert(step, StepWork::Calling(worker, callback));
    }

    /// What a step proposed to its key is not made.
    pub(super) fn withdraw(&mut self, step: StepRef) {
        if let Some(StepWork::Done { proposal, .. }) = self.steps.get_mut(&step)
            && let Some(Proposal { ticket, key, .. }) = proposal.take()
        {
            self.tell_key(&key, KeyEvent::Withdraw { ticket });
        }
    }

    /// What the callback of a step did need not be known any more.
    pub(super) fn forget_done(&mut self, step: StepRef) {
        if self.steps.get(&step).is_some_and(StepWork::is_done) {
            self.steps.remove(&step);
        }
    }

    /// A write failed: of what is still proposed it is unknown whether it was made, and until the
    /// journal was read no request should wait for that.
    pub(super) fn doubt_proposals(&self, why: &str) {
        for Proposal { ticket, key, .. } in self.steps.values().filter_map(StepWork::proposal) {
            let (ticket, why) = (*ticket, why.to_owned());
            self.tell_key(key, KeyEvent::InDoubt { ticket, why });
        }
    }

    pub(super) fn release(&mut self, step: StepRef) {
        if let Some(StepWork::Calling(worker, _)) = self.steps.get(&step) {
            worker.ask(WorkerRequest::Release { step });
            self.steps.remove(&step);
        }
    }

    fn call(&mut self, step: StepRef, attempt: u32, key: &KeyName) {
        let (Some(StepWork::Calling(worker, callback)), Some(_)) =
            (self.steps.get(&step), self.key(key))
        else {
            self.uncalled(step, attempt);
            return;
        };
        let Some(call) = self.call_of((step, attempt), key, callback) else {
            self.uncalled_without_keys(step, attempt);
            return;
        };
        worker.ask(WorkerRequest::Call(Box::new(call)));
    }

    /// The actor that was to call is gone.
    fn uncalled(&self, step: StepRef, attempt: u32) {
        let uncalled = WorkerEvent::Uncalled { step, attempt };
        self.slot.post(CoordinatorMessage::Worker(uncalled));
    }

    fn propose(&mut self, step: StepRef, key: &KeyName, overtaken: bool, resumed: bool) {
        let Some(entry) = self.key(key) else {
            return;
        };
        let (effect, staged) = match self.steps.get(&step) {
            Some(StepWork::Done { effect, staged, .. }) => (*effect, staged.clone()),
            Some(StepWork::Calling(..)) | None => (Effect::Nothing, Vec::new()),
        };
        let secrets = self.secrets(step.rotation);
        let new_keys = secrets.and_then(|secrets| secrets.new.clone());
        let resumed = resumed.then(|| step.rotation.as_uuid().as_u128());
        let change = StateChange {
            staged: staged.clone(),
            effect,
            new_keys,
            overtaken,
            resumed,
        };
        let ticket = entry.ticket();
        let slot = Arc::clone(&self.slot);
        let tell = move |proposed| {
            slot.post(CoordinatorMessage::Proposed {
                step,
                ticket,
                proposed,
            });
        };
        entry.post(KeyMessage::Propose {
            ticket,
            change,
            tell: Box::new(tell),
        });
        let work = StepWork::Done {
            effect,
            staged,
            proposal: Some(Proposal {
                ticket,
                key: key.clone(),
                record: None,
            }),
        };
        self.steps.insert(step, work);
    }

    pub(super) fn tell_key(&self, key: &KeyName, event: KeyEvent) {
        if let Some(entry) = self.key(key) {
            entry.post(KeyMessage::Happened(event));
        }
    }

    fn settled(&mut self, report: &RotationReport) {
        let (rotation, state) = (report.id, report.state);
        self.tell_settled(report);
        self.steps
            .retain(|step, work| step.rotation != rotation || !work.is_done());
        if state.has_ended() {
            self.means.history.rotation_ended();
            self.forget_rotation(rotation);
        } else if self.engine.machine().is_live(rotation) {
            // One that has ended since, but not durably yet, settles once more.
            self.put_away(rotation);
        }
        if !state.is_unfinished() {
            let rotation = rotation.as_uuid().as_u128();
            self.tell_key(&report.key, KeyEvent::Ended { rotation });
        }
    }
}
