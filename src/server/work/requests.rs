//! What an instance asks for, each answered when it is done.

use std::pin::Pin;
use std::sync::Arc;

use crate::rotation::error::RotationError;
use crate::rotation::instance::CallbackOf;
use crate::secret::visible::Visible;
use crate::server::connection::Connection;
use crate::server::grants::right::Right;
use crate::server::keeper::Keeper;
use crate::server::work::calls::CallId;
use crate::server::work::registry::KnownInstance;
use crate::wire::ends::staged;
use crate::wire::generated::answer::Answer as Given;
use crate::wire::generated::{
    Answer, AskForSave, CallRef, DeclareAnswer, DeclareInCall, Done, NotCaughtUp, Refusal,
    Register, Registered, Save,
};
use crate::wire::instances::callback_of;
use crate::wire::invalid::{InvalidMessage, needed};
use crate::worker::change::Change;

/// An answer to come.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The caller.
#[derive(Clone)]
pub(super) struct Asks {
    pub(super) keeper: Arc<Keeper>,
    pub(super) connection: Arc<Connection>,
    pub(super) known: Arc<KnownInstance>,
}

/// What an instance asks for.
pub(super) enum Wanted {
    Register(Register),
    Ready,
    Leave,
    Save(AskForSave),
    Declare(DeclareInCall),
}

/// There is no such call.
pub(super) fn unknown_call() -> Refusal {
    let text = "the instance has no such call; it has ended, or was given to another one";
    Refusal::new("unknown_call", false, text.to_owned())
}

fn refused(error: RotationError) -> Refusal {
    Refusal::from(&error)
}

fn invalid(error: InvalidMessage) -> Refusal {
    Refusal::from(&error)
}

impl Asks {
    /// The answer to a request of this number.
    pub(super) fn answer(self, request: u64, wanted: Wanted) -> Answering {
        Box::pin(async move {
            let given = match wanted {
                Wanted::Register(register) => self.register(register).await.map(Given::Registered),
                Wanted::Ready => self.ready().await,
                Wanted::Leave => self.leave().await,
                Wanted::Save(ask) => self.save(ask).await.map(Given::Save),
                Wanted::Declare(declare) => self.declare(declare).await.map(Given::Declared),
            };
            let answer = Some(given.unwrap_or_else(Given::Refused));
            Answer { request, answer }
        })
    }

    async fn ready(&self) -> Result<Given, Refusal> {
        let ready = self.keeper.keys.ready_at(&self.known.of).await;
        ready.map(|()| Given::Done(Done {})).map_err(refused)
    }

    async fn leave(&self) -> Result<Given, Refusal> {
        let left = self.keeper.keys.leave_at(&self.known.of).await;
        left.map(|()| Given::Done(Done {})).map_err(refused)
    }

    async fn register(&self, register: Register) -> Result<Registered, Refusal> {
        let Register {
            key,
            callback,
            kind,
            again,
            ..
        } = register;
        let worker = self.known.of.worker.as_str();
        let asked = || {
            format!(
                "register of a callback of worker {worker} for key {}",
                Visible(key.as_str())
            )
        };
        self.keeper
            .demand(&self.connection, &[Right::Work], asked, |grants, asker| {
                grants.allow_work(asker, worker, &key)
            })?;
        let kind: CallbackOf = callback_of(kind).map_err(invalid)?;
        let keys = &self.keeper.keys;
        match keys
            .register_at(&self.known.of, &key, &callback, kind)
            .await
        {
            Ok(caught_up) => Ok(Registered {
                caught_up: u32::try_from(caught_up.steps).unwrap_or(u32::MAX),
                failed: caught_up
                    .failed
                    .into_iter()
                    .map(|(rotation, error)| NotCaughtUp {
                        rotation: rotation.to_string(),
                        error,
                    })
                    .collect(),
            }),
            Err(RotationError::CallbackTaken { .. }) if again => {
                self.known.calls.caught_up_with(&key).await;
                Ok(Registered::default())
            }
            Err(error) => Err(refused(error)),
        }
    }

    fn call(&self, call: Option<CallRef>) -> Result<CallId, Refusal> {
        let named = needed("call", call).and_then(|call| call.named());
        named.map_err(invalid)
    }

    async fn save(&self, ask: AskForSave) -> Result<Save, Refusal> {
        let of = self.known.calls.of(self.call(ask.call)?);
        let (key, use_case) = of.ok_or_else(unknown_call)?;
        let staged = staged(ask.staged, use_case).map_err(invalid)?;
        let asked = self.keeper.keys.stage_save_at(&key, staged).await;
        let asked = asked.map_err(|error| Refusal::from(&error))?;
        let asked = asked.as_ref().map(Into::into);
        Ok(Save { asked })
    }

    async fn declare(&self, declare: DeclareInCall) -> Result<DeclareAnswer, Refusal> {
        let of = self.known.calls.of(self.call(declare.call)?);
        of.ok_or_else(unknown_call)?;
        let change = needed("change", declare.change).map_err(invalid)?;
        let right = [Right::Declare];
        self.keeper
            .demand_on(&self.connection, &right, &change.key, "declare")?;
        let change = Change::try_from(change).map_err(invalid)?;
        let keys = self.keeper.keys.by(self.connection.by());
        let id = keys.declare(change).await.map_err(refused)?;
        let id = id.to_string();
        Ok(DeclareAnswer { id })
    }
}
