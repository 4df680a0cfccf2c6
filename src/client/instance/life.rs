//! The life of an instance: it joins, hears and tells, and joins again under its number when its
//! connection has ended, until it is gone.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::TryFutureExt;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{SetOnce, mpsc, oneshot};
use tokio::time::sleep;
use tonic::Status;

use crate::client::connection::KeeperConnection;
use crate::client::instance::calling::Calling;
use crate::client::instance::duties::{Asking, Duties, registration, told};
use crate::client::instance::here::Here;
use crate::client::session::MAX_MESSAGE;
use crate::key::keeper_error::KeeperError;
use crate::key::name::WorkerName;
use crate::rotation::error::RotationError;
use crate::rotation::instance;
use crate::wire::generated::answer::Answer;
use crate::wire::generated::to_instance::Said as Heard;
use crate::wire::generated::to_keeper::Said as Told;
use crate::wire::generated::work_client::WorkClient;
use crate::wire::generated::{self, Refusal, Sharing, ToInstance, ToKeeper};

/// How long an instance waits at first before it joins again, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A connection that held so long was a good one: the next pause is short again.
const HELD_LONG: Duration = Duration::from_millis(500);

/// How a connection of an instance ended.
enum StreamEnd {
    /// The instance is gone, and this is what its handle answers.
    Gone(KeeperError),
    /// The connection is away, or the keeper is.
    Away(KeeperError),
    /// The keeper does not know the instance.
    Unknown,
}

/// The life of an instance.
pub(super) struct InstanceLife {
    pub(super) name: WorkerName,
    pub(super) sharing: instance::Sharing,
    pub(super) waits: bool,
    pub(super) connection: KeeperConnection,
    pub(super) calling: Calling,
    pub(super) here: mpsc::UnboundedReceiver<Here>,
    /// Why the handle asks nothing more.
    pub(super) over: Arc<SetOnce<KeeperError>>,
    /// The caller that waits for the first join.
    pub(super) joined: Option<oneshot::Sender<Result<(), KeeperError>>>,
    pub(super) instance: u64,
    pub(super) duties: Duties,
    /// Whether it has left, or its handle was dropped.
    pub(super) has_ended_by_itself: bool,
    /// Whether the log was told that the keeper is away.
    pub(super) is_away: bool,
}

