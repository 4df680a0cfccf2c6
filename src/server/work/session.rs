//! The life of a stream that has joined: what the coordinator asks goes out, what the instance says comes in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::{Status, Streaming};

use crate::key::state::Staged;
use crate::rotation::error::RotationError;
use crate::rotation::event::StepOutcome;
use crate::rotation::instance::InstanceEvent;
use crate::server::connection::Connection;
use crate::server::keeper::Keeper;
use crate::server::refusal::SocketRefusal;
use crate::server::replies::{invalid, of_rotation};
use crate::server::work::calls::{CallId, Told};
use crate::server::work::link::StreamLink;
use crate::server::work::out::{NotSent, ToPeer};
use crate::server::work::registry::{KnownInstance, Registry};
use crate::server::work::requests::{Answering, Asks, Wanted, unknown_call};
use crate::wire::generated::answer::Answer as Given;
use crate::wire::generated::to_instance::Said;
use crate::wire::generated::to_keeper::Said as Says;
use crate::wire::generated::{Answer, CallRef, CallbackRemoved, Ended, Ending, Joined, ToKeeper};
use crate::wire::invalid::{InvalidMessage, needed};
use crate::worker::call::Call;
use crate::worker::link::WorkerRequest;

/// After the end of a process, what it had sent is read until nothing more has come for so long. Mostly the
/// connection ends before that; a child that the process left may hold it open.
const DRAINED: Duration = Duration::from_millis(300);

/// How long a stream that is to end waits for the answers that are under way.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// The stream of an instance, which has joined or is about to.
pub(super) struct InstanceStream {
    pub(super) keeper: Arc<Keeper>,
    pub(super) registry: Arc<Registry>,
    pub(super) connection: Arc<Connection>,
    pub(super) from: Streaming<ToKeeper>,
    pub(super) to: ToPeer,
}

/// What a stream has joined as.
pub(super) struct JoinedInstance {
    pub(super) known: Arc<KnownInstance>,
    /// The number of its stream.
    pub(super) stream: u64,
    pub(super) link: Arc<StreamLink>,
    pub(super) asked: UnboundedReceiver<WorkerRequest>,
    /// What came before it had joined.
    pub(super) early: VecDeque<ToKeeper>,
    /// What it is still to be caught up with.
    pub(super) catch_up: Vec<Call>,
}

/// How the stream goes on.
enum Next {
    GoOn,
    /// It ends; a peer that is still there is told this, if it is an error.
    End(Option<Status>),
}

/// What happens to a stream.
enum Happening {
    /// The coordinator asks.
    Asked(WorkerRequest),
    /// A request can be answered.
    Answer(Answer),
    /// The instance says something.
    Says(ToKeeper),
    /// The keeper ends, and gives time to what runs.
    Closing,
    /// The instance's process has ended.
    ProcessEnd,
    /// What is still to be answered had its time.
    LastAnswersDue,
    /// The stream ends.
    End(Option<Status>),
}

/// A stream that has joined.
pub(super) struct Session {
    asks: Asks,
    registry: Arc<Registry>,
    stream: u64,
    from: Streaming<ToKeeper>,
    to: ToPeer,
    link: Arc<StreamLink>,
    asked: UnboundedReceiver<WorkerRequest>,
    early: VecDeque<ToKeeper>,
    answering: FuturesUnordered<Answering>,
    process_end: watch::Receiver<bool>,
    /// Whether the instance itself wants its end.
    wants_end: bool,
    /// The request with which it leaves.
    leaves: Option<u64>,
    /// Until when answers are waited for, once it is to end.
    ends_at: Option<Instant>,
    /// Until when more is waited for, once its process has ended.
    drained_at: Option<Instant>,
    has_told_ending: bool,
}

impl Session {
    pub(super) fn new(of: InstanceStream, instance: JoinedInstance) -> Self {
        let InstanceStream {
            keeper,
            registry,
            connection,
            from,
            to,
        } = of;
        let JoinedInstance {
            known,
            stream,
            link,
            asked,
            early,
            catch_up,
        } = instance;
        let process_end = known.process_end();
        // The queue is empty, so there is room for both.
        let instance = known.of.number;
        let _ = to.say(Said::Joined(Joined { instance }));
        for call in catch_up {
            let _ = to.catch_up(Box::new(call));
        }
        Self {
            asks: Asks {
                keeper,
                connection,
                known,
            },
            registry,
            stream,
            from,
            to,
            link,
            asked,
            early,
            answering: FuturesUnordered::new(),
            process_end,
            wants_end: false,
            leaves: None,
            ends_at: None,
            drained_at: None,
            has_told_ending: false,
        }
    }

