//! The calls that an instance is given: each callback runs here, in the guard that it has in the keeper's
//! own process, and never two of one key at once.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use tokio::sync::oneshot;

use crate::client::connection::KeeperConnection;
use crate::client::instance::duties::{Asking, CallKey, Duties};
use crate::client::instance::here::{Here, ToLife};
use crate::client::session::MAX_MESSAGE;
use crate::key::error::KeyError;
use crate::key::keeper_error::KeeperError;
use crate::key::name::{KeyName, WorkerName};
use crate::key::state::Staged;
use crate::key::versions::id::VersionId;
use crate::rotation::error::RotationError;
use crate::rotation::id::RotationId;
use crate::secret::value::SecretKeyValue;
use crate::wire::counted::MOST_ENTRIES;
use crate::wire::generated::answer::Answer;
use crate::wire::generated::{
    self, AskForSave, CallRef, DeclareInCall, DeclareRequest, Ended, ToKeeper,
};
use crate::worker::call::{Call, CallEnd};
use crate::worker::callback::Callback;
use crate::worker::caller::Caller;
use crate::worker::change::Change;
use crate::worker::handle::{KeyLink, LinkFuture};
use crate::worker::lanes::Lane;
use crate::worker::ready::DueCallback;

/// So large the end of a call may be, in a message that says no more than that.
const MOST_TO_TELL: usize = MAX_MESSAGE - 64;

/// What calls the callbacks of an instance.
pub(super) struct Calling {
    pub(super) worker: WorkerName,
    pub(super) connection: KeeperConnection,
    pub(super) to_life: ToLife,
    lanes: HashMap<KeyName, Lane>,
}

impl Calling {
    pub(super) fn new(worker: WorkerName, connection: KeeperConnection, to_life: ToLife) -> Self {
        let lanes = HashMap::new();
        Self {
            worker,
            connection,
            to_life,
            lanes,
        }
    }

    /// Calls what the keeper gives, unless it was given before; answers what is to be told at once.
    pub(super) fn call(&mut self, given: generated::Call, duties: &mut Duties) -> Option<ToKeeper> {
        let call = match Call::try_from(given) {
            Ok(call) => call,
            Err(why) => {
                let worker = self.worker.clone();
                self.connection.session.events.tell(move || {
                    tracing::error!(%worker, %why, "a call of the keeper is not understood");
                });
                return None;
            }
        };
        let key = (call.step, call.attempt);
        if !duties.given(key) {
            // It is told how that ended, if it has.
            return duties.of_call(key);
        }
        let Some(callback) = duties.callback(&call.key, &call.callback).cloned() else {
            let why = "the callback is not registered in this process";
            duties.ended(key, ended(key, &CallEnd::failed(why), false), false);
            return duties.of_call(key);
        };
        let lane = self.lanes.entry(call.key.clone());
        let lane = lane.or_insert_with(Lane::apart).clone();
        self.begin(call, callback, lane);
        None
    }

    fn begin(&self, call: Call, callback: Callback, lane: Lane) {
        let arrived = Instant::now();
        let limit = call.behaviour.callback_time_limit;
        let key = (call.step, call.attempt);
        let link = CallLink {
            connection: self.connection.clone(),
            to_life: self.to_life.clone(),
            call: key,
        };
        let caller = Caller {
            worker: self.worker.clone(),
            plugins: Arc::clone(&self.connection.session.plugins),
            events: self.connection.session.events.clone(),
            link: Arc::new(link),
        };
        let (to_life, of_turn) = (self.to_life.clone(), lane.clone());
        let plugins = Arc::clone(&self.connection.session.plugins);
        let told = move |end: CallEnd, still_runs: bool| {
            drop(to_life.send(Here::Ended(key, ended(key, &end, still_runs), still_runs)));
            if still_runs {
                // Its turn is free when it has really returned.
                plugins.run_own(async move {
                    drop(of_turn.turn().await);
                    drop(to_life.send(Here::Returned(key)));
                });
            }
        };
        let plugins = Arc::clone(&self.connection.session.plugins);
        self.connection.session.plugins.run_own(async move {
            let ready = async {
                let due = DueCallback::new(callback, lane, false, &plugins)?;
                due.get_ready(|_| {}).await
            };
            match plugins.within(limit, ready).await {
                Some(Some(ready)) => {
                    let left = limit.saturating_sub(arrived.elapsed());
                    caller.call_within(ready, call, left, told);
                }
                Some(None) => told(CallEnd::failed("the client is being shut down"), false),
                None => told(CallEnd::failed(late(limit)), false),
            }
        });
    }
}

