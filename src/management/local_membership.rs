//! A worker of this process: what its handle asks, answered by the actors.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use crate::actors::admission::{Permit, Permits};
use crate::actors::candidate_keys::candidates;
use crate::actors::coordinator::message::{CoordinatorMessage, With};
use crate::actors::directory::KeyEntry;
use crate::guard::fork;
use crate::key::answer::KeyAnswer;
use crate::key::error::KeyError;
use crate::key::event::Request;
use crate::key::flow::SecretKeyFlow;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::time::Time;
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::management::answer::find;
use crate::management::inner::Inner;
use crate::rotation::act::By;
use crate::rotation::effect::Reply;
use crate::rotation::error::RotationError;
use crate::rotation::event::Event;
use crate::rotation::id::RotationId;
use crate::rotation::instance::Sharing;
use crate::rotation::report::RotationReport;
use crate::secret::value::SecretKeyValue;
use crate::worker::callback::Callback;
use crate::worker::caught_up::CaughtUp;
use crate::worker::change::Change;
use crate::worker::join::Join;
use crate::worker::membership::{Asked, AskedOfKey, Membership};
use crate::worker::names;

/// How many keys [`LocalMembership::save_states`] saves at a time: as many as one write takes.
const MAX_SAVES: usize = 1_024;

/// A worker of this process that has joined.
pub struct LocalMembership {
    inner: Arc<Inner>,
    name: WorkerName,
    incarnation: u64,
    permits: Option<Arc<Permits>>,
}

impl LocalMembership {
    pub(super) async fn join(inner: Arc<Inner>, join: Join) -> Result<Self, RotationError> {
        let name = WorkerName::new(&join.name)?;
        if join.sharing == Sharing::Shared {
            return Err(RotationError::SoleHere { worker: name });
        }
        loop {
            let freed = names::freed();
            match Self::join_named(Arc::clone(&inner), name.clone()).await {
                Err(RotationError::WorkerNameTaken { .. }) if join.waits => freed.await,
                joined => return joined,
            }
        }
    }

    pub(super) async fn join_named(
        inner: Arc<Inner>,
        name: WorkerName,
    ) -> Result<Self, RotationError> {
        fork::refuse_child()?;
        if inner.declarer.directory.is_closed() {
            return Err(RotationError::ShutDown { id: None });
        }
        let worker = name.clone();
        let join = move |ticket| Event::Join {
            ticket,
            worker,
            sharing: Sharing::Sole,
            process: None,
        };
        match inner.declarer.ask(With::Nothing, join).await? {
            Reply::Joined { incarnation, .. } => Ok(Self {
                permits: inner.worker_permits(&name),
                inner,
                name,
                incarnation,
            }),
            Reply::Done
            | Reply::CaughtUp { .. }
            | Reply::AskStores { .. }
            | Reply::WithoutVersions { .. }
            | Reply::Accepted { .. }
            | Reply::Report(_)
            | Reply::NotLive { .. } => Err(RotationError::UnknownWorker { worker: name }),
        }
    }

    pub(super) fn find(&self, key: &str) -> Result<Arc<KeyEntry>, KeyError> {
        fork::refuse_child()?;
        self.inner.declarer.directory.find(key)
    }

    pub(super) async fn save(&self, entry: &KeyEntry, deadline: Time) -> Result<(), KeyError> {
        let _permit = self.permit()?;
        entry.ask_by(Request::Save, deadline).await.map(drop)
    }

    /// Writes the state of every stated key that is wanted.
    pub(crate) async fn save_states_of(
        &self,
        wanted: impl Fn(&KeyName) -> bool,
    ) -> Result<(), KeyError> {
        fork::refuse_child()?;
        let mut stated = self.inner.declarer.directory.all();
        stated.retain(|entry| entry.behaviour().has_record() && wanted(entry.name()));
        // Every key's deadline counts from now, also where its turn comes late.
        let stated = stated.into_iter().map(|entry| (entry.deadline(), entry));
        let stated: Vec<_> = stated.collect();
        let save = async |(by, entry): (Time, Arc<KeyEntry>)| self.save(&entry, by).await;
        let saves = stream::iter(stated).map(save);
        let saves = saves.buffer_unordered(MAX_SAVES);
        saves
            .fold(Ok(()), async |first, saved| first.and(saved))
            .await
    }

    /// Every back half that data of this key may be under.
    pub(super) async fn candidates_of(
        &self,
        entry: &KeyEntry,
    ) -> Result<Vec<SecretKeyValue>, KeyError> {
        let _permit = self.permit()?;
        candidates(&self.inner.declarer, &self.inner.journal, entry).await
    }

    fn permit(&self) -> Result<Option<Permit<&Permits>>, KeyError> {
        let Some(permits) = &self.permits else {
            return Ok(None);
        };
        let busy = || KeyError::WorkerBusy {
            worker: self.name.clone(),
            bound: permits.bound(),
        };
        permits.lend().map(Some).ok_or_else(busy)
    }

