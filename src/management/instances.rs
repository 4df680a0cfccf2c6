//! What the keeper's socket asks for the instances of other processes.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::actors::callback_link::CallbackLink;
use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::journal::secrets::RotationSecrets;
use crate::key::definition::KeyBehaviour;
use crate::key::error::KeyError;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::state::Staged;
use crate::management::answer::find;
use crate::management::keys_management::KeysManagement;
use crate::rotation::act::By;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::{Event, StepRef};
use crate::rotation::id::RotationId;
use crate::rotation::instance::{CallbackOf, Instance, InstanceEvent, Process, Sharing};
use crate::secret::value::SecretKeyValue;
use crate::worker::handle::KeyLink;
use crate::worker::link::{WorkerEvent, WorkerLink};

/// An instance of another process: its worker and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceRef {
    pub(crate) worker: WorkerName,
    pub(crate) number: u64,
}

/// With how many steps an instance was caught up, and those that failed.
#[derive(Debug, Default)]
pub(crate) struct CaughtUp {
    pub(crate) steps: usize,
    pub(crate) failed: Vec<(RotationId, String)>,
}

impl KeysManagement {
    /// Another process joins; answers the number of its instance. What the link is asked begins before this
    /// answers.
    pub(crate) async fn join_instance(
        &self,
        worker: WorkerName,
        sharing: Sharing,
        process: Process,
        link: Arc<dyn WorkerLink>,
    ) -> Result<u64, RotationError> {
        if self.inner.declarer.directory.is_closed() {
            return Err(RotationError::ShutDown { id: None });
        }
        let named = worker.clone();
        let join = move |ticket| Event::Join {
            ticket,
            worker,
            sharing,
            process: Some(process),
        };
        let asked = self.inner.declarer.ask(With::Link(link), join);
        match asked.await? {
            Reply::Joined { incarnation, .. } => Ok(incarnation),
            _ => Err(RotationError::UnknownWorker { worker: named }),
        }
    }

    /// The process of an instance is connected again, and has these calls.
    pub(crate) async fn return_instance(
        &self,
        of: &InstanceRef,
        process: Process,
        has: BTreeSet<(StepRef, u32)>,
        link: Arc<dyn WorkerLink>,
    ) -> Result<(), RotationError> {
        let InstanceRef { worker, number } = of.clone();
        let returns = move |ticket| Event::Return {
            ticket,
            worker,
            number,
            process,
            has,
        };
        let asked = self.inner.declarer.ask(With::Link(link), returns);
        asked.await.map(drop)
    }

    /// Registers a callback of an instance. It takes as long as what the instance is caught up with.
    pub(crate) async fn register_at(
        &self,
        of: &InstanceRef,
        key: &str,
        callback: &str,
        kind: CallbackOf,
    ) -> Result<CaughtUp, RotationError> {
        let key = find(&self.inner, key)?.name().clone();
        let callback = CallbackName::new(callback)?;
        let InstanceRef { worker, number } = of.clone();
        let register = move |ticket| Event::Register {
            ticket,
            worker,
            incarnation: number,
            key,
            callback,
            of: kind,
        };
        let coordinator = &self.inner.declarer.coordinator;
        Ok(match coordinator.ask(With::Nothing, register).await? {
            Reply::CaughtUp { failed, steps } => CaughtUp { steps, failed },
            _ => CaughtUp::default(),
        })
    }

    /// An instance has registered all of its callbacks.
    pub(crate) async fn ready_at(&self, of: &InstanceRef) -> Result<(), RotationError> {
        let InstanceRef { worker, number } = of.clone();
        let ready = move |ticket| Event::Ready {
            ticket,
            worker,
            number,
        };
        self.inner
            .declarer
            .ask(With::Nothing, ready)
            .await
            .map(drop)
    }

    /// An instance leaves, and its worker with it.
    pub(crate) async fn leave_at(&self, of: &InstanceRef) -> Result<(), RotationError> {
        let InstanceRef { worker, number } = of.clone();
        let leave = move |ticket| Event::Leave {
            ticket,
            worker,
            incarnation: Some(number),
            by: By::default(),
        };
        self.inner
            .declarer
            .ask(With::Nothing, leave)
            .await
            .map(drop)
    }

    /// What saving a key's state has to ask of the store, within a call of an instance.
    pub(crate) async fn stage_save_at(
        &self,
        key: &KeyName,
        staged: Vec<Staged>,
    ) -> Result<Option<SecretKeyValue>, KeyError> {
        let declarer = self.inner.declarer.clone();
        let by = declarer.own.clone();
        CallbackLink { declarer, by }.stage_save(key, staged).await
    }

    /// Something happens at an instance.
    pub(crate) fn tell_of_instance(
        &self,
        of: &InstanceRef,
        event: InstanceEvent,
        staged: Vec<Staged>,
    ) {
        let told = WorkerEvent::Instance {
            worker: of.worker.clone(),
            number: of.number,
            event,
            staged,
        };
        let coordinator = &self.inner.declarer.coordinator;
        coordinator.post(CoordinatorMessage::Worker(told));
    }

    /// Every instance that is not gone.
    pub(crate) async fn instances(&self) -> Result<Vec<Instance>, RotationError> {
        Ok(self.overview().await?.instances())
    }

    /// How a key behaves, if it is defined.
    pub(crate) fn behaviour_of(&self, key: &KeyName) -> Option<Arc<KeyBehaviour>> {
        let found = self.inner.declarer.directory.find(key.as_str()).ok()?;
        Some(Arc::clone(found.behaviour()))
    }

    /// The keys that a text about a rotation may quote, where the journal still has them.
    pub(crate) async fn keys_that_may_be_quoted(&self, id: RotationId) -> Option<RotationSecrets> {
        self.sealed(id).await.ok().flatten()
    }
}
