//! What the coordinator's effects do: the batch to the journal, messages to keys and workers, and
//! answers to askers.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context};
use tokio::sync::oneshot;

use crate::actors::coordinator::{Calling, CoordinatorActor, CoordinatorMessage};
use crate::actors::key::KeyMessage;
use crate::actors::link::CallbackLink;
use crate::actors::worker::{Call, WorkerActor, WorkerMessage, WorkerOrder};
use crate::key::event::{Asker, Event as KeyEvent, Supersede};
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Effect, StateChange};
use crate::rotation::effect::{Reply, RotationEffect};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Ask, Declaration, EndedRotation, Event, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::worker::callback::{Callback, KeyChange};
use crate::worker::handle::{CallPlace, OnChangeKeyDefinition, Staging};
use crate::worker::run::CallEnd;
use crate::worker::running::CallLane;

impl CoordinatorActor {
    pub(super) fn perform(&mut self, effect: RotationEffect, ctx: &mut Context<Self>) {
        match effect {
            RotationEffect::Write { .. } => {}
            RotationEffect::Reply { ask, reply, .. } => self.reply(ask, reply, ctx),
            RotationEffect::Search {
                ask, declaration, ..
            } => self.search(ask, declaration, ctx),
            RotationEffect::Snapshot { rotation, key } => self.snapshot(rotation, &key, ctx),
            RotationEffect::Prepare {
                step,
                key,
                worker,
                callback,
                ..
            } => {
                self.prepare(step, key, worker, callback);
            }
            RotationEffect::Release { step } => self.release(step),
            RotationEffect::Call {
                step, attempt, key, ..
            } => self.call(step, attempt, &key, ctx),
            RotationEffect::Propose {
                step,
                key,
                overtaken,
                resumed,
            } => {
                self.propose(step, &key, overtaken, resumed, ctx);
            }
            RotationEffect::Withdraw { step } => self.withdraw(step),
            RotationEffect::Adopt { step, .. } => {
                if let Some((ticket, key, _)) = self.proposals.remove(&step) {
                    self.tell_key(&key, KeyEvent::Adopt { ticket });
                }
            }
            RotationEffect::Supersede {
                rotation,
                key,
                only_old,
                ..
            } => {
                let old = self
                    .secrets
                    .get(&rotation)
                    .and_then(|secrets| secrets.old.clone());
                let which = if only_old {
                    Supersede::Only(old)
                } else {
                    Supersede::Any
                };
                self.tell_key(&key, KeyEvent::Supersede(which));
            }
            RotationEffect::Stopped { rotation, key, .. } => {
                let rotation = rotation.as_uuid().as_u128();
                self.tell_key(&key, KeyEvent::Stopped { rotation });
            }
            RotationEffect::Settled { report, .. } => self.settled(&report),
        }
    }

    /// What waited for a write that failed is not performed: whoever waits is told so.
    pub(super) fn give_up(&mut self, effect: RotationEffect, why: &str) {
        match effect {
            RotationEffect::Reply { ask, reply, .. } => {
                let why = why.to_owned();
                let reply = match reply {
                    Ok(Reply::Accepted { id }) => {
                        Err(RotationError::Unwritten { id: Some(id), why })
                    }
                    Ok(Reply::Report(report)) => {
                        let id = Some(report.id);
                        Err(RotationError::Unwritten { id, why })
                    }
                    Ok(Reply::Done | Reply::Joined { .. } | Reply::NotLive { .. }) => {
                        Err(RotationError::Unwritten { id: None, why })
                    }
                    Err(error) => Err(error),
                };
                self.offered.remove(&ask);
                self.joining.remove(&ask);
                if let Some(asker) = self.replies.remove(&ask) {
                    drop(asker.send(reply));
                }
            }
            RotationEffect::Call { step, .. } => self.release(step),
            RotationEffect::Adopt { step, .. } | RotationEffect::Withdraw { step } => {
                self.withdraw(step);
            }
            RotationEffect::Write { .. }
            | RotationEffect::Search { .. }
            | RotationEffect::Snapshot { .. }
            | RotationEffect::Prepare { .. }
            | RotationEffect::Release { .. }
            | RotationEffect::Propose { .. }
            | RotationEffect::Supersede { .. }
            | RotationEffect::Stopped { .. }
            | RotationEffect::Settled { .. } => {}
        }
    }