    /// Until the end of the stream; then the instance is absent or gone.
    pub(super) async fn run(mut self) {
        let last = loop {
            let next = match self.early.pop_front() {
                Some(message) => self.says(message),
                None => self.next().await,
            };
            match next {
                Ok(Next::GoOn) => {}
                Ok(Next::End(last)) => break last,
                Err(NotSent { reads_nothing }) => {
                    if reads_nothing {
                        let why = "it does not read what its instance is told".to_owned();
                        self.asks.connection.cut(why);
                    }
                    break None;
                }
            }
        };
        self.asked.close();
        while let Some(asked) = self.asked.recv().await {
            self.link.not_handed_over(asked);
        }
        let keeper = Arc::downgrade(&self.asks.keeper);
        self.registry
            .disconnect(&keeper, &self.asks.known, self.stream);
        if let Some(last) = last {
            self.to.refuse(last);
        }
    }

    async fn next(&mut self) -> Result<Next, NotSent> {
        match self.happens().await {
            Happening::Asked(asked) => self.asked(asked),
            Happening::Answer(answer) => {
                let is_done = matches!(answer.answer, Some(Given::Done(_)));
                self.wants_end |= is_done && self.leaves == Some(answer.request);
                self.to.say(Said::Answer(answer))?;
                Ok(self.end_if_answered())
            }
            Happening::Says(message) => self.says(message),
            Happening::Closing => {
                self.has_told_ending = true;
                self.to.say(Said::Ending(Ending {}))?;
                Ok(Next::GoOn)
            }
            Happening::ProcessEnd => {
                self.drained_at = Some(Instant::now() + DRAINED);
                Ok(Next::GoOn)
            }
            Happening::LastAnswersDue => Ok(Next::End(self.last_word())),
            Happening::End(last) => Ok(Next::End(last)),
        }
    }

    async fn happens(&mut self) -> Happening {
        let phases = &self.asks.keeper.phases;
        let (ends, drained) = (self.ends_at, self.drained_at);
        let now = Instant::now();
        tokio::select! {
            biased;
            // First, so that an instance hears that it is ready before it is called.
            Some(answer) = self.answering.next() => Happening::Answer(answer),
            Some(asked) = self.asked.recv() => Happening::Asked(asked),
            message = self.from.message() => match message {
                Ok(Some(message)) => Happening::Says(message),
                Ok(None) => Happening::End(None),
                // The connection has ended, or what came is no message.
                Err(error) => Happening::End(Some(error)),
            },
            () = phases.ended() => Happening::End(Some(SocketRefusal::ShutDown.into())),
            () = phases.closing(), if !self.has_told_ending => Happening::Closing,
            Ok(_) = self.process_end.wait_for(|ended| *ended), if drained.is_none() => {
                Happening::ProcessEnd
            }
            () = sleep_until(ends.unwrap_or(now)), if ends.is_some() => Happening::LastAnswersDue,
            () = sleep_until(drained.unwrap_or(now)), if drained.is_some() => Happening::End(None),
        }
    }

    /// What the peer hears last.
    fn last_word(&self) -> Option<Status> {
        let worker = self.asks.known.of.worker.clone();
        (!self.wants_end).then(|| of_rotation(RotationError::UnknownWorker { worker }))
    }

    fn end_if_answered(&self) -> Next {
        match self.ends_at {
            Some(_) if self.answering.is_empty() => Next::End(self.last_word()),
            Some(_) | None => Next::GoOn,
        }
    }

    /// The coordinator asks.
    fn asked(&mut self, asked: WorkerRequest) -> Result<Next, NotSent> {
        match asked {
            WorkerRequest::Call(call) => self.give(call)?,
            WorkerRequest::CatchUp(call) => {
                self.asks.known.calls.catch_up(Call::clone(&call));
                self.to.catch_up(call)?;
            }
            WorkerRequest::Heard { step, attempt } => {
                if self.asks.known.calls.heard((step, attempt)) {
                    self.to.end_taken(Some(CallRef::new(step, attempt)), None)?;
                }
            }
            WorkerRequest::Remove { key, name } => {
                self.to.say(Said::CallbackRemoved(CallbackRemoved {
                    key: key.as_str().to_owned(),
                    callback: name.as_str().to_owned(),
                }))?;
            }
            WorkerRequest::Stop => {
                // Its instance is gone, or is connected over another stream.
                self.registry.forget_over(&self.asks.known, self.stream);
                self.ends_at = Some(Instant::now() + LAST_ANSWERS);
                return Ok(self.end_if_answered());
            }
            WorkerRequest::Add { .. }
            | WorkerRequest::Prepare { .. }
            | WorkerRequest::Release { .. } => {}
        }
        Ok(Next::GoOn)
    }