fn late(limit: Duration) -> String {
    format!(
        "time limit of {limit:?} passed; it was not called, for an earlier call of this worker and key has not \
         returned, or no thread was free"
    )
}

/// How a call ended, as it is told. What is too large to be told has failed.
fn ended((step, attempt): CallKey, end: &CallEnd, still_runs: bool) -> Option<Ended> {
    let of = |end: &CallEnd| Ended::new(CallRef::new(step, attempt), end, still_runs);
    if end.staged.len() > MOST_ENTRIES {
        return of(&CallEnd::failed(too_many()));
    }
    let ended = of(end)?;
    if ended.encoded_len() <= MOST_TO_TELL {
        return Some(ended);
    }
    of(&CallEnd::failed(TOO_LARGE))
}

const TOO_LARGE: &str = "what the callback staged is larger than a message may be, 8 MiB";

fn too_many() -> String {
    format!(
        "the callback staged more than {MOST_ENTRIES} changes, which are the most that a message may have"
    )
}

/// What the handle of one call asks, of the keeper.
struct CallLink {
    connection: KeeperConnection,
    to_life: ToLife,
    call: CallKey,
}

impl CallLink {
    fn ask(
        &self,
        asking: Asking,
    ) -> impl Future<Output = Result<Answer, KeeperError>> + Send + 'static {
        let session = Arc::clone(&self.connection.session);
        let (reply, answer) = oneshot::channel();
        let sent = self.to_life.send(Here::Ask(asking, reply));
        async move {
            let answer = async {
                sent.map_err(|_| session.ended())?;
                answer.await.unwrap_or_else(|_| Err(session.ended()))
            };
            session.within(answer).await
        }
    }

    fn call(&self) -> Option<CallRef> {
        let (step, attempt) = self.call;
        Some(CallRef::new(step, attempt))
    }
}

impl KeyLink for CallLink {
    fn get_version(
        &self,
        key: &KeyName,
        id: VersionId,
    ) -> LinkFuture<Result<SecretKeyValue, KeyError>> {
        let (connection, key) = (self.connection.clone(), key.clone());
        Box::pin(async move { Ok(connection.get_version(key.as_str(), id).await?.value) })
    }

    fn stage_save(
        &self,
        _: &KeyName,
        staged: Vec<Staged>,
    ) -> LinkFuture<Result<Option<SecretKeyValue>, KeyError>> {
        let ask = AskForSave {
            request: 0,
            call: self.call(),
            staged: staged.iter().map(Into::into).collect(),
        };
        let session = Arc::clone(&self.connection.session);
        let refused = if ask.staged.len() > MOST_ENTRIES {
            Some(too_many())
        } else {
            (ask.encoded_len() > MOST_TO_TELL).then(|| TOO_LARGE.to_owned())
        };
        if let Some(text) = refused {
            let refused = KeeperError::new("message_too_large", false, text);
            return Box::pin(async { Err(refused.into()) });
        }
        let asked = self.ask(Asking::Save(ask));
        Box::pin(async move {
            match asked.await? {
                Answer::Save(save) => Ok(save.asked.map(Into::into)),
                _ => Err(session.not_understood("what saving needs").into()),
            }
        })
    }

    fn refuse_child(&self) -> Result<(), KeyError> {
        Ok(self.connection.session.refuse_child()?)
    }

    fn declare(&self, change: Change) -> LinkFuture<Result<RotationId, RotationError>> {
        let call = self.call();
        let asked = DeclareRequest::try_from(&change).map(|change| {
            self.ask(Asking::Declare(DeclareInCall {
                request: 0,
                call,
                change: Some(change),
            }))
        });
        let session = Arc::clone(&self.connection.session);
        Box::pin(async move {
            match asked?.await? {
                Answer::Declared(declared) => session.id(&declared.id),
                _ => Err(session.not_understood("the id of a rotation").into()),
            }
        })
    }
}