    async fn register_named(
        &self,
        key: &str,
        callback: &str,
        call: Callback,
    ) -> Result<(), RotationError> {
        #[cfg(feature = "testing")]
        let call = self.inner.settings.panics.callback(call);
        let entry = find(&self.inner, key)?;
        let callback = CallbackName::new(callback)?;
        let of = call.of();
        let with = With::Callback(call);
        let (worker, incarnation) = (self.name.clone(), self.incarnation);
        let key = entry.name().clone();
        let register = move |ticket| Event::Register {
            ticket,
            worker,
            incarnation,
            key,
            callback,
            of,
        };
        self.inner.declarer.ask(with, register).await.map(drop)
    }
}

impl Membership for LocalMembership {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, flow: Option<SecretKeyFlow>) -> AskedOfKey<'a, KeyAnswer> {
        Box::pin(async move {
            let entry = self.inner.declarer.directory.find(key)?;
            let _permit = self.permit()?;
            entry.get(flow, &self.name).await
        })
    }

    fn get_version<'a>(&'a self, key: &'a str, id: VersionId) -> AskedOfKey<'a, KeyAnswer> {
        Box::pin(async move {
            let entry = self.inner.declarer.directory.find(key)?;
            let _permit = self.permit()?;
            entry.get_version(id).await
        })
    }

    fn versions<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, Vec<VersionListing>> {
        Box::pin(async move {
            let entry = self.inner.declarer.directory.find(key)?;
            let _permit = self.permit()?;
            entry.versions().await
        })
    }

    fn candidates<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, Vec<SecretKeyValue>> {
        Box::pin(async move { self.candidates_of(&*self.find(key)?).await })
    }

    fn save_state<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, ()> {
        Box::pin(async move {
            let entry = self.find(key)?;
            self.save(&entry, entry.deadline()).await
        })
    }

    fn save_states(&self) -> AskedOfKey<'_, ()> {
        Box::pin(self.save_states_of(|_| true))
    }

    fn register<'a>(
        &'a self,
        key: &'a str,
        callback: &'a str,
        call: Callback,
    ) -> Asked<'a, CaughtUp> {
        Box::pin(async move {
            self.register_named(key, callback, call).await?;
            Ok(CaughtUp::default())
        })
    }

    fn ready(&self) -> Asked<'_, ()> {
        Box::pin(async { Ok(fork::refuse_child()?) })
    }

    fn declare(&self, change: Change) -> Asked<'_, RotationId> {
        Box::pin(self.inner.declarer.declare(change, self.by()))
    }

    fn wait(&self, id: RotationId) -> Asked<'_, RotationReport> {
        Box::pin(self.inner.wait(id))
    }

    fn change(&self, change: Change) -> Asked<'_, RotationReport> {
        Box::pin(self.inner.change(change, self.by()))
    }

    fn removed(&self) -> Pin<Box<dyn Future<Output = RotationError> + Send + '_>> {
        Box::pin(async {
            // Before anything is locked that the parent may have locked.
            if let Err(forked) = fork::refuse_child() {
                return forked.into();
            }
            loop {
                let freed = names::freed();
                match self.is_on_the_roster().await {
                    Ok(()) => freed.await,
                    Err(RotationError::UnknownInstance { worker, .. }) => {
                        return RotationError::UnknownWorker { worker };
                    }
                    // That is told, too, when the journal can be asked again.
                    Err(error) if error.is_retriable() => freed.await,
                    Err(error) => return error,
                }
            }
        })
    }

    fn leave(&self) -> Asked<'_, ()> {
        Box::pin(async move {
            let (worker, incarnation) = (self.name.clone(), Some(self.incarnation));
            let by = self.by();
            let leave = move |ticket| Event::Leave {
                ticket,
                worker,
                incarnation,
                by,
            };
            let declarer = &self.inner.declarer;
            declarer.ask(With::Nothing, leave).await.map(drop)
        })
    }
}

impl LocalMembership {
    async fn is_on_the_roster(&self) -> Result<(), RotationError> {
        fork::refuse_child()?;
        let (worker, number) = (self.name.clone(), self.incarnation);
        let ready = move |ticket| Event::Ready {
            ticket,
            worker,
            number,
        };
        let asked = self.inner.declarer.ask(With::Nothing, ready);
        asked.await.map(drop)
    }

    /// By whom this worker does what it does.
    fn by(&self) -> By {
        let own = self.inner.declarer.own.clone();
        own.of_worker(Some(self.name.clone()))
    }
}

impl Drop for LocalMembership {
    fn drop(&mut self) {
        // `main` lives as long as its manager, whichever of its handles are left.
        if self.name == WorkerName::main() {
            return;
        }
        let event = Event::Died {
            worker: self.name.clone(),
            incarnation: self.incarnation,
        };
        let coordinator = &self.inner.declarer.coordinator;
        coordinator.post(CoordinatorMessage::Happened(Box::new(event)));
    }
}