    /// Hands a call over, if the grants still give its keys.
    fn give(&mut self, call: Box<Call>) -> Result<(), NotSent> {
        let Asks {
            keeper,
            connection,
            known,
        } = &self.asks;
        let worker = known.of.worker.as_str();
        let grants = keeper.grants();
        if grants.allow_work(connection.asker(), worker, call.key.as_str()) {
            known.calls.give(&call);
            return self.to.call(call);
        }
        let error = "the grants do not give its process the keys any more".to_owned();
        let event = InstanceEvent::Ended {
            step: call.step,
            attempt: call.attempt,
            outcome: StepOutcome::Failed { error },
            returned: true,
        };
        keeper.keys.tell_of_instance(&known.of, event, Vec::new());
        Ok(())
    }

    /// The instance says something.
    fn says(&mut self, message: ToKeeper) -> Result<Next, NotSent> {
        self.drained_at = self.drained_at.map(|_| Instant::now() + DRAINED);
        match message.said {
            Some(Says::Register(register)) => {
                self.wants(register.request, Wanted::Register(register))?;
            }
            Some(Says::Ready(ready)) => self.wants(ready.request, Wanted::Ready)?,
            Some(Says::AskForSave(ask)) => self.wants(ask.request, Wanted::Save(ask))?,
            Some(Says::Declare(declare)) => {
                self.wants(declare.request, Wanted::Declare(declare))?;
            }
            Some(Says::Leave(leave)) => {
                self.leaves = Some(leave.request);
                self.wants(leave.request, Wanted::Leave)?;
            }
            Some(Says::Dropped(_)) => {
                // Once: each is a write.
                if !std::mem::replace(&mut self.wants_end, true) {
                    self.tell(InstanceEvent::Dropped, Vec::new());
                }
            }
            Some(Says::Ended(ended)) => return self.ended(ended),
            Some(Says::Returned(returned)) => return self.returned(returned.call),
            Some(Says::Join(_)) => {
                let why = "comes once, as the first message";
                return Ok(Next::End(Some(invalid(InvalidMessage::new("join", why)))));
            }
            None => {
                let why = "is missing, or of a later version than the keeper's";
                return Ok(Next::End(Some(invalid(InvalidMessage::new("said", why)))));
            }
        }
        Ok(Next::GoOn)
    }

    fn ended(&mut self, Ended { call, outcome }: Ended) -> Result<Next, NotSent> {
        let id = match named(call.as_ref()) {
            Ok(id) => id,
            Err(error) => return Ok(Next::End(Some(invalid(error)))),
        };
        match self.asks.known.calls.end(id, outcome) {
            Told::Unknown => self.to.end_taken(call, Some(unknown_call()))?,
            Told::Again => {}
            Told::Event(event, staged) => {
                let caught_up = matches!(event, InstanceEvent::CaughtUp { .. });
                self.tell(event, staged);
                if caught_up {
                    self.to.end_taken(call, None)?;
                }
            }
        }
        Ok(Next::GoOn)
    }

    fn returned(&mut self, call: Option<CallRef>) -> Result<Next, NotSent> {
        let (step, attempt) = match named(call.as_ref()) {
            Ok(id) => id,
            Err(error) => return Ok(Next::End(Some(invalid(error)))),
        };
        let is_known = self.asks.known.calls.returned((step, attempt));
        if is_known {
            self.tell(InstanceEvent::Returned { step, attempt }, Vec::new());
        }
        let refused = (!is_known).then(unknown_call);
        self.to.end_taken(call, refused)?;
        Ok(Next::GoOn)
    }

    fn tell(&self, event: InstanceEvent, staged: Vec<Staged>) {
        let keys = &self.asks.keeper.keys;
        keys.tell_of_instance(&self.asks.known.of, event, staged);
    }

    /// Begins to answer a request, if not too many are under way.
    fn wants(&mut self, request: u64, wanted: Wanted) -> Result<(), NotSent> {
        let bound = self.asks.keeper.bounds.requests_of_connection;
        if self.answering.len() < bound {
            self.answering
                .push(self.asks.clone().answer(request, wanted));
            return Ok(());
        }
        let refused = SocketRefusal::RequestsOfConnection { bound }.into();
        let answer = Some(Given::Refused(refused));
        self.to.say(Said::Answer(Answer { request, answer }))
    }
}

fn named(call: Option<&CallRef>) -> Result<CallId, InvalidMessage> {
    needed("call", call)?.named()
}