    fn reply(&mut self, ask: Ask, reply: Result<Reply, RotationError>, ctx: &mut Context<Self>) {
        self.offered.remove(&ask);
        let joining = self.joining.remove(&ask);
        if let (Some(worker), Ok(Reply::Joined { .. })) = (&joining, &reply) {
            self.start_worker(worker.clone(), ctx);
        }
        let told = match self.replies.remove(&ask) {
            Some(asker) => asker.send(reply),
            None => Err(reply),
        };
        if let (Some(worker), Err(Ok(Reply::Joined { incarnation }))) = (joining, told) {
            let died = Event::Died {
                worker,
                incarnation,
            };
            ctx.notify(CoordinatorMessage::Happened(Box::new(died)));
        }
    }

    fn start_worker(&mut self, worker: WorkerName, ctx: &Context<Self>) {
        let plugins = Arc::clone(&self.means.plugins);
        let coordinator = ctx.address().recipient();
        let arbiter = &self.means.arbiter;
        let actor =
            WorkerActor::start_in_arbiter(arbiter, move |_| WorkerActor::new(plugins, coordinator));
        if let Some(earlier) = self.workers.insert(worker, actor) {
            earlier.do_send(WorkerOrder::Stop);
        }
    }

    pub(super) fn add_callback(
        &mut self,
        worker: &WorkerName,
        key: KeyName,
        name: CallbackName,
        callback: Callback,
    ) {
        if let Some(worker) = self.workers.get(worker) {
            worker.do_send(WorkerOrder::Add {
                key,
                name,
                callback,
            });
        }
    }

    fn search(&self, ask: Ask, declaration: Declaration, ctx: &Context<Self>) {
        let actor = ctx.address();
        let id = declaration.id;
        self.means.journal.submit(
            move |journal| journal.find_ended(id),
            move |done| {
                let found = match done {
                    Ok(Ok(found)) => Ok(found.map(|(header, _)| EndedRotation {
                        key: header.key,
                        declared: header.declared,
                    })),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(closed) => Err(closed.to_string()),
                };
                let event = Event::Searched {
                    ask,
                    declaration,
                    found,
                };
                actor.do_send(CoordinatorMessage::Happened(Box::new(event)));
            },
        );
    }

    fn snapshot(&self, rotation: RotationId, key: &KeyName, ctx: &Context<Self>) {
        let Some(entry) = self.keys.get(key) else {
            return;
        };
        let (reply, snapshot) = oneshot::channel();
        let ticket = entry.ticket();
        entry
            .actor()
            .do_send(KeyMessage::Snapshot { ticket, reply });
        let actor = ctx.address();
        actix::spawn(async move {
            if let Ok(snapshot) = snapshot.await {
                actor.do_send(CoordinatorMessage::Snapped { rotation, snapshot });
            }
        });
    }

    fn prepare(&mut self, step: StepRef, key: KeyName, name: WorkerName, callback: CallbackName) {
        let Some(worker) = self.workers.get(&name).cloned() else {
            return;
        };
        let lane = CallLane {
            database: self.means.database,
            worker: name.clone(),
            key,
        };
        worker.do_send(WorkerOrder::Prepare {
            step,
            lane,
            callback,
        });
        self.calls.insert(step, Calling { worker, name });
    }

    /// What a step proposed to its key is not made.
    pub(super) fn withdraw(&mut self, step: StepRef) {
        if let Some((ticket, key, _)) = self.proposals.remove(&step) {
            self.tell_key(&key, KeyEvent::Withdraw { ticket });
        }
    }

