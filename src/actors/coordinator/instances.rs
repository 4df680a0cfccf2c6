//! Instances of other processes: the ways to them, the calls that they are given, and what they tell.

use std::sync::Arc;
use std::time::Duration;

use crate::actors::coordinator::message::{CatchUp, CoordinatorMessage, FoundKeys, With};
use crate::actors::coordinator::part::{Closing, CoordinatorPart, Ctx};
use crate::actors::coordinator::rotation_keys::READ_AGAIN;
use crate::actors::coordinator::work::{RotationKeys, StepWork};
use crate::journal::secrets::RotationSecrets;
use crate::key::definition::KeyBehaviour;
use crate::key::event::Ticket;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::{Snapshot, Staged};
use crate::rotation::error::RotationError;
use crate::rotation::event::{Event, StepOutcome, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::InstanceEvent;
use crate::rotation::roster::WorkerEntry;
use crate::worker::call::Call;
use crate::worker::call_versions::CallVersions;
use crate::worker::link::{WorkerEvent, WorkerRequest};
use crate::worker::process_lanes as lanes;

/// How long keys have to be read before what needs them is looked at again.
const READ_FIRST: Duration = Duration::from_millis(20);

impl CoordinatorPart {
    /// An instance has joined or is back: its link came with its request.
    pub(super) fn connected(&mut self, ticket: Ticket, worker: &WorkerName, number: u64) {
        if let With::Link(link) = self.requests.take_with(ticket) {
            let earlier = self.instances.insert((worker.clone(), number), link);
            if let Some(earlier) = earlier {
                earlier.ask(WorkerRequest::Stop);
            }
        }
    }

    /// Why a process may not join yet: a callback of the worker of that name, which is gone, has not returned in this
    /// process, and another process would be given its next one meanwhile.
    pub(super) fn held_back(&self, event: &Event) -> Option<RotationError> {
        let Event::Join {
            worker,
            process: Some(_),
            ..
        } = event
        else {
            return None;
        };
        let entry = self.engine.machine().roster().get(worker);
        if entry.is_some_and(WorkerEntry::is_taken) || !lanes::runs(&self.means.database, worker) {
            return None;
        }
        let why = "a callback of it has not returned in the keeper's process, which it was a worker of; ask again when \
                   it has";
        Some(RotationError::StillRuns {
            worker: worker.clone(),
            why: why.to_owned(),
        })
    }

    /// An instance is gone: nothing is asked of it any more.
    pub(super) fn gone(&mut self, worker: &WorkerName, number: u64) {
        if let Some(link) = self.instances.remove(&(worker.clone(), number)) {
            link.ask(WorkerRequest::Stop);
        }
    }

    /// A worker is off the roster, and with it all of its instances.
    pub(super) fn stop_instances(&mut self, worker: &WorkerName) {
        let mine = self.instances.extract_if(.., |(of, _), _| of == worker);
        for (_, link) in mine.collect::<Vec<_>>() {
            link.ask(WorkerRequest::Stop);
        }
    }

    pub(super) fn remove_from_instances(
        &self,
        worker: &WorkerName,
        key: &KeyName,
        name: &CallbackName,
    ) {
        for ((of, _), link) in &self.instances {
            if of == worker {
                let (key, name) = (key.clone(), name.clone());
                link.ask(WorkerRequest::Remove { key, name });
            }
        }
    }

    /// Hands a call to an instance, or tells that it was not.
    pub(super) fn give(
        &mut self,
        (worker, number): (&WorkerName, u64),
        (step, attempt): (StepRef, u32),
        key: &KeyName,
        callback: &CallbackName,
    ) {
        let link = self.instances.get(&(worker.clone(), number));
        let call = self.call_of((step, attempt), key, callback);
        let event = match (link, call) {
            (Some(link), Some(call)) => return link.ask(WorkerRequest::Call(Box::new(call))),
            (Some(_), None) => match self.end_without_keys(step, attempt) {
                Some(end) => end,
                None => return self.uncalled_until_keys_are_read((worker, number), step, attempt),
            },
            (None, _) => InstanceEvent::Uncalled { step, attempt },
        };
        self.told_of_instance(worker, number, event);
    }

    /// How a call at an instance ends when its rotation's keys cannot be read; none where the repo did not
    /// answer.
    fn end_without_keys(&self, step: StepRef, attempt: u32) -> Option<InstanceEvent> {
        let work = self.rotations.get(&step.rotation);
        match work.and_then(|work| work.kept.as_ref()) {
            Some(RotationKeys::Unreadable { why, .. }) => Some(InstanceEvent::Ended {
                step,
                attempt,
                outcome: StepOutcome::Failed {
                    error: cannot_be_read(why),
                },
                returned: true,
            }),
            Some(RotationKeys::Here(_)) | None => None,
        }
    }

    /// The instance is there and its call's keys are not: it is given one again after a while, and they are read
    /// with that.
    fn uncalled_until_keys_are_read(
        &self,
        (worker, number): (&WorkerName, u64),
        step: StepRef,
        attempt: u32,
    ) {
        let event = InstanceEvent::Uncalled { step, attempt };
        self.slot
            .post_after(READ_AGAIN, of_instance((worker, number), event, Vec::new()));
    }

    /// What a callback is called with; none where the keys of its rotation are not here.
    pub(super) fn call_of(
        &self,
        called: (StepRef, u32),
        key: &KeyName,
        callback: &CallbackName,
    ) -> Option<Call> {
        let secrets = self.secrets(called.0.rotation)?.clone();
        let behaviour = Arc::clone(self.key(key)?.behaviour());
        let versions = self.call_versions(called.0.rotation);
        let (key, callback) = (key.clone(), callback.clone());
        Some(made(called, (key, callback), behaviour, versions, secrets))
    }

    fn call_versions(&self, rotation: RotationId) -> Option<CallVersions> {
        let between = self.engine.machine().versions_between(rotation);
        between.map(|(old, new)| CallVersions { old, new })
    }

    fn told_of_instance(&self, worker: &WorkerName, number: u64, event: InstanceEvent) {
        let told = of_instance((worker, number), event, Vec::new());
        self.slot.post(told);
    }

    /// Tells an instance that how a call ended is durable, or counts no more.
    pub(super) fn heard(&self, worker: &WorkerName, number: u64, step: StepRef, attempt: u32) {
        if let Some(link) = self.instances.get(&(worker.clone(), number)) {
            link.ask(WorkerRequest::Heard { step, attempt });
        }
    }

    /// Has a worker called for a step that has Succeeded before it registered the callback.
    pub(super) fn catch_up(&self, of: CatchUp) {
        let CatchUp { step, attempt, .. } = of;
        let instance = self.instances.get(&(of.worker.clone(), of.life));
        let Some(link) = instance.or_else(|| self.workers.get(&of.worker)).cloned() else {
            return self.caught_up_without(&of, "it is not connected");
        };
        if let Some(call) = self.call_of((step, attempt), &of.key, &of.callback) {
            return link.ask(WorkerRequest::CatchUp(Box::new(call)));
        }
        let Some(behaviour) = self.key(&of.key).map(|entry| Arc::clone(entry.behaviour())) else {
            return self.caught_up_without(&of, "the key is not defined");
        };
        let (slot, versions) = (self.slot.clone(), self.call_versions(step.rotation));
        self.means.journal.submit(
            move |journal| journal.living_secrets(step.rotation),
            move |done| {
                let found = match done {
                    Ok(found) => FoundKeys::from(found),
                    Err(closed) => FoundKeys::Unavailable(closed.into()),
                };
                let error = match found {
                    FoundKeys::Found(Some(secrets)) => {
                        let (called, named) = ((step, attempt), (of.key, of.callback));
                        let call = made(called, named, behaviour, versions, secrets);
                        return link.ask(WorkerRequest::CatchUp(Box::new(call)));
                    }
                    FoundKeys::Unavailable(down) if !down.is_for_good() => {
                        return slot.post_after(READ_AGAIN, CoordinatorMessage::CatchUp(of));
                    }
                    FoundKeys::Found(None) => "the rotation has ended".to_owned(),
                    FoundKeys::Unreadable(why) => cannot_be_read(&why),
                    FoundKeys::Unavailable(down) => cannot_be_read(&down.to_string()),
                };
                slot.post(caught_up(&of, error));
            },
        );
    }

    /// It is time to catch an instance up whose call's keys the repo did not answer, if it still waits for that.
    pub(super) fn catch_up_again(&self, of: CatchUp) {
        let machine = self.engine.machine();
        if machine.is_catching_up((&of.worker, of.life), of.step) {
            self.catch_up(of);
        }
    }

    fn caught_up_without(&self, of: &CatchUp, why: &str) {
        self.slot.post(caught_up(of, why.to_owned()));
    }

    pub(super) fn left_out(
        &self,
        worker: &WorkerName,
        key: &KeyName,
        callback: &CallbackName,
        ends: u32,
    ) {
        let (worker, key, callback) = (worker.clone(), key.clone(), callback.clone());
        self.means.events.tell(move || {
            tracing::error!(
                %worker, %key, %callback, ends,
                "a callback of memory is not caught up any more: that many processes in a row ended in it"
            );
        });
    }

    /// An instance tells something.
    pub(super) fn instance_told(
        &mut self,
        (worker, number): (WorkerName, u64),
        event: InstanceEvent,
        staged: Vec<Staged>,
        ctx: &mut Ctx,
    ) {
        if matches!(self.closing, Closing::Flushed) {
            // Nothing can be written any more. The next keeper finds which processes have ended, and a client tells
            // an end until it is durable.
            return;
        }
        if let InstanceEvent::Ended {
            step,
            attempt,
            outcome: StepOutcome::Done { effect, .. },
            ..
        } = &event
        {
            let (step, effect) = (*step, *effect);
            if self.reads_keys_first(step) {
                return self.tell_again((worker, number), event, staged);
            }
            if self.engine.machine().runs_data_at(step, *attempt) == Some(number) {
                let done = StepWork::Done {
                    effect,
                    staged,
                    proposal: None,
                };
                self.steps.insert(step, done);
            }
        }
        if event == InstanceEvent::Absent {
            self.instances.remove(&(worker.clone(), number));
        }
        let ended = match &event {
            InstanceEvent::Ended { step, .. } => Some(*step),
            InstanceEvent::Absent
            | InstanceEvent::Dropped
            | InstanceEvent::ProcessEnded
            | InstanceEvent::Uncalled { .. }
            | InstanceEvent::Returned { .. }
            | InstanceEvent::CaughtUp { .. } => None,
        };
        self.step(
            Event::Instance {
                worker,
                number,
                event,
            },
            ctx,
        );
        if let Some(step) = ended.filter(|step| !self.engine.keeps(*step)) {
            self.forget_done(step);
        }
    }

    /// Whether what a call did has to wait for the keys of its rotation, which another life of the keeper
    /// had.
    fn reads_keys_first(&mut self, step: StepRef) -> bool {
        let is_live = self.engine.machine().needs_keys(step.rotation);
        let reads = is_live && !self.has_keys(step.rotation);
        if reads {
            self.read_keys(step.rotation);
        }
        reads
    }

    /// The keys are read first, and what is told then comes behind them.
    fn tell_again(
        &self,
        (worker, number): (WorkerName, u64),
        event: InstanceEvent,
        staged: Vec<Staged>,
    ) {
        self.slot
            .post_after(READ_FIRST, of_instance((&worker, number), event, staged));
    }
}

/// What an instance tells.
fn of_instance(
    (worker, number): (&WorkerName, u64),
    event: InstanceEvent,
    staged: Vec<Staged>,
) -> CoordinatorMessage {
    CoordinatorMessage::Worker(WorkerEvent::Instance {
        worker: worker.clone(),
        number,
        event,
        staged,
    })
}

/// It could not be caught up.
fn caught_up(of: &CatchUp, error: String) -> CoordinatorMessage {
    let (step, error) = (of.step, Some(error));
    let event = InstanceEvent::CaughtUp { step, error };
    of_instance((&of.worker, of.life), event, Vec::new())
}

fn cannot_be_read(why: &str) -> String {
    format!("the keys of the rotation cannot be read: {why}")
}

/// A call with the keys of its rotation. Between versions the old keys are those that were current when it began
/// to run.
fn made(
    (step, attempt): (StepRef, u32),
    (key, callback): (KeyName, CallbackName),
    behaviour: Arc<KeyBehaviour>,
    versions: Option<CallVersions>,
    secrets: RotationSecrets,
) -> Call {
    let snapshot = secrets.snapshot.unwrap_or_default();
    let current = match &snapshot {
        Snapshot::Known { previous, .. } => previous.clone(),
        Snapshot::Unreadable { .. } => None,
    };
    Call {
        step,
        attempt,
        callback,
        key,
        behaviour,
        old_keys: secrets.old.or(current.filter(|_| versions.is_some())),
        new_keys: secrets.new,
        snapshot,
        versions,
    }
}
