//! A worker of this process whose keeper is another one: what its handle asks goes over a connection of its
//! own, and its callbacks are called here.
//!
//! `duties` is what has to be told until it is answered, `life` the connections one after another, `calling`
//! the calls. Never in here: what a call means to a rotation.

mod calling;
mod duties;
mod here;
mod life;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{SetOnce, mpsc, oneshot};

use crate::client::connection::KeeperConnection;
use crate::client::instance::calling::Calling;
use crate::client::instance::duties::{Asking, Duties, ReplyTo};
use crate::client::instance::here::{Here, ToLife};
use crate::client::instance::life::InstanceLife;
use crate::client::session::ClientSession;
use crate::key::answer::KeyAnswer;
use crate::key::flow::SecretKeyFlow;
use crate::key::keeper_error::KeeperError;
use crate::key::name::{CallbackName, KeyName, WorkerName};
use crate::key::versions::id::VersionId;
use crate::key::versions::listing::VersionListing;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::rotation::report::RotationReport;
use crate::secret::value::SecretKeyValue;
use crate::wire::generated::NotCaughtUp;
use crate::wire::generated::answer::Answer;
use crate::worker::callback::Callback;
use crate::worker::caught_up::CaughtUp;
use crate::worker::change::Change;
use crate::worker::join::Join;
use crate::worker::membership::{Asked, AskedOfKey, Membership};

/// A worker of this process whose keeper is another one.
pub(super) struct RemoteMembership {
    name: WorkerName,
    connection: KeeperConnection,
    to_life: ToLife,
    over: Arc<SetOnce<KeeperError>>,
}

impl RemoteMembership {
    /// Joins, over a connection of its own.
    pub(super) async fn join(
        session: &Arc<ClientSession>,
        join: Join,
    ) -> Result<Self, RotationError> {
        session.refuse_child()?;
        let name = WorkerName::new(&join.name)?;
        let connection = KeeperConnection::new(Arc::clone(session));
        let (to_life, here) = mpsc::unbounded_channel();
        let (told, joined) = oneshot::channel();
        let over = Arc::<SetOnce<KeeperError>>::default();
        let life = InstanceLife {
            name: name.clone(),
            sharing: join.sharing,
            waits: join.waits,
            connection: connection.clone(),
            calling: Calling::new(name.clone(), connection.clone(), to_life.clone()),
            here,
            over: Arc::clone(&over),
            joined: Some(told),
            instance: 0,
            duties: Duties::default(),
            has_ended_by_itself: false,
            is_away: false,
        };
        session.plugins.run_own(life.live());
        joined.await.unwrap_or_else(|_| Err(session.ended()))?;
        Ok(Self {
            name,
            connection,
            to_life,
            over,
        })
    }

    async fn ask(&self, here: impl FnOnce(ReplyTo) -> Here) -> Result<Answer, KeeperError> {
        let session = &self.connection.session;
        session.refuse_child()?;
        let over = || self.over.get().cloned().unwrap_or_else(|| session.ended());
        let (reply, answer) = oneshot::channel();
        self.to_life.send(here(reply)).map_err(|_| over())?;
        answer.await.unwrap_or_else(|_| Err(over()))
    }

    async fn done(&self, asking: Asking) -> Result<(), RotationError> {
        match self.ask(|reply| Here::Ask(asking, reply)).await? {
            Answer::Done(_) => Ok(()),
            _ => Err(self
                .connection
                .session
                .not_understood("that it is done")
                .into()),
        }
    }
}

impl Membership for RemoteMembership {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn get<'a>(&'a self, key: &'a str, flow: Option<SecretKeyFlow>) -> AskedOfKey<'a, KeyAnswer> {
        // Named, for a new connection may not have joined yet.
        let worker = Some(&self.name);
        Box::pin(async move { Ok(self.connection.get(key, flow, worker).await?) })
    }

    fn get_version<'a>(&'a self, key: &'a str, id: VersionId) -> AskedOfKey<'a, KeyAnswer> {
        Box::pin(async move { Ok(self.connection.get_version(key, id).await?) })
    }

    fn versions<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, Vec<VersionListing>> {
        Box::pin(async move { Ok(self.connection.versions(key).await?) })
    }

    fn candidates<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, Vec<SecretKeyValue>> {
        Box::pin(async move { Ok(self.connection.candidates(key).await?) })
    }

    fn save_state<'a>(&'a self, key: &'a str) -> AskedOfKey<'a, ()> {
        Box::pin(async move { Ok(self.connection.save_state(key).await?) })
    }

    fn save_states(&self) -> AskedOfKey<'_, ()> {
        Box::pin(async move { Ok(self.connection.save_states().await?) })
    }

    fn register<'a>(
        &'a self,
        key: &'a str,
        callback: &'a str,
        call: Callback,
    ) -> Asked<'a, CaughtUp> {
        Box::pin(async move {
            let (key, name) = (KeyName::new(key)?, CallbackName::new(callback)?);
            let asked = self.ask(|reply| Here::Register(key, name, call, reply));
            let session = &self.connection.session;
            let Answer::Registered(registered) = asked.await? else {
                return Err(session.not_understood("that it is registered").into());
            };
            let failed = |one: NotCaughtUp| Ok((session.id(&one.rotation)?, one.error));
            let failed = registered.failed.into_iter().map(failed);
            Ok(CaughtUp {
                rotations: registered.caught_up,
                failed: failed.collect::<Result<_, RotationError>>()?,
            })
        })
    }

    fn ready(&self) -> Asked<'_, ()> {
        Box::pin(self.done(Asking::Ready))
    }

    fn declare(&self, change: Change) -> Asked<'_, RotationId> {
        Box::pin(self.connection.declare(change))
    }

    fn wait(&self, id: RotationId) -> Asked<'_, RotationReport> {
        Box::pin(self.connection.wait(id))
    }

    fn change(&self, change: Change) -> Asked<'_, RotationReport> {
        Box::pin(async move {
            let id = self.connection.declare(change).await?;
            self.connection.wait(id).await
        })
    }

    fn removed(&self) -> Pin<Box<dyn Future<Output = RotationError> + Send + '_>> {
        Box::pin(async {
            match self.connection.session.refuse_child() {
                Ok(()) => self.over.wait().await.clone().into(),
                Err(forked) => forked.into(),
            }
        })
    }

    fn leave(&self) -> Asked<'_, ()> {
        Box::pin(self.done(Asking::Leave))
    }
}

impl Drop for RemoteMembership {
    fn drop(&mut self) {
        if self.connection.session.refuse_child().is_err() {
            // What it would be told to runs in the parent.
            mem::forget(self.to_life.clone());
            return;
        }
        drop(self.to_life.send(Here::Dropped));
    }
}