impl InstanceLife {
    /// Lives.
    pub(super) async fn live(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let begun = Instant::now();
            let why = match self.connect().await {
                StreamEnd::Gone(why) => return self.end(why),
                StreamEnd::Away(why) => why,
                StreamEnd::Unknown if self.duties.is_dropped() => {
                    self.has_ended_by_itself = true;
                    let why = self.has_left();
                    return self.end(why);
                }
                StreamEnd::Unknown => {
                    self.instance = 0;
                    self.duties.begin_anew();
                    continue;
                }
            };
            if self.joined.is_some() {
                return self.end(why);
            }
            self.tell_that_it_is_away(why);
            if begun.elapsed() > HELD_LONG {
                pause = PAUSES.0;
            }
            self.pause(jittered(pause)).await;
            pause = PAUSES.1.min(pause * 2);
        }
    }

    fn end(self, why: KeeperError) {
        drop(self.over.set(why.clone()));
        if let Some(joined) = self.joined {
            drop(joined.send(Err(why)));
            return;
        }
        if self.has_ended_by_itself {
            return;
        }
        let worker = self.name;
        self.connection.session.events.tell(move || {
            tracing::error!(%worker, %why, "the keeper calls this worker no more; join again");
        });
    }

    fn has_left(&self) -> KeeperError {
        let worker = self.name.clone();
        let left = RotationError::UnknownWorker { worker };
        KeeperError::new(left.code(), false, left.to_string())
    }

    fn tell_that_it_is_away(&mut self, why: KeeperError) {
        if std::mem::replace(&mut self.is_away, true) {
            return;
        }
        let worker = self.name.clone();
        self.connection.session.events.tell(move || {
            tracing::warn!(%worker, %why, "the connection to the keeper has ended; it is made again");
        });
    }

    /// Hears what happens here while there is no connection.
    async fn pause(&mut self, pause: Duration) {
        let passed = sleep(pause);
        tokio::pin!(passed);
        loop {
            tokio::select! {
                () = &mut passed => return,
                Some(here) = self.here.recv() => drop(self.hear(here)),
            }
        }
    }

    /// One connection, to its end.
    async fn connect(&mut self) -> StreamEnd {
        let (tell, mut to_tell) = mpsc::unbounded_channel::<ToKeeper>();
        drop(tell.send(self.join()));
        let messages = stream::poll_fn(move |context| to_tell.poll_recv(context));
        let mut client = WorkClient::new(self.connection.channel.clone())
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let heard = async move { client.join(messages).await.map(tonic::Response::into_inner) };
        let heard = heard.try_flatten_stream();
        tokio::pin!(heard);
        let mut has_joined = false;
        loop {
            let to_tell = tokio::select! {
                Some(here) = self.here.recv() => {
                    let to_tell = self.hear(here);
                    if has_joined { to_tell } else { Vec::new() }
                }
                message = heard.next() => match message {
                    None => {
                        self.has_ended_by_itself = true;
                        return StreamEnd::Gone(self.has_left());
                    }
                    Some(Err(status)) => return self.over(&status, has_joined),
                    Some(Ok(message)) => {
                        let to_tell = self.take(message, &mut has_joined);
                        if has_joined { to_tell } else { Vec::new() }
                    }
                },
                () = gone(&mut self.joined) => return StreamEnd::Gone(self.has_left()),
            };
            for message in to_tell {
                drop(tell.send(message));
            }
        }
    }

    fn join(&self) -> ToKeeper {
        let sharing = match self.sharing {
            instance::Sharing::Sole => Sharing::Sole,
            instance::Sharing::Shared => Sharing::Shared,
        };
        told(Told::Join(generated::Join {
            worker: self.name.as_str().to_owned(),
            sharing: sharing.into(),
            wait_for_name: self.waits,
            instance: self.instance,
            calls: self.duties.open_calls(),
        }))
    }

    fn over(&self, status: &Status, has_joined: bool) -> StreamEnd {
        let why = self.connection.session.failure(status);
        let told = Refusal::of_status(status);
        match told.as_ref().map(|refusal| refusal.code.as_str()) {
            // One that ends the stream of a known instance: an operator has removed it.
            Some("unknown_instance") if self.instance > 0 && !has_joined => StreamEnd::Unknown,
            Some("shut_down") | None => StreamEnd::Away(why),
            Some(_) if why.is_retriable() && self.instance > 0 => StreamEnd::Away(why),
            Some(_) => StreamEnd::Gone(why),
        }
    }

    /// Hears what happens here, and answers what is to be told of it.
    fn hear(&mut self, here: Here) -> Vec<ToKeeper> {
        match here {
            Here::Register(key, name, callback, reply) => {
                let register = registration(&key, &name, &callback);
                self.duties.add(key, name, callback);
                self.duties.ask(Asking::Register(register), Some(reply));
                self.duties.new_requests()
            }
            Here::Ask(asking, reply) => {
                self.duties.ask(asking, Some(reply));
                self.duties.new_requests()
            }
            Here::Ended(call, ended, still_runs) => {
                self.duties.ended(call, ended, still_runs);
                self.duties.of_call(call).into_iter().collect()
            }
            Here::Returned(call) => {
                self.duties.returned(call);
                self.duties.of_call(call).into_iter().collect()
            }
            Here::Dropped => {
                self.duties.drop_handle();
                vec![told(Told::Dropped(generated::Dropped {}))]
            }
        }
    }

    /// Takes what the keeper says, and answers what is to be told then.
    fn take(&mut self, message: ToInstance, has_joined: &mut bool) -> Vec<ToKeeper> {
        match message.said {
            Some(Heard::Joined(joined)) => {
                *has_joined = true;
                if std::mem::take(&mut self.is_away) {
                    let worker = self.name.clone();
                    self.connection.session.events.tell(move || {
                        tracing::info!(%worker, "the connection to the keeper is made again");
                    });
                }
                self.instance = joined.instance;
                if let Some(waiting) = self.joined.take()
                    && waiting.send(Ok(())).is_err()
                {
                    // The caller has gone, so there is no handle.
                    self.duties.drop_handle();
                }
                return self.duties.all_to_tell();
            }
            Some(Heard::Answer(answer)) => {
                if let Some(said) = answer.answer {
                    self.answered(answer.request, said);
                }
            }
            Some(Heard::Call(call)) => {
                let of_call = self.calling.call(call, &mut self.duties);
                return of_call.into_iter().collect();
            }
            Some(Heard::EndTaken(taken)) => {
                if let Some(Ok(call)) = taken.call.as_ref().map(generated::CallRef::named) {
                    self.duties.taken(call, taken.refused.is_some());
                }
            }
            Some(Heard::CallbackRemoved(removed)) => {
                self.duties.remove(&removed.key, &removed.callback);
            }
            // The end of the stream follows.
            Some(Heard::Ending(_)) | None => {}
        }
        Vec::new()
    }

    fn answered(&mut self, request: u64, answer: Answer) {
        let is_refused = matches!(answer, Answer::Refused(_));
        let Some(answered) = self.duties.answered(request, is_refused) else {
            return;
        };
        let answer = match answer {
            Answer::Refused(refusal) => Err(KeeperError::from(refusal)),
            answer => Ok(answer),
        };
        if let (Err(why), Asking::Register(register)) = (&answer, &answered.asking)
            && why.code() != "callback_taken"
        {
            self.duties.remove(&register.key, &register.callback);
        }
        match (answered.reply, answer) {
            (Some(reply), answer) => drop(reply.send(answer)),
            (None, Err(why)) => {
                let worker = self.name.clone();
                self.connection.session.events.tell(move || {
                    tracing::error!(%worker, %why, "what was registered could not be registered again");
                });
            }
            (None, Ok(_)) => {}
        }
    }
}

/// Ends when the caller of the first join has gone.
async fn gone(joined: &mut Option<oneshot::Sender<Result<(), KeeperError>>>) {
    match joined {
        Some(waiting) => waiting.closed().await,
        None => std::future::pending().await,
    }
}

/// Between half of the pause and all of it, so that the processes of a server do not all come at once.
fn jittered(pause: Duration) -> Duration {
    let chance = RandomState::new().hash_one(0_u8) % 1_000;
    let part = u32::try_from(chance).unwrap_or(0);
    pause / 2 + pause / 2_000 * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_pause_before_a_client_connects_again_lies_anywhere_between_half_of_it_and_all() {
        for pause in [PAUSES.0, PAUSES.1] {
            let drawn: BTreeSet<Duration> = (0..200).map(|_| jittered(pause)).collect();
            assert!(drawn.iter().all(|one| *one >= pause / 2 && *one <= pause));
            assert!(drawn.len() > 50, "they differ: {}", drawn.len());
        }
    }
}