    fn release(&mut self, step: StepRef) {
        if let Some(calling) = self.calls.remove(&step) {
            calling.worker.do_send(WorkerOrder::Release { step });
        }
    }

    fn call(&mut self, step: StepRef, attempt: u32, key: &KeyName, ctx: &mut Context<Self>) {
        if !self.machine.is_called(step, attempt) {
            self.release(step);
            return;
        }
        let (Some(calling), Some(entry)) = (self.calls.get(&step), self.keys.get(key)) else {
            let end = CallEnd::failed("it could not be called: its worker is gone");
            ctx.notify(WorkerMessage::Ended { step, attempt, end });
            return;
        };
        let declarer = self.declarer.clone();
        let secrets = self
            .secrets
            .get(&step.rotation)
            .cloned()
            .unwrap_or_default();
        let staging = Staging::open();
        let asker = Asker {
            worker: calling.name.clone(),
            incarnation: 0,
        };
        let link = CallbackLink {
            entry: Arc::clone(entry),
            asker,
            declarer,
        };
        let place = CallPlace {
            worker: calling.name.clone(),
            rotation: step.rotation,
            step: step.step,
            attempt,
        };
        let change = KeyChange {
            old_keys: secrets.old,
            new_keys: secrets.new,
            key: OnChangeKeyDefinition::new(
                key.clone(),
                Arc::clone(entry.behaviour()),
                place,
                Arc::new(secrets.snapshot.unwrap_or_default()),
                Arc::clone(&staging),
                Arc::new(link),
            ),
        };
        let limit = entry.behaviour().callback_time_limit;
        let call = Call {
            step,
            attempt,
            change,
            staging,
            limit,
        };
        calling.worker.do_send(WorkerOrder::Run(Box::new(call)));
    }

    fn propose(
        &mut self,
        step: StepRef,
        key: &KeyName,
        overtaken: bool,
        resumed: bool,
        ctx: &Context<Self>,
    ) {
        let Some(entry) = self.keys.get(key) else {
            return;
        };
        let nothing = (Effect::Nothing, Vec::new());
        let (effect, staged) = self.done.remove(&step).unwrap_or(nothing);
        let new_keys = self
            .secrets
            .get(&step.rotation)
            .and_then(|secrets| secrets.new.clone());
        let resumed = resumed.then(|| step.rotation.as_uuid().as_u128());
        let change = StateChange {
            staged,
            effect,
            new_keys,
            overtaken,
            resumed,
        };
        let ticket = entry.ticket();
        let (reply, proposed) = oneshot::channel();
        entry.actor().do_send(KeyMessage::Propose {
            ticket,
            change,
            reply,
        });
        self.proposals.insert(step, (ticket, key.clone(), None));
        let actor = ctx.address();
        actix::spawn(async move {
            if let Ok(proposed) = proposed.await {
                actor.do_send(CoordinatorMessage::Proposed { step, proposed });
            }
        });
    }

    fn tell_key(&self, key: &KeyName, event: KeyEvent) {
        if let Some(entry) = self.keys.get(key) {
            entry.actor().do_send(KeyMessage::Happened(event));
        }
    }

    fn settled(&mut self, report: &RotationReport) {
        let (rotation, key, state) = (report.id, &report.key, report.state);
        let failed = report.failed().count();
        if report.raises() {
            tracing::error!(%rotation, %key, %state, failed, "a rotation settled with failures");
        } else {
            tracing::info!(%rotation, %key, %state, failed, "a rotation settled");
        }
        if state.has_ended() {
            self.secrets.remove(&rotation);
        }
        if !state.is_unfinished() {
            let rotation = rotation.as_uuid().as_u128();
            self.tell_key(&report.key, KeyEvent::Ended { rotation });
        }
    }
}
